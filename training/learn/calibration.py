"""Turns scores into log-likelihood ratios: one scale and offset for wideband speech, one for the telephone's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.config import Calibration, DetectorConfig
from model.figures import Bandwidth
from model.stream import Detector
from training.evaluate.detection_metrics import fit_calibration
from training.evaluate.scoring import ClipScore

FEWEST = 30
"""Clips of each label that a calibration needs."""


def fitted(config: DetectorConfig, scores: Sequence[ClipScore], labels: NDArray[np.int64]) -> DetectorConfig:
    """Return the configuration with calibrations for the bandwidths that the clips were found to have.

    Each is fitted where there are enough clips; wideband speech without them gets that of all clips.
    """
    logits = np.array([s.logit for s in scores])
    telephone = np.array([s.bandwidth is Bandwidth.TELEPHONE for s in scores])
    narrow, wide = (_fit(logits[rows], labels[rows]) for rows in (telephone, ~telephone))
    whole = wide or Calibration(*fit_calibration(logits, labels))
    return replace(config, calibration=whole, telephone_calibration=narrow)


def _fit(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> Calibration | None:
    if min((labels == 0).sum(), (labels == 1).sum()) < FEWEST:
        return None
    return Calibration(*fit_calibration(logits, labels))


def llrs(config: DetectorConfig, scores: Sequence[ClipScore]) -> NDArray[np.float64]:
    """Return what a configuration's calibrations make of the logits, nats (N,)."""
    telephone = config.telephone_calibration or config.calibration
    used = [telephone if s.bandwidth is Bandwidth.TELEPHONE else config.calibration for s in scores]
    return np.array([c.scale * s.logit + c.offset for c, s in zip(used, scores, strict=True)])


def leave_out(
    config: DetectorConfig, scores: Sequence[ClipScore], labels: NDArray[np.int64], groups: Sequence[str]
) -> NDArray[np.float64]:
    """Return llr (N,) of each clip by the calibration that all other groups give, as a group never met would get it."""
    names, llr = np.array(groups), np.zeros(len(scores))
    for name in sorted(set(groups)):
        inside = names == name
        apart = fitted(config, [s for s, own in zip(scores, inside, strict=True) if not own], labels[~inside])
        llr[inside] = llrs(apart, [s for s, own in zip(scores, inside, strict=True) if own])
    return llr


def with_config(detector: Detector, config: DetectorConfig) -> Detector:
    """Return the same weights under another calibration."""
    copy = Detector(config)
    copy.load_state_dict(detector.state_dict())
    return copy


def described(config: DetectorConfig) -> str:
    """Return both calibrations in words."""
    kinds = {"wideband": config.calibration, "telephone": config.telephone_calibration}
    return "; ".join(f"{name} scale {c.scale:.3f}, offset {c.offset:+.3f}" for name, c in kinds.items() if c)
