"""An input captured in a process of its own, what it said so far, and noise to be captured."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile as sf

ROOT = Path(__file__).parent.parent
Line = dict[str, Any]


class Sound(Protocol):
    """A sound server of the test's own: what programs need to find it."""

    env: dict[str, str]


class Capturing:
    """capture_microphone.py in a process of its own, and the lines that it printed so far."""

    def __init__(self, sound: Sound, device: str, folder: Path) -> None:
        self.lines: list[Line] = []
        self._out = folder / "captured.npy"
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "capture_microphone.py"), device, str(self._out)],
            env=sound.env | {"PYTHONPATH": str(ROOT)},
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

    def hear(self, play: Callable[[], subprocess.Popen[Any]]) -> Any:
        """Play something to its end, once audio comes, then close the source; as stop()."""
        self.wait(lambda line: "start" in line)
        play().wait(20)
        self.wait(lambda line: "start" in line and not line["loud"], after=self.loud())
        return self.stop()

    def children(self) -> list[int]:
        """Processes that it started and that have not been waited for."""
        pid = self._process.pid
        found = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
        return [int(child) for children in found for child in children]

    def kill(self) -> None:
        """End it as a crash does: nothing is closed."""
        self._process.kill()
        self._process.wait()

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


def write_noise(path: Path, rate: int, seconds: float) -> Any:
    """Write a wav file of noise without a single zero, behind 0.1 s of silence; samples of the noise: float32 (n,).

    The monitor of PulseAudio's null sink does not give the first milliseconds of a player, some 20 with the readers of
    VirtualMicrophones (findings/pulseaudio-monitor-start.sh).
    """
    samples = np.random.default_rng(7).integers(1, 9000, round(rate * seconds)).astype(np.int16)
    sf.write(path, np.concatenate([np.zeros(rate // 10, np.int16), samples]), rate)
    return samples.astype(np.float32) / 32768
