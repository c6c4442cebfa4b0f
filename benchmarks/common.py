"""Shared parts of the speed benchmarks: a voice, a pinned core, a table, a results file that names the machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from model.config import SAMPLE_RATE
from monitor.audio import Audio
from monitor.config.schema import Config, ModelSection
from monitor.scoring.opening import open_scorer
from monitor.scoring.scorer import Scorer, StatefulScorer

RESULTS = Path("benchmarks/results")


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Make a parser with the options that every benchmark has."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    made.add_argument("--weights", default="default", help="weights file")
    made.add_argument("--out", type=Path, default=RESULTS / f"{name}.json", help="where the figures go")
    return made


def configuration(weights: str, **sections: Any) -> Config:
    """Return the default settings with these weights and these sections."""
    return Config(model=ModelSection(weights=weights, device="cpu"), **sections)


def without_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment for a monitor whose settings are the defaults."""
    return {name: value for name, value in environment.items() if not name.startswith("MONITOR_")}


def scorer_of(config: Config, rows: int = 1) -> StatefulScorer:
    """Open the scorer that the settings name. Raises WeightsError."""
    return open_scorer(config.model, rows)


def cores() -> list[int]:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin(expected: Sequence[int]) -> None:
    """Pin this process and those it starts to these cores; no effect where the system cannot."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, expected)


def machine(scorer: Scorer) -> dict[str, Any]:
    """Return what the figures depend on: machine, versions, weights."""
    return platform_of() | {
        "onnxruntime": version("onnxruntime"),
        "load_average": round(os.getloadavg()[0], 2),
        "weights_sha256": scorer.weights_hash,
        "parameters": scorer.parameters,
    }


def platform_of() -> dict[str, Any]:
    """Return the machine and the versions that all figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def voice(seconds: float, seed: int = 0) -> Audio:
    """Return a gliding buzz with formants, syllables and pauses in a faint room: float32 (n,) that passes the gate."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    f0 = rng.uniform(90, 220)
    phase = 2 * np.pi * f0 * (t + 0.02 * np.sin(2 * np.pi * 0.6 * t + seed))
    formants = 500 + 200 * np.sin(2 * np.pi * 2.1 * t), 1500 + 500 * np.sin(2 * np.pi * 1.1 * t)
    x = np.zeros_like(t)
    for k in range(1, 30):
        x += np.sin(k * phase) * sum(1 / (1 + ((k * f0 - f) / 120) ** 2) for f in formants)
    syllables = np.clip(np.sin(2 * np.pi * 3.0 * t) + 0.6, 0, 1) * (np.sin(2 * np.pi * 0.2 * t + seed) > -0.7)
    room = rng.standard_normal(t.size)
    return np.asarray(0.1 * x / np.abs(x).max() * syllables + 2e-4 * room, dtype=np.float32)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return columns of text, the first to the left and the others to the right."""
    cells = [[str(c) for c in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        lines.append(
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        )
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def log(text: str) -> None:
    """Write progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def warn_if_busy() -> None:
    """Warn that other programs run: the figures are then worse than the program is."""
    if (load := os.getloadavg()[0]) > 0.7:
        log(f"note: other programs are running (load {load:.1f}); the figures are worse than the program is")


def write(path: Path, figures: dict[str, Any]) -> None:
    """Write figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    log(f"written to {path}")
