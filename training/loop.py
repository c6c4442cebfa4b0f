"""The loop of every training: steps, looks at the dev split, checkpoints, history."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

Say = Callable[[str], None]


class Learner(Protocol):
    """What a loop asks of a training. done: steps. spent: seconds. history: a row a look at the dev split."""

    done: int
    spent: float
    history: list[dict[str, Any]]

    def step(self) -> Mapping[str, Tensor]:
        """One step of the optimiser; returns the loss and its parts."""

    def part(self) -> float:
        """How far the training is, 0 to 1."""

    def finished(self) -> bool: ...

    def validated(self) -> Mapping[str, float]:
        """Figures of the dev split."""

    def save(self, path: Path) -> None: ...


def run_loop(learner: Learner, validate_every: int, out: Path, say: Say) -> None:
    """Train until the learner has finished; writes out/checkpoint.pt and history.json at each look."""
    sums: dict[str, float] = {}
    since, started = time.monotonic(), 0
    while not learner.finished():
        parts = learner.step()
        learner.spent += time.monotonic() - since
        since = time.monotonic()
        started += 1
        if started % 10 == 1:
            sums = {k: sums.get(k, float(v)) * 0.9 + float(v) * 0.1 for k, v in parts.items()}
        if learner.done % validate_every == 0 or learner.finished():
            figures = learner.validated()
            learner.history.append({"step": learner.done, "spent_s": round(learner.spent, 1)} | sums | dict(figures))
            say(_progress(learner))
            learner.save(out / "checkpoint.pt")
            (out / "history.json").write_text(json.dumps(learner.history, indent=1))


def _progress(learner: Learner) -> str:
    last = learner.history[-1]
    part = learner.part()
    left = learner.spent / max(part, 1e-6) * (1 - part) / 60.0
    figures = "  ".join(f"{k} {v:.3f}" for k, v in last.items() if k not in ("step", "spent_s"))
    return f"step {learner.done}  {learner.spent / 60:.1f} min, {max(left, 0):.1f} min left  {figures}"
