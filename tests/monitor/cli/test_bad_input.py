"""Whatever the user gets wrong ends in one clear error with what to do about it, and never in a traceback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    QUICK,
    Ran,
    Run,
    assert_one_error,
    environment,
    events_of,
    make_weights,
    run_monitor,
    settings,
    turning_call,
    voice,
    write_wav,
)

from model.checkpoint import VERSION

HIDE_PORTAUDIO = """
import ctypes.util
find = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if "portaudio" in name else find(name)
"""


@pytest.fixture
def run(run: Run, tmp_path: Path) -> Run:
    """Run a command in an empty folder that holds call.wav and w.safetensors; {words} beside the usual ones."""
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "call.wav", voice(1.0))
    return run


def replay(run: Run, file: str = "call.wav", *words: str) -> Ran:
    return run("replay", file, "--weights", "w.safetensors", "--speed", "max", "--no-publish", "--json", *words)


# Recordings


def test_a_file_that_is_not_there(run: Run) -> None:
    assert_one_error(replay(run, "none.wav"), "none.wav", "check the name")


def test_a_directory(run: Run) -> None:
    assert_one_error(replay(run, "."), "directory")


@pytest.mark.parametrize("name", ["text.wav", "text.mp3", "text"])
def test_a_file_that_is_not_audio(run: Run, name: str) -> None:
    Path(name).write_text("this is not a recording\n" * 100)
    assert_one_error(replay(run, name), f"{name} is not audio", "wav, flac")


def test_an_empty_file(run: Run) -> None:
    Path("empty.wav").touch()
    assert_one_error(replay(run, "empty.wav"), "empty.wav is empty")


def test_a_header_without_samples(run: Run) -> None:
    write_wav(Path("none.wav"), np.zeros(0, np.float32))
    assert_one_error(replay(run, "none.wav"), "holds no samples")


@pytest.mark.parametrize("rate", [3, 3999, 900_000])
def test_an_impossible_sample_rate(run: Run, rate: int) -> None:
    write_wav(Path("rate.wav"), voice(1.0), rate)
    assert_one_error(replay(run, "rate.wav"), f"a sample rate of {rate} Hz", "16000 Hz")


def test_384_khz_is_resampled_and_judged(run: Run) -> None:
    call = np.repeat(voice(4.0, hiss=True), 24)
    write_wav(Path("fast.wav"), call, 384_000)
    ran = replay(run, "fast.wav", "--fail-on-alert", *settings("evidence.memory_s=1"))
    assert ran.status == 3
    assert events_of(ran.out)[-1]["duration_s"] == 4.0


def test_eight_channels_are_eight_parties(run: Run) -> None:
    write_wav(Path("eight.wav"), np.stack([voice(1.0, seed=n) for n in range(8)], axis=1))
    ran = replay(run, "eight.wav")
    assert ran.status == 0
    assert list(events_of(ran.out)[-1]["channels"]) == [f"ch{n}" for n in range(1, 9)]


def test_nine_channels_are_too_many_unless_some_are_chosen(run: Run) -> None:
    write_wav(Path("nine.wav"), np.stack([voice(1.0)] * 9, axis=1))
    assert_one_error(replay(run, "nine.wav"), "9 channels", "input.max_channels")
    ran = replay(run, "nine.wav", "--channels", "b=ch9,a=1")
    assert list(events_of(ran.out)[-1]["channels"]) == ["a", "b"]


def test_a_truncated_file_is_played_as_far_as_it_goes_and_says_so(run: Run) -> None:
    whole = write_wav(Path("whole.wav"), voice(4.0)).read_bytes()
    Path("half.wav").write_bytes(whole[: len(whole) // 2])
    ran = replay(run, "half.wav")
    assert ran.status == 0
    assert ran.err == ""
    health, last = events_of(ran.out)[-2:]
    assert (health["type"], health["code"], health["usable"]) == ("health", "ended early", True)
    assert "2.0 s of the 4.0 s" in health["detail"]
    assert last["type"] == "call.ended"
    assert last["duration_s"] == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_few_samples_that_are_no_numbers_cost_their_blocks_only(run: Run, bad: float) -> None:
    call = voice(4.0)
    call[20_000:20_010] = bad
    write_wav(Path("some.wav"), call, subtype="FLOAT")
    ran = replay(run, "some.wav")
    assert ran.status == 0
    channel = events_of(ran.out)[-1]["channels"]["mono"]
    assert channel["state"] == "clear"
    assert 3.8 <= channel["net_speech_s"] < 4.0


def test_nothing_but_nan_is_unknown_and_never_a_number(run: Run) -> None:
    write_wav(Path("nan.wav"), np.full(3 * 16_000, np.nan, np.float32), subtype="FLOAT")
    ran = replay(run, "nan.wav", *settings("alerts.unknown_after_s=2"))
    assert ran.status == 0
    assert "NaN" not in ran.out
    events = events_of(ran.out)
    changed = [e for e in events if e["type"] == "state.changed"]
    assert [(e["state"], e["why"]) for e in changed] == [("unknown", "no usable speech for 2 s: invalid samples")]
    assert {e["reason"] for e in events if e["type"] == "score"} == {"invalid samples"}
    assert events[-1]["channels"]["mono"]["net_speech_s"] == 0.0


# Options


@pytest.mark.parametrize("speed", ["quick", "0", "-1", "nan", "inf"])
def test_a_nonsense_speed(run: Run, speed: str) -> None:
    assert_one_error(replay(run, "call.wav", "--speed", speed), f"--speed {speed} is not a speed", "write max")


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("caller=", "is not NAME=PLACE"),
        ("=left", "is not NAME=PLACE"),
        ("", "is not NAME=PLACE"),
        ("middle", "has no channel middle"),
        ("a=3", "has no channel 3"),
        ("a=left,a=right", "names a channel twice"),
        ("a=left,b=left", "names a channel twice"),
        ("a=left,b=1", "names a channel twice"),
    ],
)
def test_nonsense_channels(run: Run, channels: str, message: str) -> None:
    write_wav(Path("stereo.wav"), np.stack([voice(1.0), voice(1.0)], axis=1))
    assert_one_error(replay(run, "stereo.wav", "--channels", channels), message)


@pytest.mark.parametrize("address", ["nonsense", "5556", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "http://a:1", ""])
def test_a_nonsense_address(run: Run, address: str) -> None:
    ran = run("replay", "call.wav", "--weights", "w.safetensors", "--publish", address)
    assert_one_error(ran, f"{address!r} is not an address", "tcp://HOST:PORT")


def test_an_address_of_another_machine(run: Run) -> None:
    words = ("replay", "call.wav", "--weights", "w.safetensors", "--publish", "tcp://192.0.2.1:5556")
    assert_one_error(run(*words), "192.0.2.1 can be reached by other machines", "zeromq.insecure = true", "--insecure")
    ran = run(*words, "--insecure")
    assert_one_error(ran, "cannot publish on tcp://192.0.2.1:5556", "address of this machine")


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_busy_port(run: Run, busy_port: int) -> None:
    address = f"tcp://127.0.0.1:{busy_port}"
    ran = run("replay", "call.wav", "--weights", "w.safetensors", "--publish", address)
    assert_one_error(ran, f"{address} is taken", "--publish", "--no-publish")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bogus",), "bogus"),
        (("replay",), "FILE"),
        (("replay", "call.wav", "--loud"), "--loud"),
        (("replay", "call.wav", "--read-ms", "0"), "--read-ms"),
        (("replay", "call.wav", "--read-ms", "many"), "--read-ms"),
        (("replay", "call.wav", "--publish", "tcp://*:1", "--no-publish"), "contradict"),
        (("replay", "call.wav", "--screen", "huge"), "dashboard.mode = 'huge' (option --screen)"),
        (("--weights", "w.safetensors", "replay", "call.wav"), "--weights before replay has no effect"),
        (("--json",), "nothing to watch"),
        (("score",), "FILE"),
        (("subscribe", "nowhere"), "'nowhere' is not an address"),
        (("demo", "call.wav"), "call.wav is too short"),
        (("demo", "none.wav"), "none.wav"),
    ],
)
def test_a_command_line_that_makes_no_sense(run: Run, words: tuple[str, ...], message: str) -> None:
    assert_one_error(run(*words), message)


def test_a_demonstration_is_not_written_over_a_recording_or_into_nowhere(run: Run) -> None:
    write_wav(Path("mine.wav"), voice(13.0))
    before = Path("mine.wav").read_bytes()
    assert_one_error(run("demo", "mine.wav", "--keep", "mine.wav", "--json"), "written over mine.wav")
    assert Path("mine.wav").read_bytes() == before
    assert_one_error(run("demo", "mine.wav", "--keep", "call.wav/x.wav", "--json"), "cannot be written", "--keep")


# Settings


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("alerts.alert_lr=3", "there is no setting alerts.alert_lr (option --set)"),
        ("alarm.on=true", "there is no section [alarm]"),
        ("alerts.alert_llr=high", "alerts.alert_llr = 'high'"),
        ("alerts.close_llr=5", "close_llr <= suspicious_llr <= alert_llr"),
        ("alerts.alert_hold_ms=300", "there is no setting alerts.alert_hold_ms"),
        ("evidence.min_speech_s=2000", "less than or equal to 60"),
        ("alert_llr", "is not SECTION.KEY=VALUE"),
    ],
)
def test_settings_that_are_wrong(run: Run, assignment: str, message: str) -> None:
    assert_one_error(replay(run, "call.wav", "--set", assignment), message)


def test_a_settings_file_that_is_wrong(run: Run) -> None:
    Path("config.toml").write_text("[alerts]\nalert_level = 3\n")
    assert_one_error(replay(run), "there is no setting alerts.alert_level (config.toml)")
    assert_one_error(run("config"), "config.toml")
    assert_one_error(run("config", "--config", "none.toml"), "none.toml")


# Weights


def test_weights_that_are_not_there(run: Run) -> None:
    assert_one_error(run("replay", "call.wav", "--weights", "none.safetensors"), "no weights file", "--weights")


def test_weights_that_are_no_weights(run: Run) -> None:
    for path in ("call.wav", "."):
        assert_one_error(run("replay", "call.wav", "--weights", path), path)


def test_weights_of_another_version(run: Run) -> None:
    whole = Path("w.safetensors").read_bytes()
    Path("w.safetensors").write_bytes(whole.replace(f'"version":"{VERSION}"'.encode(), b'"version":"9"'))
    assert_one_error(replay(run), "format version 9", f"version {VERSION}")


@pytest.mark.parametrize("place", ["length", "configuration", "training", "first tensor", "last tensor"])
def test_weights_with_a_flipped_bit(run: Run, place: str) -> None:
    whole = bytearray(Path("w.safetensors").read_bytes())
    header = 8 + int.from_bytes(whole[:8], "little")
    at = {
        "length": 0,
        "configuration": whole.index(b"n_filters"),
        "training": whole.index(b"made by hand"),
        "first tensor": header + 1,
        "last tensor": len(whole) - 1,
    }[place]
    whole[at] ^= 1
    Path("w.safetensors").write_bytes(whole)
    assert_one_error(replay(run), "w.safetensors")


def test_a_device_that_this_machine_does_not_have(run: Run) -> None:
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    assert_one_error(replay(run, "call.wav", "--set", f"model.device={absent}"), f"no {absent} device", "auto")


# What is written


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/journal", "No such file or directory"),
        (".", "directory"),
        ("call.wav", "holds something else"),
        ("call.wav/journal", "Not a directory"),
    ],
)
def test_a_journal_that_cannot_be_written(run: Run, path: str, message: str) -> None:
    before = Path("call.wav").read_bytes()
    assert_one_error(replay(run, "call.wav", "--journal", path), f"journal {path}: ", message)
    assert Path("call.wav").read_bytes() == before


def test_a_picture_that_cannot_be_written(run: Run) -> None:
    for path in ("nowhere/x.svg", "."):
        assert_one_error(replay(run, "call.wav", "--svg", path), "picture", "directory")


def test_among_good_files_a_bad_one_is_named_and_the_others_are_scored(run: Run) -> None:
    write_wav(Path("turn.wav"), turning_call(3, 3, 0))
    Path("text.wav").write_text("no recording" * 100)
    ran = run(
        "score",
        "turn.wav",
        "text.wav",
        "none.wav",
        "call.wav",
        "--json",
        "--weights",
        "w.safetensors",
        *settings(*QUICK),
    )
    assert ran.status == 2
    assert [line["path"] for line in events_of(ran.out)] == ["turn.wav", "call.wav"]
    assert sorted(line[:20] for line in ran.err.splitlines() if line.startswith("error: ")) == [
        "error: text.wav is n",
        "error: there is no f",
    ]


# Sound systems, each in a process of its own: PortAudio looks at its surroundings once


@pytest.mark.realtime
@pytest.mark.parametrize("words", [("--device", "mic"), ("devices",)])
def test_without_portaudio(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDE_PORTAUDIO)
    ran = run_monitor(*words, cwd=tmp_path, env=environment(PYTHONPATH=str(tmp_path)))
    assert_one_error(ran, "PortAudio is needed", "install PortAudio")


@pytest.mark.realtime
def test_no_such_device(tmp_path: Path) -> None:
    ran = run_monitor("--device", "no such microphone", cwd=tmp_path, env=environment(PULSE_SERVER="none"))
    assert_one_error(ran, "there is no audio input")


@pytest.mark.realtime
def test_a_bad_recording_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no recording" * 100)
    assert_one_error(run_monitor("replay", "text.wav", "--json", cwd=tmp_path), "text.wav is not audio")
