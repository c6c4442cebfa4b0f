"""Marks of origin in what `monitor score`, `monitor replay` and the report say; the verdict stays what it was."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers import QUICK, Ran, assert_one_error, events_of, make_weights, run_here, settings, turning_call, write_wav

pytest.importorskip("c2pa", reason="the extra provenance is not installed")

from signing import authority

import monitor
from monitor.cli.main import run_cli
from monitor.events.schema.schema_files import read
from monitor.report.call_records import CallRecords
from monitor.report.page import page
from monitor.types import Event

Run = Callable[..., Ran]
SHOWN = "content credentials: the signature holds, the signer is in no trust list, for none is set; declares trained"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a folder with plain.wav, and signed.wav, which is the same with content credentials."""
    monkeypatch.chdir(tmp_path)
    plain = write_wav(Path("plain.wav"), turning_call(2.0, 2.0, 1.0))
    authority().sign(Path(shutil.copy(plain, "signed.wav")))
    make_weights(Path("w.safetensors"))
    return lambda *words: run_here(capfd, *words, "--weights", "w.safetensors", *settings(*QUICK))


def test_scores_stand_beside_the_marks_and_do_not_depend_on_them(run: Run) -> None:
    plain, signed = events_of(run("score", "plain.wav", "signed.wav", "--json").out)
    (mark,) = signed["provenance"]
    assert plain["provenance"] == []
    assert mark["source_types"] == ["trainedAlgorithmicMedia"]
    assert mark["valid"] is True
    assert {k: v for k, v in plain.items() if k not in ("path", "provenance")} == {
        k: v for k, v in signed.items() if k not in ("path", "provenance")
    }


def test_people_read_them_in_a_line_of_their_own(run: Run) -> None:
    lines = run("score", "plain.wav", "signed.wav").out.splitlines()
    assert [line.split()[0] for line in lines] == ["plain.wav", "signed.wav", "signed.wav"]
    assert lines[2].startswith(f"signed.wav  {SHOWN}")


def test_a_table_has_them_in_words(run: Run) -> None:
    plain, signed = csv.DictReader(run("score", "plain.wav", "signed.wav", "--csv").out.splitlines())
    assert plain["provenance"] == ""
    assert signed["provenance"].startswith(SHOWN)


def test_python_gets_them_with_the_scores_of_a_file(run: Run) -> None:
    run("score", "plain.wav")
    (scored,) = monitor.score_files(["signed.wav"], weights="w.safetensors")
    (mark,) = scored.provenance
    assert isinstance(mark, monitor.Mark)
    assert mark.issuer == "Voice Works"


def test_a_replay_says_them_once_in_events_that_are_valid(run: Run) -> None:
    words = ("--json", "--no-publish", "--speed", "max")
    plain, signed = (events_of(run("replay", f"{name}.wav", *words).out) for name in ("plain", "signed"))
    for event in signed[:2]:
        jsonschema.Draft202012Validator(read(event["type"])).validate(event)
    assert "provenance" not in plain[0]
    assert signed[0]["provenance"][0]["issuer"] == "Voice Works"
    assert (signed[1]["type"], signed[1]["code"], signed[1]["usable"]) == ("health", "provenance", True)
    assert signed[1]["detail"].startswith(SHOWN)
    assert [e["type"] for e in plain[1:]] == [e["type"] for e in signed[2:]]


def test_the_report_shows_them(run: Run) -> None:
    run("replay", "signed.wav", "--no-publish", "--speed", "max", "--screen", "off", "--journal", "j")
    assert run_cli(["report", "j", "-o", "page.html"]) == 0
    assert Path("page.html").read_text(encoding="utf-8").count(SHOWN) == 1


@pytest.mark.parametrize("forged", [3, "x", [3], [{}], {"detail": "x"}, [{"detail": ["<b>"]}]])
def test_a_forged_record_does_not_keep_a_report_from_being_made(forged: Any) -> None:
    history = CallRecords()
    history.add_event(Event("call.started", "call", "", 0, {"channels": ["a"], "provenance": forged}), may_repeat=False)
    assert "<b>[" not in page(history, [], "now")


def test_a_trust_list_that_cannot_be_read_is_one_error(run: Run) -> None:
    for command in (("score", "plain.wav"), ("replay", "plain.wav", "--no-publish")):
        assert_one_error(run(*command, "--set", "provenance.trust_anchors=none.pem"), "none.pem", "No such file")
