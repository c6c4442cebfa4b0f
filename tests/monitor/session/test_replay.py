"""`monitor replay`: what it writes, that it writes the same whatever the pace, and how it ends."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import (
    MONITOR,
    QUICK,
    Ran,
    Run,
    environment,
    events_of,
    journaled,
    make_weights,
    settings,
    start_monitor,
    timeless,
    turning_call,
    voice,
    write_wav,
)

from monitor.session import watch

pytestmark = pytest.mark.realtime


FAST = (*QUICK, "evidence.min_speech_s=1", "alerts.alert_hold_s=0.2", "alerts.suspicious_hold_s=0.1")
"""Settings under which a call of six seconds has every type of event."""

NUMBER = (int, float)
FIGURES: dict[str, Any] = {"state": str, "p_fake": NUMBER, "llr": NUMBER, "net_speech_s": NUMBER, "families": dict}
FIGURES |= {"model": str, "bandwidth": str}
ALERT = FIGURES | {"alert": str, "why": str, "peak_llr": NUMBER, "opened_sample": int, "opened_s": NUMBER}
ALERT |= {"duration_s": NUMBER}
ENVELOPE = {"type": str, "call": str, "channel": str, "sample": int, "seq": int, "epoch": str, "time": str}
FIELDS: dict[str, dict[str, Any]] = {
    "call.started": {
        "source": str,
        "channels": list,
        "details": dict,
        "sample_rate": int,
        "prior": NUMBER,
        "model": str,
    },
    "score": FIGURES | {"reason": str, "warm": bool},
    "state.changed": FIGURES | {"from": str, "why": str},
    "alert.opened": ALERT,
    "alert.updated": ALERT,
    "alert.closed": ALERT,
    "health": {"code": str, "detail": str, "usable": bool},
    "call.ended": {
        "why": str,
        "duration_s": NUMBER,
        "lost_s": NUMBER,
        "channels": dict,
        "verdict": str,
        "highest_llr": NUMBER,
        "speech_s": NUMBER,
    },
}
"""As docs/alerts.md has them."""


@pytest.fixture
def run(run: Run, tmp_path: Path) -> Run:
    """monitor replay, in an empty folder with turn.wav, stereo.wav and weights that hear hiss as synthetic."""
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "turn.wav", turning_call(2.0, 2.0, 3.0))
    write_wav(tmp_path / "stereo.wav", np.stack([voice(3.0), voice(3.0, hiss=True)], axis=1))

    def replay(file: str, *words: str) -> Ran:
        speed = () if "--speed" in words else ("--speed", "max")
        return run("replay", file, "--weights", "w.safetensors", *settings(*FAST), *speed, *words)

    return replay


def test_json_lines_have_the_documented_types_and_fields_and_nothing_else(run: Run) -> None:
    whole = Path("turn.wav").read_bytes()
    Path("cut.wav").write_bytes(whole[:-20_000])
    ran = run("cut.wav", "--json", "--no-publish")
    assert ran.status == 0
    assert ran.err == ""
    events = events_of(ran.out)
    assert {e["type"] for e in events} == set(FIELDS), "every type is to be seen once"
    for event in events:
        fields = ENVELOPE | FIELDS[event["type"]]
        assert set(event) == set(fields)
        assert {name: value for name, value in event.items() if not isinstance(value, fields[name])} == {}
        assert list(event)[: len(ENVELOPE)] == list(ENVELOPE)
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert len({e["epoch"] for e in events}) == 1
    assert [e["sample"] for e in events] == sorted(e["sample"] for e in events)
    assert events[0]["type"] == "call.started"
    assert events[-1]["type"] == "call.ended"


def test_figures_are_what_their_names_say(run: Run) -> None:
    for event in events_of(run("turn.wav", "--json", "--no-publish").out):
        if event["type"] == "score":
            assert event["p_fake"] == pytest.approx(1 / (1 + math.exp(-event["llr"])), abs=1e-3)
            assert -8.0 <= event["llr"] <= 8.0
            assert event["net_speech_s"] <= event["sample"] / 16_000
            assert event["state"] in ("listening", "clear", "suspicious", "alert", "unknown")
            assert sum(event["families"].values()) <= 1.01
        elif event["type"].startswith("alert."):
            assert event["opened_s"] == pytest.approx(event["opened_sample"] / 16_000, abs=0.01)
            assert event["duration_s"] == pytest.approx((event["sample"] - event["opened_sample"]) / 16_000, abs=0.01)
            assert 2.0 < event["opened_s"] < 4.5


def test_the_journal_is_the_same_at_any_pace_in_any_read_size_and_in_another_process(run: Run, tmp_path: Path) -> None:
    paces = {
        "real time": ("--speed", "1"),
        "four times": ("--speed", "4", "--read-ms", "333"),
        "max, 1 ms": ("--speed", "max", "--read-ms", "1"),
        "max, 333 ms": ("--speed", "max", "--read-ms", "333"),
        "with another sink": ("--publish", "tcp://127.0.0.1:*", "--screen", "plain"),
    }
    process = start_monitor(
        *("replay", "turn.wav", "--weights", "w.safetensors", "--no-publish", "--speed", "max", "--json"),
        *(*settings(*FAST), "--journal", "elsewhere"),
        cwd=tmp_path,
    )
    with process:
        for name, words in paces.items():
            ran = run("turn.wav", "--journal", name, *words, *(() if "--publish" in words else ("--no-publish",)))
            assert ran.status == 0, ran
        assert process.end() == 0
    reference = timeless(Path("real time").read_text())
    assert any('"type":"alert.closed"' in line for line in reference)
    for name in [*paces, "elsewhere"]:
        assert timeless(Path(name).read_text()) == reference, name
    assert "".join(process.lines) == journaled(Path("elsewhere")), "standard output and the journal are the same bytes"


def test_a_stereo_file_is_two_parties(run: Run) -> None:
    events = events_of(run("stereo.wav", "--json", "--no-publish").out)
    assert events[0]["channels"] == ["left", "right"]
    assert {name: c["alerts"] for name, c in events[-1]["channels"].items()} == {"left": 0, "right": 1}
    assert {e["channel"] for e in events if e["type"].startswith("alert.")} == {"right"}


@pytest.mark.parametrize("wanted", ["caller=left,agent=right", "agent=right,caller=left", "agent=2,caller=1"])
def test_channels_get_names_by_their_place_whatever_the_order(run: Run, wanted: str) -> None:
    events = events_of(run("stereo.wav", "--json", "--no-publish", "--channels", wanted).out)
    assert {name: c["alerts"] for name, c in events[-1]["channels"].items()} == {"caller": 0, "agent": 1}


def test_one_channel_of_two(run: Run) -> None:
    events = events_of(run("stereo.wav", "--json", "--no-publish", "--channels", "right").out)
    assert list(events[-1]["channels"]) == ["right"]
    both = events_of(run("stereo.wav", "--json", "--no-publish").out)
    assert events[-1]["channels"]["right"] == both[-1]["channels"]["right"]


def test_the_exit_status_tells_of_an_alert_when_asked(run: Run) -> None:
    write_wav(Path("clear.wav"), voice(3.0))
    assert run("turn.wav", "--json", "--no-publish").status == 0
    assert run("turn.wav", "--json", "--no-publish", "--fail-on-alert").status == 3
    assert run("clear.wav", "--json", "--no-publish", "--fail-on-alert").status == 0


def test_without_a_terminal_plain_lines_and_a_summary_are_printed(run: Run) -> None:
    ran = run("turn.wav", "--no-publish")
    assert ran.status == 0
    assert ran.err == ""
    assert "\x1b" not in ran.out
    assert "latency" not in ran.out, "a recording has none"
    assert "mono: suspicious -> ALERT" in ran.out
    head, channel = ran.out.splitlines()[-2:]
    assert head == "turn (turn.wav): 00:07 of 00:07 of audio"
    assert channel.startswith("  mono: CLEAR, likelihood synthetic 1%,")
    assert channel.endswith("1 alert")


def test_the_last_screen_is_written_as_a_picture(run: Run) -> None:
    assert run("turn.wav", "--no-publish", "--screen", "off", "--svg", "screen.svg").status == 0
    picture = Path("screen.svg").read_text()
    assert picture.startswith("<svg")
    assert "FINISHED" in picture


# How it ends


def _running(tmp_path: Path, *words: str) -> Any:
    return start_monitor(
        *("replay", "long.wav", "--weights", "w.safetensors", "--publish", "tcp://127.0.0.1:*", "--journal", "journal"),
        *words,
        cwd=tmp_path,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_good_order_and_the_journal_is_whole(tmp_path: Path, number: int) -> None:
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "long.wav", voice(60.0))
    with _running(tmp_path, "--json") as program:
        program.wait_for(lambda line: '"sample":16000,' in line)
        status = program.end(number)
    assert status == 130
    assert program.stderr == ""
    events = events_of(journaled(tmp_path / "journal"))
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert (events[-1]["type"], events[-1]["why"]) == ("call.ended", "interrupted")
    assert program.events == events


def test_after_an_interrupt_no_thread_and_no_signal_handler_is_left(run: Run) -> None:
    write_wav(Path("long.wav"), voice(60.0))
    before, handler = set(threading.enumerate()), signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        journal = Path("journal")
        while not journal.exists() or journal.stat().st_size < 5000:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=interrupt, daemon=True)
    user.start()
    ran = run("long.wav", "--speed", "1", "--publish", "tcp://127.0.0.1:*", "--journal", "journal", "--screen", "plain")
    assert ran.status == 130
    user.join(10)
    assert set(threading.enumerate()) <= before
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_signal_ends_even_while_nobody_reads_what_was_written(tmp_path: Path) -> None:
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "long.wav", voice(20.0))
    command = [MONITOR, "replay", "long.wav", "--weights", "w.safetensors", "--no-publish", "--json", "--speed", "max"]
    program = subprocess.Popen(
        [*command, "--journal", "journal"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        journal = tmp_path / "journal"
        while not (journal.exists() and '"call.ended"' in journal.read_text()):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert program.poll() is None, "there is more than a pipe holds"
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 130
    finally:
        program.kill()
        program.wait()
        assert program.stdout is not None
        program.stdout.close()


@pytest.mark.parametrize("words", [("--json",), ("--screen", "plain")])
def test_it_ends_quietly_with_whoever_reads_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "long.wav", voice(60.0))
    command = [MONITOR, "replay", "long.wav", "--weights", "w.safetensors", "--no-publish", *words]
    with (tmp_path / "err").open("wb") as errors:
        program = subprocess.Popen(
            command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL
        )
    try:
        assert program.stdout is not None
        assert program.stdout.readline()
        program.stdout.close()
        assert program.wait(30) == 0, "30 s are less than the call lasts"
    finally:
        program.kill()
        program.wait()
    assert (tmp_path / "err").read_text() == ""


# A disk that is full


def test_a_full_disk_is_said_the_call_goes_on_and_nothing_is_half_written(
    run: Run, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FAULT_WAIT_S", 0.3)
    (small_disk / "filler").write_bytes(b"x" * 40_000)
    ran = run("turn.wav", "--json", "--no-publish", "--journal", str(small_disk / "journal"))
    assert ran.status == 2
    journal = (small_disk / "journal").read_text()
    assert journal.endswith("\n")
    kept = [json.loads(line)["seq"] for line in journal.splitlines()]
    assert kept == list(range(1, len(kept) + 1))
    events = events_of(ran.out)
    assert events[-1]["type"] == "call.ended", "the other sinks have everything"
    first, last = ran.err.splitlines()
    assert first == f"warning: journal: {small_disk}/journal: No space left on device"
    assert last.startswith(f"warning: journal: {len(events) - len(kept)} events are missing")


def test_when_there_is_room_again_the_journal_is_complete(run: Run, small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 55_000)

    def make_room() -> None:
        while os.statvfs(small_disk).f_bfree:
            time.sleep(0.01)
        time.sleep(0.5)
        filler.unlink()

    helper = threading.Thread(target=make_room)
    helper.start()
    words = ("--set", "publish.score_interval_ms=200", "--no-publish")
    ran = run("turn.wav", "--json", *words, "--journal", str(small_disk / "journal"))
    helper.join(30)
    assert ran.status == 0
    assert ran.err.splitlines() == [
        f"warning: journal: {small_disk}/journal: No space left on device",
        "warning: journal: works again",
    ]
    assert journaled(small_disk / "journal").splitlines() == ran.out.replace(',"unjournaled":true', "").splitlines()


def test_a_torn_journal_is_mended_and_that_is_said(run: Run) -> None:
    Path("journal").write_text('{"type":"score"}\n{"type":"sco')
    ran = run("turn.wav", "--json", "--no-publish", "--journal", "journal")
    assert ran.status == 0
    assert ran.err.startswith("warning: journal journal: a torn last line of 12 bytes was moved to journal.torn")
    assert journaled(Path("journal")) == '{"type":"score"}\n' + ran.out
