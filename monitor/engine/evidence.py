"""Evidence: frame logits of speech, accumulated with forgetting, calibrated to a log-likelihood ratio.

Pure functions over arrays, one entry a stream. What is not speech changes nothing. With a memory of tau seconds of
net speech, the evidence is the exponentially weighted mean of the frame logits, so that a call that turns
synthetic half-way is caught and one odd second is not; the whole-recording mean stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S, Calibration
from monitor.config.schema import EvidenceSection
from monitor.engine.stream_values import StreamValues
from monitor.types import UNKNOWN_FAMILY

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """Calibrations of N streams: scale and offset (N,), as in model.config.Calibration."""

    scale: Floats
    offset: Floats


@dataclass(frozen=True)
class Evidence(StreamValues):
    """The evidence of N streams: weight and total (N,) of the forgetting mean; slow_weight and slow_total (N,) of one
    that forgets more slowly; sum (N,) of all logits; blocks (N,) int64 of net speech; families (N, K) forgetting,
    all_families (N, K) sums.
    """

    weight: Floats
    total: Floats
    slow_weight: Floats
    slow_total: Floats
    sum: Floats
    blocks: NDArray[np.int64]
    families: Floats
    all_families: Floats


def no_evidence(streams: int, families: int) -> Evidence:
    """Return the start values of streams that have had no audio."""
    n, k = np.zeros(streams), np.zeros((streams, families))
    return Evidence(n, n.copy(), n.copy(), n.copy(), n.copy(), np.zeros(streams, dtype=np.int64), k, k.copy())


def accumulate(
    config: EvidenceSection,
    old: Evidence,
    logit: Floats,
    speech: NDArray[np.bool_],
    family: Floats,
    slow_memory_s: float = 20.0,
) -> Evidence:
    """Add one block: logit (N,), speech (N,) bool, family (N, K) probabilities. slow_memory_s: of net speech."""
    fade = np.where(speech, exp(-BLOCK_S / config.memory_s), 1.0)
    slow_fade = np.where(speech, exp(-BLOCK_S / slow_memory_s), 1.0)
    new = speech.astype(np.float64)
    return Evidence(
        weight=old.weight * fade + new,
        total=old.total * fade + new * logit,
        slow_weight=old.slow_weight * slow_fade + new,
        slow_total=old.slow_total * slow_fade + new * logit,
        sum=old.sum + new * logit,
        blocks=old.blocks + speech,
        families=old.families * fade[:, None] + new[:, None] * family,
        all_families=old.all_families + new[:, None] * family,
    )


def _calibrate(config: EvidenceSection, calibration: Calibration | Scaling, total: Floats, weight: Floats) -> Floats:
    llr = calibration.scale * total / np.maximum(weight, 1e-9) + calibration.offset
    return np.where(weight > 0, np.clip(llr, -config.max_llr, config.max_llr), 0.0)


def recent_llr(config: EvidenceSection, calibration: Calibration | Scaling, evidence: Evidence) -> Floats:
    """Return the log-likelihood ratio (N,) in nats of the recent speech; 0.0 where there was none."""
    return _calibrate(config, calibration, evidence.total, evidence.weight)


def whole_llr(config: EvidenceSection, calibration: Calibration | Scaling, evidence: Evidence) -> Floats:
    """Return the log-likelihood ratio (N,) in nats of all speech so far."""
    return _calibrate(config, calibration, evidence.sum, evidence.blocks.astype(np.float64))


def standing_llr(config: EvidenceSection, calibration: Calibration | Scaling, evidence: Evidence) -> Floats:
    """Return the log-likelihood ratio (N,) in nats of the slowly fading mean, nearer to 0 the less speech there was: as
    if min_speech_s without evidence had come before it.
    """
    llr = _calibrate(config, calibration, evidence.slow_total, evidence.slow_weight)
    none = config.min_speech_s / BLOCK_S
    return np.asarray(llr * evidence.slow_weight / (evidence.slow_weight + none))


def posterior(llr: Floats, prior: float) -> Floats:
    """Return the probability of a fake (N,), given the log-likelihood ratio and the probability before there was
    evidence.
    """
    return 1.0 / (1.0 + np.exp(-(llr + log(prior / (1.0 - prior)))))


def named(shares: Mapping[str, float], floor: float) -> tuple[tuple[str, float], ...]:
    """Return families and their probabilities, which add up to 1, the likeliest first; before them UNKNOWN_FAMILY,
    where the likeliest is below floor <= 0.5, with the probability that it is not that one; the rest is shared among
    the known.

    A family that was never learned is spread over the known ones (Hendrycks and Gimpel, ICLR 2017).
    """
    families = sorted(shares.items(), key=lambda pair: -pair[1])
    if families and families[0][1] < floor:
        known = families[0][1]
        families = [(UNKNOWN_FAMILY, 1.0 - known), *((name, p * known) for name, p in families)]
    return tuple(families)
