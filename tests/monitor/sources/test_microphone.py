"""Live capture through the real PortAudio and PulseAudio: what is heard, and what is said when things go wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import virtual_mic
from capturing import Capturing, jumps, write_noise
from virtual_mic import Players

from model.resample import resample_all
from monitor.types import SAMPLE_RATE

pytestmark = [pytest.mark.microphone, pytest.mark.realtime]


@pytest.fixture
def noise(tmp_path: Path) -> Callable[[int, float], tuple[Path, Any]]:
    """A wav file of noise, and its samples: float32 (n,)."""

    def make(rate: int, seconds: float) -> tuple[Path, Any]:
        path = tmp_path / f"noise{rate}.wav"
        return path, write_noise(path, rate, seconds)

    return make


@pytest.fixture
def playing(microphones: virtual_mic.VirtualMicrophones, noise: Any) -> Iterator[Callable[[str], None]]:
    """Plays noise into a microphone until the test is over."""
    with Players(microphones) as players:
        yield lambda name: players.play(name, noise(virtual_mic.RATES[name], 60.0)[0])


@pytest.mark.parametrize("device", ["mic1", "default"])
def test_a_16_khz_capture_is_what_was_played(microphones, noise, tmp_path, device):
    path, played = noise(16_000, 1.0)
    with Capturing(microphones, device, tmp_path) as capturing:
        heard = capturing.hear(lambda: microphones.play("mic1", path))
    assert heard.shape[0] == 1
    assert np.array_equal(np.trim_zeros(heard[0]), played)
    assert capturing.lines[0]["channels"] == ["mic"]
    assert jumps(capturing.chunks()) == []


def test_a_48_khz_capture_is_resampled_like_a_file(microphones, noise, tmp_path):
    path, played = noise(48_000, 1.0)
    with Capturing(microphones, "MIC4", tmp_path) as capturing:
        heard = capturing.hear(lambda: microphones.play("mic48", path))[0]
    first = np.flatnonzero(heard)[0]
    # Which of three samples the capture began with is chance.
    expected = [resample_all(np.concatenate([np.zeros(3000 + k, np.float32), played]), 48_000) for k in range(3)]
    begun = [e[np.flatnonzero(e)[0] :][: played.size // 3 - 200] for e in expected]
    assert any(np.array_equal(heard[first : first + b.size], b) for b in begun)


def test_an_unplugged_device_is_heard_again_when_it_is_back(microphones, playing, tmp_path):
    playing("mic2")
    with Capturing(microphones, "mic2", tmp_path) as capturing:
        capturing.loud()
        before = len(capturing.chunks())
        microphones.unplug("mic2")
        dead = capturing.condition("zeros", "moved", "stalled")
        lost = capturing.condition("device lost", after=dead - 1)
        microphones.plug("mic2")
        back = capturing.condition("recovered", after=lost)
        capturing.loud(after=back)
        capturing.stop()
    assert before
    faults = [line for line in capturing.lines if "code" in line]
    assert [f["usable"] for f in faults[:-1]] == [False] * (len(faults) - 1)
    assert faults[-1]["usable"]
    assert max(jumps(capturing.chunks())) > 0


def test_a_suspended_device_stalls_and_its_time_is_lost(microphones, playing, tmp_path):
    playing("mic1")
    with Capturing(microphones, "mic1", tmp_path) as capturing:
        capturing.loud()
        microphones.suspend("mic1", True)
        begun = time.monotonic()
        stalled = capturing.condition("stalled")
        microphones.suspend("mic1", False)
        suspended_s = time.monotonic() - begun
        back = capturing.condition("recovered", after=stalled)
        capturing.loud(after=back)
        capturing.stop()
    assert not capturing.lines[stalled - 1]["usable"]
    assert capturing.lines[back - 1]["usable"]
    lost_s = sum(jumps(capturing.chunks())) / SAMPLE_RATE
    assert suspended_s - 0.3 < lost_s < suspended_s + 1.0


def test_a_frozen_server_bursts_and_nothing_is_lost(microphones, playing, tmp_path):
    playing("mic1")
    with Capturing(microphones, "mic1", tmp_path) as capturing:
        capturing.loud()
        microphones.freeze()
        try:
            stalled = capturing.condition("stalled")
            time.sleep(0.5)
        finally:
            microphones.thaw()
        back = capturing.condition("recovered", after=stalled)
        capturing.loud(after=back)
        capturing.stop()
    assert jumps(capturing.chunks()) == []
    ages = [line["age"] for line in capturing.chunks()]
    assert max(ages) < 1.5, "held audio is older than the burst that brought it"


def test_a_close_while_the_server_is_frozen_does_not_hang(microphones, tmp_path):
    with Capturing(microphones, "mic1", tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        microphones.freeze()
        try:
            capturing.condition("stalled")
            capturing.stop()
        finally:
            microphones.thaw()
    closing = next(line["closing"] for line in capturing.lines if "closing" in line)
    ended = next(line["ended"] for line in capturing.lines if "ended" in line)
    assert ended - closing < 2.0


def test_a_killed_server_is_found_again(microphones, playing, tmp_path):
    playing("mic1")
    with Capturing(microphones, "mic1", tmp_path) as capturing:
        capturing.loud()
        microphones.stop()
        lost = capturing.condition("device lost")
        time.sleep(0.5)
        microphones.start()
        playing("mic1")
        back = capturing.condition("recovered", after=lost)
        capturing.loud(after=back)
        capturing.stop()
    assert not capturing.lines[lost - 1]["usable"]
    assert sum(jumps(capturing.chunks())) > SAMPLE_RATE // 4


def test_without_sound_the_input_is_reported_dead(microphones, tmp_path):
    with Capturing(microphones, "mic2", tmp_path) as capturing:
        dead = capturing.condition("zeros")
        capturing.stop()
    assert not capturing.lines[dead - 1]["usable"]
    assert "macOS" in capturing.lines[dead - 1]["detail"]


@pytest.mark.parametrize(("device", "message"), [("nothing", "no audio input"), ("mi", "several"), ("99", "no audio")])
def test_a_wrong_name_lists_the_devices(microphones, tmp_path, device, message):
    with Capturing(microphones, device, tmp_path) as capturing:
        error = capturing.lines[capturing.wait(lambda line: "error" in line) - 1]
    assert message in error["error"]
    assert "mic1" in error["error"] + error["hint"]
    assert "mic48" in error["error"] + error["hint"]
