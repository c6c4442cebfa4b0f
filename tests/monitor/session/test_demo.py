"""The demonstration, with the weights that ship: the alert opens after the voice turned synthetic, and not before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.errors import BadInputError
from monitor.session.demo import find_prompts, make_call
from monitor.types import SAMPLE_RATE

pytestmark = pytest.mark.realtime


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
    assert states[-1] == "clear"
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
