"""What the end-to-end tests share: weights whose verdict is known, calls to be judged, and the program as a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from model.checkpoint import save_detector
from model.config import FAMILIES, SAMPLE_RATE, DetectorConfig, FeatureConfig, NetworkConfig
from model.export.step import export_weights, network_graph
from model.stream import Detector
from monitor.cli.main import run_cli
from monitor.scoring.onnx_network import OnnxNetworks
from monitor.scoring.onnx_scorer import OnnxScorer

Audio = NDArray[np.float32]
Says = Literal["synthetic", "genuine", "hiss"]

MONITOR = str(Path(sys.executable).with_name("monitor"))
LIMIT_S = 90.0
LOGIT = 6.0
"""Size of the evidence in a block, whichever side it is on."""


def make_detector(says: Says = "hiss", hears_speech: bool = True) -> Detector:
    """An untrained detector with a verdict that is known: always the same, or synthetic where there is hiss.

    hears_speech: False makes its speech head take everything for noise.
    """
    torch.manual_seed(0)
    config = DetectorConfig(network=NetworkConfig(kind="lstm", embedding=1, hidden=1, dropout=0.0))
    detector = Detector(config)
    network = detector.network
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.speech.bias.fill_(5.0 if hears_speech else -5.0)
        network.spoof.bias.fill_({"synthetic": LOGIT, "genuine": -LOGIT, "hiss": 0.0}[says])
        network.family.bias[FAMILIES.index("gan-vocoder")] = 3.0
        if says == "hiss":
            _listen_for_hiss(detector, config.features)
    return detector


def _listen_for_hiss(detector: Detector, features: FeatureConfig) -> None:
    """Level above 6 kHz less that below 2 kHz, through gates that stand open for this block and forget the last one."""
    network, quarter = detector.network, features.n_filters // 4
    project = network.frontend.project[0]
    contrast = torch.zeros(2, features.n_filters)
    contrast[:, -quarter:] = 0.5 / quarter
    contrast[:, :quarter] = -0.5 / quarter
    project.weight.copy_(contrast.reshape(1, -1))
    project.bias.fill_(7.0)
    lstm = network.recurrent.lstm
    lstm.weight_ih_l0.copy_(torch.tensor([[0.0], [0.0], [1.0], [0.0]]))
    lstm.bias_ih_l0.copy_(torch.tensor([20.0, -20.0, -1.6, 20.0]))
    network.spoof.weight.fill_(LOGIT / 0.73)


def make_weights(path: Path, says: Says = "hiss", hears_speech: bool = True) -> Path:
    """A weights file of make_detector(), with its networks for the CPU's runtime beside it."""
    save_detector(make_detector(says, hears_speech), path, {"data": "none: made by hand for tests"})
    export_weights(path)
    return path


def make_scorer(detector: Detector, rows: int, *, recorded: bool = False) -> OnnxScorer:
    """The scorer of a CPU, of a detector as it is. recorded: the one for recordings, not for live calls."""
    single, segments = (network_graph(detector, single=single) for single in (True, False))
    return OnnxScorer(OnnxNetworks(single, segments, "a test's network"), rows, recorded=recorded)


def needs(package: str) -> pytest.MarkDecorator:
    """Skip where a package is not installed; unlike importorskip without loading it, which each worker would do."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


def voice(seconds: float, hiss: bool = False, seed: int = 1) -> Audio:
    """Bursts of buzz up to 3 kHz, like syllables, that pass the gate; with or without hiss: float32 (n,) at 16 kHz."""
    return _voice(seconds, hiss, seed).copy()


@cache
def _voice(seconds: float, hiss: bool, seed: int) -> Audio:
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * (120 * t + 6 * np.sin(2 * np.pi * 0.7 * t + seed))
    buzz = sum(np.sin(k * phase) / k for k in range(1, 20))
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * t + seed)
    noise = random.standard_normal(t.size) * (0.03 if hiss else 1e-6)
    return np.asarray(envelope * 0.15 * buzz + noise, dtype=np.float32)


def turning_call(genuine_s: float = 5.0, synthetic_s: float = 6.0, after_s: float = 8.0) -> Audio:
    """A voice that turns synthetic for a while, to the ears of make_detector("hiss")."""
    return np.concatenate([voice(genuine_s), voice(synthetic_s, hiss=True, seed=2), voice(after_s, seed=3)])


QUICK = ("evidence.memory_s=1.5", "alerts.close_hold_s=1", "alerts.update_every_s=1")
"""Settings under which an alert opens and closes within seconds."""


def settings(*assignments: str) -> list[str]:
    """--set for each of them."""
    return [word for text in assignments for word in ("--set", text)]


def write_wav(path: Path, samples: NDArray[Any], rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> Path:
    """samples: (n,) or (n, channels)."""
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def environment(**more: str) -> dict[str, str]:
    """That of this process without what would change the program's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
    return clean | {"COLUMNS": "120", "OMP_NUM_THREADS": "1"} | more


def run_monitor(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, limit_s: float = LIMIT_S
) -> subprocess.CompletedProcess[str]:
    """Run `monitor` to its end."""
    return subprocess.run(
        [MONITOR, *map(str, words)],
        cwd=cwd,
        env=env or environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=limit_s,
        check=False,
    )


class Running:
    """A program that was started, its lines on standard output as they come, and how it ends."""

    def __init__(self, command: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._errors = cwd / f"stderr-{time.monotonic_ns()}"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=cwd,
                env=env or environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()

    def wait_for(self, found: Callable[[str], bool], limit_s: float = LIMIT_S) -> str:
        """The first line that is looked for; fails where it does not come in time."""
        until = time.monotonic() + limit_s
        with self._changed:
            while True:
                for line in self.lines:
                    if found(line):
                        return line
                left = until - time.monotonic()
                assert left > 0, f"not said within {limit_s:g} s; said: {self.lines[-3:]}; {self.stderr}"
                assert self._reader.is_alive(), f"ended without it; said: {self.lines[-3:]}; {self.stderr}"
                self._changed.wait(min(left, 0.2))

    def end(self, number: int | None = None, limit_s: float = LIMIT_S) -> int:
        """Send a signal, if any, and wait for the exit status."""
        if number is not None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(limit_s)
        finally:
            self.kill()
        self._reader.join(5.0)
        return status

    @property
    def stderr(self) -> str:
        return self._errors.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines as JSON."""
        return [json.loads(line) for line in self.lines]

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def start_monitor(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Running:
    """Start `monitor`; use it as a context manager, which kills it if need be."""
    return Running([MONITOR, *words], cwd, env)


def events_of(text: str) -> list[dict[str, Any]]:
    """JSON lines as objects."""
    return [json.loads(line) for line in text.splitlines()]


def journaled(path: Path) -> str:
    """The events in a journal as they stand on standard output: without what seals its lines."""
    return unsealed(path.read_text())


def unsealed(text: str) -> str:
    """Lines of a journal without their seals; other lines as they are."""
    return re.sub(r'(,"after":"\w{64}")?,"crc":"\w{8}","chain":"\w{64}"\}(?=\n)', "}", text)


def timeless(text: str) -> list[str]:
    """Events as JSON lines without the fields that depend on the clock, seals among them, otherwise byte for byte."""
    clock = re.compile(r'"epoch":"[^"]*","time":"[^"]*",')
    lines = unsealed(text).splitlines()
    assert all(len(clock.findall(line)) == 1 for line in lines)
    return [clock.sub("", line) for line in lines]


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


def run_here(capture: pytest.CaptureFixture[str], *words: str | Path) -> Ran:
    """Run a command in this process, with capfd: as run_monitor(), without the seconds that torch takes to load."""
    capture.readouterr()
    status = run_cli([str(word) for word in words])
    out, err = capture.readouterr()
    return Ran(status, out, err)


def assert_one_error(ran: Ran | subprocess.CompletedProcess[str], *expected: str) -> None:
    """Exit status 2, nothing on standard output, one line that says what is wrong and one that says what to do."""
    if isinstance(ran, subprocess.CompletedProcess):
        ran = Ran(ran.returncode, ran.stdout, ran.stderr)
    assert ran.status == 2, ran
    assert ran.out == "", ran
    lines = ran.err.splitlines()
    assert len(lines) == 2, ran.err
    assert lines[0].startswith("error: "), ran.err
    assert lines[1].startswith("  "), ran.err
    assert len(lines[1]) > 8, ran.err
    for text in expected:
        assert text in ran.err
