"""The version before, which the speed benchmarks compare with: a checkout of commit 185ee80, the last that scored with
torch alone.

`make bench` makes one in runs/before. Both versions score with its weights, on the same core, in turns, so that the
network is the same and a machine whose speed drifts slows both. The figures are processor time: other programs count
less in it.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.common import without_settings
from model.weights_file import DEFAULT_WEIGHTS

LIMIT_S = 3600.0
THIS, BEFORE = "this version", "185ee80"


def add_options(options: argparse.ArgumentParser, rounds: int = 3) -> None:
    """Add --against and --rounds."""
    options.add_argument("--against", type=Path, help="a checkout of 185ee80, the last that scored with torch alone")
    options.add_argument("--rounds", type=int, default=rounds, help="times that each version runs")


def checkouts(against: Path | None) -> dict[str, Path]:
    """Return the checkouts to time, by name: this one, and the one to compare with."""
    found = {THIS: Path.cwd()}
    if against:
        if not (against / "monitor").is_dir():
            sys.exit(f"error: {against} is no checkout of this project: make runs/before")
        found[BEFORE] = against.resolve()
    return found


def weights_of(given: argparse.Namespace) -> str:
    """Return the weights that all versions score with: those of --weights, else those of --against."""
    if given.against and given.weights == "default":
        return str((given.against / "model" / "weights" / DEFAULT_WEIGHTS.name).resolve())
    return str(given.weights)


def exported(weights: str, folder: Path) -> str:
    """Return a copy of a weights file in a folder, with its networks for onnxruntime beside it, as a release has
    them.
    """
    if weights == "default":
        return weights
    copy = folder / "weights.safetensors"
    shutil.copy(weights, copy)
    subprocess.run([sys.executable, "-m", "training", "export", str(copy)], stdout=subprocess.DEVNULL, check=True)
    return str(copy)


def run_python(words: Sequence[str], checkout: Path, folder: Path) -> None:
    """Run a Python process that imports a checkout. Its settings are the defaults, whatever the environment or this
    folder says.
    """
    environment = without_settings() | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT_S)


def processor_s(words: Sequence[str], checkout: Path, folder: Path) -> float:
    """Return the processor time in s of run_python(), from the start of the process to its exit."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_python(words, checkout, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def times_less(found: Mapping[str, Sequence[float]]) -> float | None:
    """Return how many times less this version takes: the median of the ratios of the rounds; None without the other."""
    if BEFORE not in found:
        return None
    return statistics.median(b / a for a, b in zip(found[THIS], found[BEFORE], strict=True))
