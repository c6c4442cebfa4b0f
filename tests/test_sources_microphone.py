"""Live capture through the real PortAudio and PulseAudio: what is heard, and what is said when things go wrong."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from virtual_mic import RATES, VirtualMicrophones

from model.resample import resample_all
from monitor.types import SAMPLE_RATE

pytestmark = pytest.mark.microphone

ROOT = Path(__file__).parent.parent
Line = dict[str, Any]


class Capturing:
    """capture_microphone.py in a process of its own, and the lines that it printed so far."""

    def __init__(self, microphones: VirtualMicrophones, device: str, folder: Path) -> None:
        self.lines: list[Line] = []
        self._out = folder / "captured.npy"
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "capture_microphone.py"), device, str(self._out)],
            env=microphones.env | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Capturing:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._reader.join(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            with self._changed:
                self.lines.append(json.loads(text))
                self._changed.notify_all()

    def wait(self, wanted: Callable[[Line], bool], after: int = 0) -> int:
        """Index behind the first line from `after` on that is wanted."""

        def found() -> int:
            return next((i + 1 for i, line in enumerate(self.lines) if i >= after and wanted(line)), 0)

        with self._changed:
            assert self._changed.wait_for(found, timeout=20), [line for line in self.lines if "start" not in line]
            return found()

    def condition(self, *codes: str, after: int = 0) -> int:
        return self.wait(lambda line: line.get("code") in codes, after)

    def loud(self, after: int = 0) -> int:
        return self.wait(lambda line: bool(line.get("loud")), after)

    def stop(self) -> Any:
        """Close the source; float32 (channels, n), all it gave."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write("\n")
        stdin.flush()
        self.wait(lambda line: "ended" in line)
        assert self._process.wait(10) == 0
        return np.load(self._out)

    def chunks(self) -> list[Line]:
        return [line for line in self.lines if "start" in line]


def jumps(chunks: list[Line]) -> list[int]:
    """Samples lost between chunks, where some were."""
    gaps = (b["start"] - a["start"] - a["n"] for a, b in itertools.pairwise(chunks))
    return [gap for gap in gaps if gap]


@pytest.fixture
def noise(tmp_path: Path) -> Callable[[int, float], tuple[Path, Any]]:
    """A wav file of noise, and its samples: float32 (n,)."""

    def make(rate: int, seconds: float) -> tuple[Path, Any]:
        samples = np.random.default_rng(7).integers(1, 9000, round(rate * seconds)).astype(np.int16)
        path = tmp_path / f"noise{rate}.wav"
        sf.write(path, samples, rate)
        return path, samples.astype(np.float32) / 32768

    return make


@pytest.fixture
def playing(microphones: VirtualMicrophones, noise: Any) -> Iterator[Callable[[str], None]]:
    """Plays noise into a microphone until the test is over."""
    players = []

    def play(name: str) -> None:
        players.append(microphones.play(name, noise(RATES[name], 60.0)[0]))

    yield play
    for player in players:
        player.kill()
        player.wait()


@pytest.mark.parametrize("device", ["mic1", "default"])
def test_a_16_khz_capture_is_what_was_played(microphones, noise, tmp_path, device):
    path, played = noise(16_000, 1.0)
    with Capturing(microphones, device, tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        microphones.play("mic1", path).wait(20)
        capturing.wait(lambda line: "start" in line and not line["loud"], after=capturing.loud())
        heard = capturing.stop()
    assert heard.shape[0] == 1
    first = np.flatnonzero(heard[0])[0]
    assert np.array_equal(heard[0][first : first + played.size], played)
    assert capturing.lines[0]["channels"] == ["mic"]
    assert jumps(capturing.chunks()) == []


def test_a_48_khz_capture_is_resampled_like_a_file(microphones, noise, tmp_path):
    path, played = noise(48_000, 1.0)
    with Capturing(microphones, "MIC4", tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        microphones.play("mic48", path).wait(20)
        capturing.wait(lambda line: "start" in line and not line["loud"], after=capturing.loud())
        heard = capturing.stop()[0]
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
