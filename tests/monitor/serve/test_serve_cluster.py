"""`monitor serve --cluster` with Ray itself, whose processes are what this test takes its time for."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import peers
import pytest
from helpers import Running, make_weights, needs, settings, start_monitor, turning_call, write_wav
from serving import QUICK, select, simulate, wait_until

pytestmark = [pytest.mark.realtime, pytest.mark.slow, needs("ray")]
START_S = 60.0
CLUSTER = ("cluster.shards=2", "cluster.spares=0", "cluster.checkpoint_s=0.5", "cluster.ring_s=60")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Running, str]]:
    """A server whose two shards are there, and the address of its tap."""
    make_weights(tmp_path / "w.safetensors")
    to = f"127.0.0.1:{peers.free_port()}"
    words = ("--audiosocket", to, "--weights", "w.safetensors", "--json", "--no-publish")
    with start_monitor("serve", "--cluster", *words, *settings(*QUICK, *CLUSTER), cwd=tmp_path) as monitor:
        until = time.monotonic() + START_S
        while sum('"shard joined"' in line for line in monitor.lines) < 2:
            assert monitor.process.poll() is None, monitor.stderr
            if time.monotonic() > until:
                pytest.skip(f"Ray starts no two processes here within {START_S:g} s")
            time.sleep(0.1)
        yield monitor, to
        assert monitor.end(signal.SIGINT) == 130
        assert monitor.stderr == ""


def test_calls_outlive_a_shard_that_is_killed(served: tuple[Running, str], tmp_path: Path) -> None:
    (monitor, to), wav = served, write_wav(tmp_path / "turning.wav", turning_call(3, 5, 1))
    wide = ("--with", "rate=16000")
    other = (*wide, "--with", "uuid=00000000-0000-0000-0000-000000000009")
    with (
        simulate(tmp_path, "audiosocket", wav, to, *wide) as one,
        simulate(tmp_path, "audiosocket", wav, to, *other) as two,
    ):
        wait_until(monitor, lambda: {e["state"] for e in select(monitor, "score")} > {"listening"})
        joined = [e["detail"] for e in select(monitor, "health") if e["code"] == "shard joined"]
        os.kill(int(re.findall(r"shard-1: process (\d+)", joined[0] + joined[1])[0]), signal.SIGKILL)
        assert [one.end(), two.end()] == [0, 0]
        wait_until(monitor, lambda: len(select(monitor, "call.ended")) == 2)
    codes = [e["code"] for e in select(monitor, "health")]
    assert codes.count("shard lost") == 1
    assert "audio skipped" not in codes
    for ended in select(monitor, "call.ended"):
        states = [e["state"] for e in select(monitor, "score", ended["call"])]
        judged = next(at for at, state in enumerate(states) if state != "listening")
        assert "listening" not in states[judged:]
        alerts = [e["type"] for e in monitor.events if e["type"].startswith("alert.") and e["call"] == ended["call"]]
        assert (alerts[0], alerts[-1], alerts.count("alert.opened")) == ("alert.opened", "alert.closed", 1)
        assert ended["lost_s"] == 0
        assert ended["duration_s"] > 8.9
