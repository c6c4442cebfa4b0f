"""The demonstration, with the weights that ship: the alert opens after the voice turned synthetic, and not before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.audio import Chunk
from monitor.errors import BadInputError
from monitor.session.demo_call import SHORTEST_S, find_prompts, make_call, record_voice
from monitor.sources.scripted import ScriptedSource
from monitor.types import SAMPLE_RATE, Condition

pytestmark = pytest.mark.slow


def _prompts_are_there() -> bool:
    try:
        return len(find_prompts()) > 10
    except BadInputError:
        return False


needs_prompts = pytest.mark.skipif(not _prompts_are_there(), reason="no recorded prompts (make test installs them)")


@needs_prompts
def test_the_alert_opens_after_the_switch_and_not_before(tmp_path: Path) -> None:
    turn = make_call(None, tmp_path / "call.wav")
    program = [sys.executable, "-m", "monitor", "replay", str(tmp_path / "call.wav")]
    run = subprocess.run(
        [*program, "--speed", "max", "--json", "--no-publish"], capture_output=True, text=True, timeout=200, check=True
    )
    events = [json.loads(line) for line in run.stdout.splitlines()]
    opened = [e["sample"] / SAMPLE_RATE for e in events if e["type"] == "alert.opened"]
    assert len(opened) == 1
    assert turn < opened[0] < turn + 12.0
    states = [e["state"] for e in events if e["type"] == "score" and e["sample"] < turn * SAMPLE_RATE]
    assert states[-1] in ("clear", "undecided")
    assert "alert" not in states


@needs_prompts
def test_the_call_has_two_halves_of_one_voice(tmp_path: Path) -> None:
    turn = make_call(None, tmp_path / "call.wav")
    info = soundfile.info(tmp_path / "call.wav")
    assert info.samplerate == SAMPLE_RATE
    assert 10 < turn < 40
    assert 10 < info.duration - turn < 40


def test_a_recording_of_ones_own_is_split_in_the_middle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    voice = 0.1 * rng.standard_normal(20 * 8000)
    soundfile.write(tmp_path / "mine.wav", voice, 8000)
    assert make_call(tmp_path / "mine.wav", tmp_path / "call.wav") == pytest.approx(10.0, abs=0.01)
    call, _ = soundfile.read(tmp_path / "call.wav")
    assert len(call) == pytest.approx(20 * SAMPLE_RATE, abs=2)


def test_a_short_recording_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.zeros(8000), 8000)
    with pytest.raises(BadInputError, match="too short"):
        make_call(tmp_path / "short.wav", tmp_path / "call.wav")


def speaking(seconds: float) -> list[Chunk]:
    """A noise on one of two channels, in chunks of 0.3 s."""
    sound = np.zeros((2, 4800), np.float32)
    sound[1] = 0.2 * np.random.default_rng(0).standard_normal(4800)
    return [Chunk(sound, i * 4800, 0.0) for i in range(round(seconds / 0.3))]


def test_a_voice_of_ones_own_is_recorded_where_there_are_no_prompts(tmp_path: Path) -> None:
    overflow = Condition("overflow", "10 samples", True)
    source = ScriptedSource([*speaking(3), overflow, *speaking(9)], ("left", "right"), live=True)
    recorded = record_voice(source, tmp_path / "new" / "voice.wav")
    voice, rate = soundfile.read(recorded)
    assert (len(voice), rate) == (SHORTEST_S * SAMPLE_RATE, SAMPLE_RATE)
    assert voice.std() == pytest.approx(0.1, rel=0.05)
    assert make_call(recorded, tmp_path / "call.wav") == pytest.approx(SHORTEST_S / 2)


def test_a_microphone_that_fails_is_no_voice(tmp_path: Path) -> None:
    lost = Condition("device lost", "the device is gone", False)
    for items, message in (([*speaking(3)], "ended 7.0 s early"), ([*speaking(3), lost], "the device is gone")):
        with pytest.raises(BadInputError, match=message):
            record_voice(ScriptedSource(items, ("left", "right"), live=True), tmp_path / "voice.wav")
    assert not list(tmp_path.iterdir())
