"""One round of the chaos test, and a short siege, so that `make chaos` is known to run; a comparison that can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import environment

from chaos import check
from monitor.events import wire
from monitor.types import Event

pytestmark = pytest.mark.realtime

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
def test_one_round_holds() -> None:
    words = [sys.executable, "-m", "chaos", "--rounds", "1", "--seed", "4"]
    ran = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == "1 of 1 rounds held: nothing lost, nothing twice"


@pytest.mark.skipif(sys.platform != "linux", reason="what came on a connection is known on Linux alone")
def test_a_short_siege_holds() -> None:
    words = [sys.executable, "-m", "chaos.siege", "--seconds", "8", "--hostile", "50", "--idle", "50"]
    ran = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout)
    assert found["received"] > 0
    assert found["missing"] == 0
    assert found["refused"], "the hostile ones were there"


def events(*seqs: int) -> list[check.Kept]:
    return [check.kept(wire.encode(Event("score", f"call{n % 2}", "a", n, {}, n, "one", "now"))) for n in seqs]


def test_what_does_not_hold_is_found() -> None:
    written = events(1, 2, 3, 4)
    assert check.fault(written, written, "") == ""
    assert "lost" in check.fault(written, events(1, 2, 4), "")
    assert "twice" in check.fault(written, events(1, 2, 2, 3, 4), "")
    assert "out of order" in check.fault(written, events(1, 3, 2, 4), "")
    assert check.fault(written, events(1, 3, 2, 4), "score.") == ""
    assert "out of order" in check.fault(written, events(3, 1, 2, 4), "score.")
    assert "no journal has" in check.fault(written, events(1, 2, 3, 4, 5), "")
    assert "altered" in check.fault(written, [*written[:3], replace(written[3], body="")], "")
    marked = replace(events(5)[0], unjournaled=True)
    assert check.fault(written, [*written, marked], "") == ""
