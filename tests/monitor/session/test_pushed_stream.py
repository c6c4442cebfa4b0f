"""The Python API: what is pushed is scored as a recording is, however it is cut."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import QUICK, events_of, make_weights, run_here, settings, turning_call, voice, write_wav

import monitor
from monitor.audio import Audio
from monitor.config.load import parse_assignment

SETTINGS = dict(parse_assignment(text) for text in QUICK)
RATE = 16_000


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("weights") / "w.safetensors")


@pytest.fixture
def opened(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., monitor.Stream]:
    monkeypatch.chdir(tmp_path)
    return lambda *values, **named: monitor.open_stream(*values, weights=weights, settings=SETTINGS, **named)


def _quantised(samples: Audio) -> Audio:
    """As a 16-bit file holds it."""
    return (np.round(samples * 32_767).astype(np.int16) / np.float32(32_768)).astype(np.float32)


def _heard(stream: monitor.Stream, samples: Audio, sizes: list[int]) -> list[tuple[Any, ...]]:
    """The events of samples (channels, n) pushed in pieces of these sizes, in turn; without their wall-clock fields."""
    events, at, turn = [], 0, 0
    while at < samples.shape[1]:
        size = sizes[turn % len(sizes)]
        events += stream.push(samples[:, at : at + size])
        at, turn = at + size, turn + 1
    events += stream.finish()
    return [(e.seq, e.type, e.call, e.channel, e.sample, dict(e.data)) for e in events]


def test_importing_the_package_loads_nothing_and_every_name_is_there() -> None:
    program = """
import sys, monitor
heavy = [m for m in ("torch", "numpy", "pydantic", "zmq", "av", "typer") if m in sys.modules]
missing = [name for name in monitor.__all__ if getattr(monitor, name, None) is None]
assert sorted(monitor.__all__) == monitor.__all__
assert set(monitor.__all__) <= set(dir(monitor))
print(heavy, missing)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[] []"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = monitor.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_events_do_not_depend_on_how_the_audio_is_cut(opened: Callable[..., monitor.Stream], rate: int) -> None:
    from model.resample import resample_all

    call = resample_all(np.stack([turning_call(1.5, 3.0, 1.0), voice(5.5)]), RATE, rate)
    heard = [_heard(opened(rate, ("a", "b")), call, sizes) for sizes in ([10**9], [rate // 50], [1, 77, 4001])]
    assert heard[0] == heard[1] == heard[2]
    kinds = [event[1] for event in heard[0]]
    assert kinds[0] == "call.started"
    assert kinds[-1] == "call.ended"
    assert ("alert.opened" in kinds) == (rate > 8_000), "what the test's network listens for lies above 4 kHz"


def test_scores_equal_those_of_the_file_and_of_the_command(
    opened: Callable[..., monitor.Stream], weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    call = _quantised(np.stack([turning_call(), voice(19.0, hiss=True)]))
    write_wav(tmp_path / "call.wav", call.T)
    from_file = monitor.score_file("call.wav", weights=weights, settings=SETTINGS)
    printed = events_of(run_here(capfd, "score", "call.wav", "--json", "--weights", weights, *settings(*QUICK)).out)
    with opened(RATE, 2) as stream:
        _heard(stream, call, [320])
        pushed = stream.scores()
    for file, line, push in zip(from_file, printed, pushed, strict=True):
        assert (file.channel, file.state, file.net_speech_s) == (push.channel, push.state, push.net_speech_s)
        assert (file.llr, file.p_fake) == (pytest.approx(push.llr, abs=2e-5), pytest.approx(push.p_fake, abs=2e-6))
        assert file.segments == push.segments
        assert line == {
            "path": "call.wav",
            "channel": file.channel,
            "p_fake": file.p_fake,
            "llr": file.llr,
            "net_speech_s": file.net_speech_s,
            "state": file.state,
            "families": dict(file.families),
            "duration_s": file.duration_s,
            "provenance": [],
        }
    assert [s.state for s in pushed] == ["alert", "alert"]


def test_segments_follow_each_other_and_say_when_the_voice_was_synthetic(weights: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "call.wav", turning_call(5.0, 6.0, 8.0))
    (score,) = monitor.score_file(tmp_path / "call.wav", weights=weights, settings=SETTINGS)
    assert score.segments[0].start_s == 0.0
    assert score.segments[-1].end_s == score.duration_s == 19.0
    assert all(a.end_s == b.start_s for a, b in zip(score.segments, score.segments[1:], strict=False))
    (alert,) = [s for s in score.segments if s.state == monitor.State.ALERT]
    assert 5.0 < alert.start_s < 9.0
    assert 11.0 < alert.end_s < 16.0


def test_files_are_scored_side_by_side_and_a_bad_one_is_named(weights: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(4.0))
    found = {s.path.name: s for s in monitor.score_files([tmp_path / "a.wav", tmp_path / "b.wav"], weights=weights)}
    assert isinstance(found["b.wav"].error, monitor.BadInputError)
    assert found["b.wav"].channels == ()
    assert found["a.wav"].channels[0].state == monitor.State.CLEAR
    with pytest.raises(monitor.BadInputError, match=r"b\.wav"):
        monitor.score_file(tmp_path / "b.wav", weights=weights)
    with pytest.raises(monitor.ConfigError, match="alert_lr"):
        monitor.score_file(tmp_path / "a.wav", settings={"alerts.alert_lr": 3})


def test_frames_may_be_bytes_or_whole_numbers(opened: Callable[..., monitor.Stream]) -> None:
    call = np.round(turning_call(2.0, 3.0, 0.0) * 32_767).astype(np.int16)
    streams = [opened() for _ in range(4)]
    frames = [call, call.tobytes(), memoryview(call.tobytes()), call[None].astype(np.float64) / 32_768]
    heard = [[(e.type, e.sample, dict(e.data)) for e in s.push(f)] for s, f in zip(streams, frames, strict=True)]
    assert heard[0] == heard[1] == heard[2] == heard[3]
    assert len(heard[0]) > 50


def test_lost_audio_is_no_evidence_and_moves_the_clock(opened: Callable[..., monitor.Stream]) -> None:
    stream = opened(8_000)
    stream.push(np.zeros(8_000, np.float32))
    stream.skip(4_000)
    stream.push(np.zeros(8_000, np.float32))
    ended = stream.finish()[-1]
    assert ended.type == "call.ended"
    assert ended.data["duration_s"] == 2.5
    assert ended.data["lost_s"] == 0.5
    assert stream.scores()[0].net_speech_s == 0.0
    assert stream.scores()[0].state == monitor.State.UNKNOWN


def test_what_cannot_be_is_one_error(opened: Callable[..., monitor.Stream]) -> None:
    with pytest.raises(monitor.BadInputError, match="sample rate of 100 Hz"):
        opened(100)
    with pytest.raises(monitor.BadInputError, match="channels a, a"):
        opened(RATE, ("a", "a"))
    stream = opened(RATE, 2)
    for frame, says in [
        (np.zeros(100, np.float32), "shape"),
        (np.zeros((3, 100), np.float32), "shape"),
        (np.zeros((2, 100), np.int32), "int32"),
        (b"abc", "3 bytes"),
    ]:
        with pytest.raises(monitor.BadInputError, match=says):
            stream.push(frame)
    stream.close()
    assert stream.finish() == []
    with pytest.raises(monitor.BadInputError, match="has ended"):
        stream.push(np.zeros((2, 100), np.float32))
