"""The figures of another network beside those of the one that streams, over the same clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluate.detection_metrics import auc, eer
from training.evaluate.part_figures import Estimate, estimate

STREAMED = "streamed"
BASELINE = "seed-bilstm"
"""Name of the baseline network in reports and weights files."""


@dataclass(frozen=True)
class Comparison:
    """accuracy: share of the clips on the right side of 0 nats; balanced: the mean of both labels' shares. named: share
    of the clips of known systems whose system is named; None for a network that names none.
    """

    eer: Estimate
    auc: Estimate
    accuracy: float
    balanced: float
    named: float | None = None


@dataclass(frozen=True)
class OfflineComparison:
    """An offline network in a report. figures: by channel, part, and network."""

    weights: Path
    weights_hash: str
    training: Mapping[str, Any]
    classes: tuple[str, ...]
    figures: Mapping[str, Mapping[str, Mapping[str, Comparison]]]


def compared(
    score: NDArray[np.float64], label: NDArray[np.int64], rounds: int, named: float | None = None
) -> Comparison:
    """Return the figures of scores (n,) in nats, > 0 = synthetic."""
    right = (score > 0) == (label == 1)
    each = [float(right[label == k].mean()) for k in sorted(set(label.tolist()))]
    figures = estimate(eer, score, label, rounds), estimate(auc, score, label, rounds)
    return Comparison(*figures, float(right.mean()), float(np.mean(each)), named)
