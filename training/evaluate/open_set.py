"""Synthesis of a kind that was never learned: is it known to be unknown?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluate.classes import Names, fit, take
from training.evaluate.detection_metrics import auc
from training.evaluate.embedding import Embeddings

Floats = NDArray[Any]


@dataclass(frozen=True)
class LeftOutKind:
    """auroc: probability that a clip of a known kind is named more surely than one of the kind left out. unknown: share
    of the left-out clips below the threshold, known_unknown: share of the known ones. clips: left out.
    """

    name: str
    clips: int
    auroc: float
    unknown: float
    known_unknown: float


def left_out(name: str, known: Floats, foreign: Floats, threshold: float) -> LeftOutKind:
    """Measure how well a class that was left out is told from the known ones. known, foreign (n,): probability of the
    likeliest class of known and of left-out clips.
    """
    confidence = np.concatenate([known, foreign]).astype(np.float64)
    label = np.repeat([0, 1], [len(known), len(foreign)])
    below, kept = float(np.mean(foreign < threshold)), float(np.mean(known < threshold))
    return LeftOutKind(name, len(foreign), auc(-confidence, label), below, kept)


def leave_systems_out(
    train: Embeddings, names: Names, dev: Embeddings, dev_names: Names, view: str, threshold: float
) -> list[LeftOutKind]:
    """Fit, for each system, a classifier without it; the known clips are the dev split's fakes of the others."""
    found = []
    for name in sorted(set(names.tolist()) - {"bonafide"}):
        rows = np.flatnonzero(names != name)
        if len(set(names[rows].tolist())) < 2:
            continue
        model = fit(take(train, rows), names[rows], view)
        others = np.flatnonzero((dev_names != name) & (dev_names != "bonafide"))
        known = model.probabilities(take(dev, others)).max(1)
        parts = [take(train, np.flatnonzero(names == name)), take(dev, np.flatnonzero(dev_names == name))]
        foreign = np.concatenate([model.probabilities(part).max(1) for part in parts if part.scores])
        if len(known):
            found.append(left_out(name, known, foreign, threshold))
    return found
