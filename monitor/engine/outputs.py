"""A scorer's figures by name."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from model.figures import FIGURES

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

_ACTIVE = FIGURES.index("active")


@dataclass(frozen=True)
class ScorerOutputs:
    """The scorer's outputs for M rows. sound: bool, all of it is finite. Others as in model.figures.FIGURES."""

    sound: Flags
    level: Floats
    kind: Ints
    warm: Flags
    active: Flags
    logit: Floats
    speech: Floats
    bandwidth: Ints
    family: Floats


def read_figures(figures: Floats) -> ScorerOutputs:
    """Return the figures of one block, (M, 7 + K), by name. What is not finite counts as not scored, and is
    made 0 in place."""
    sound = np.ones(len(figures), np.bool_)
    if not isfinite(figures.sum()):
        said = figures[:, _ACTIVE:]
        sound = np.asarray(np.isfinite(said).all(axis=1))
        said[~sound] = 0.0
    level, kind, warm, band, active, logit, speech = figures.T[:7]
    return ScorerOutputs(
        sound=sound,
        level=level,
        kind=kind.astype(np.int64),
        warm=warm > 0,
        active=(active > 0) & sound,
        logit=logit,
        speech=speech,
        bandwidth=band.astype(np.int64),
        family=figures[:, 7:],
    )
