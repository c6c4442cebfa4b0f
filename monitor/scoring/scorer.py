"""The protocol of a scorer, which the pool runs and tests can replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.config import DetectorConfig

Ints = NDArray[np.int64]
Figures = NDArray[np.float32]
States = Mapping[str, NDArray[Any]]


class Scorer(Protocol):
    """Scores streams in rows 0 to rows - 1, all cold at first. What is said of a row does not depend on other rows."""

    rows: int
    config: DetectorConfig
    weights_hash: str
    device: str
    parameters: int

    def score(self, rows: Ints, samples: NDArray[np.float32]) -> Figures:
        """Score the next B blocks of some rows.

        rows: int64 (M,), rising. samples: float32 (M, B * BLOCK) at 16 kHz; NaN = lost, infinite = invalid. Returns
        float32 (M, B, 7 + K): the columns of model.figures.FIGURES, then the K families. Raises RuntimeError where the
        device fails; the states are then unchanged.
        """
        ...

    def reset(self, rows: Ints) -> None:
        """Make rows cold again."""
        ...


class StatefulScorer(Scorer, Protocol):
    """A scorer whose states can be taken out and put back."""

    def save(self, rows: Ints) -> dict[str, NDArray[Any]]:
        """Return copies of the states of rows, by name, each with the rows along its first axis."""
        ...

    def load(self, rows: Ints, states: States) -> None:
        """Let rows go on from states that save() of the same kind of scorer gave with the same weights. Raises
        ValueError for others.
        """
        ...
