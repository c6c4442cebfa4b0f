"""The loop of every training: steps, validations, checkpoints, history, and when it is enough."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from training.corpora.work_progress import Log
from training.learn.curves import Row, RunLog
from training.learn.distributed import agreed, mean_of, processes


class ValidationSchedule(Protocol):
    """validate_every: steps between two validations. patience: validations without a better one that end the training,
    0 = never; the weights of the best one are kept then, else the last ones.
    """

    @property
    def validate_every(self) -> int: ...
    @property
    def patience(self) -> int: ...
    @property
    def tensorboard(self) -> bool: ...


class Learner(Protocol):
    """The steps of a training that the loop calls. done: steps. spent: seconds. history: a row for each validation."""

    done: int
    spent: float
    history: list[dict[str, Any]]

    def step(self) -> dict[str, Tensor]:
        """Make one step of the optimiser; return the loss and its parts."""

    def part(self) -> float:
        """Return how far the training is, 0 to 1."""

    def finished(self) -> bool: ...

    def validated(self) -> Mapping[str, float]:
        """Return the figures of the dev split."""

    def keep(self) -> None:
        """Put the weights as they are aside."""

    def restore(self) -> None:
        """Take the weights that were put aside."""

    def save(self, path: Path) -> None: ...


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Write the state of a training, whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(dict(state), partial)
    partial.replace(path)


def watched(row: Row) -> float:
    """Return what early stopping goes by, the higher the better: area under the curve, mean over the parts of the dev
    split. It moves less from one validation to the next than the error rate does.
    """
    return float(np.mean([value for name, value in row.items() if name.endswith("_auc")]))


def best_validation(history: Sequence[Row]) -> int:
    """Return the number of the first validation that no later one is better than; -1 without any."""
    return int(np.argmax([watched(row) for row in history])) if history else -1


def is_plateau(history: Sequence[Row], patience: int) -> bool:
    return bool(patience and history) and len(history) - 1 - best_validation(history) >= patience


def run_loop(learner: Learner, schedule: ValidationSchedule, out: Path, log: Log) -> Row | None:
    """Train until the learner has finished, or patience ends; writes out/checkpoint.pt, history.json and curves.png at
    each validation. Returns the row of the history of the weights that are kept; None in a process that is not the
    first of several. Raises ValueError.
    """
    sums: dict[str, float] = {}
    since, started = time.monotonic(), 0
    first = processes().first
    enough = is_plateau(learner.history, schedule.patience)
    with RunLog(out, tensorboard=schedule.tensorboard and first, done=learner.done) as run_log:
        while not learner.finished() and not enough:
            parts = learner.step()
            learner.spent = agreed(learner.spent + time.monotonic() - since)
            since = time.monotonic()
            started += 1
            if started % 10 == 1:
                sums = {k: sums.get(k, float(v)) * 0.9 + float(v) * 0.1 for k, v in mean_of(parts).items()}
            if learner.done % schedule.validate_every == 0 or learner.finished():
                if first:
                    times = {"step": learner.done, "spent_s": round(learner.spent, 1)}
                    learner.history.append(times | sums | dict(learner.validated()))
                    log(_progress(learner))
                if agreed(bool(schedule.patience) and best_validation(learner.history) == len(learner.history) - 1):
                    learner.keep()
                if first:
                    learner.save(out / "checkpoint.pt")
                    run_log.write(learner.history)
                enough = bool(agreed(is_plateau(learner.history, schedule.patience)))
    if schedule.patience:
        learner.restore()
    return _chosen(learner, schedule.patience, log) if first else None


def _chosen(learner: Learner, patience: int, log: Log) -> Row:
    """Return the row of the weights that are kept."""
    if not patience:
        return learner.history[-1]
    best = learner.history[best_validation(learner.history)]
    if is_plateau(learner.history, patience):
        log(f"stopped at step {learner.done}: nothing better in {patience} validations")
    log(f"keeps the weights of step {best['step']}")
    return best


def _progress(learner: Learner) -> str:
    last = learner.history[-1]
    part = learner.part()
    left = learner.spent / max(part, 1e-6) * (1 - part) / 60.0
    hidden = ("step", "spent_s"), ("_loss", "_accuracy")
    shown = {k: v for k, v in last.items() if k not in hidden[0] and not k.endswith(hidden[1])}
    figures = "  ".join(f"{k} {v:.3f}" for k, v in shown.items())
    return f"step {learner.done}  {learner.spent / 60:.1f} min, {max(left, 0):.1f} min left  {figures}"
