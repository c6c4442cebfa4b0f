"""The samples that stand in a ring: how lost and invalid ones are told, and where they go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import SAMPLE_RATE
from monitor.audio import Audio, all_finite

LOST_BITS = np.uint32(0x7FC0_1057)
LOST = LOST_BITS.view(np.float32)
"""Lost audio in the ring: a NaN that no source is likely to give. Any other NaN is an invalid sample."""


def mark_invalid(samples: Audio) -> None:
    """Make the samples infinite that are neither finite nor lost audio, in place."""
    if not all_finite(samples):
        samples[~np.isfinite(samples) & (samples.view(np.uint32) != LOST_BITS)] = np.inf


def write_wrapped(ring: NDArray[Any], first: int, values: NDArray[Any]) -> None:
    """Write values (channels, n) into a ring (channels, capacity) from `first` on, and on from its beginning."""
    head = min(values.shape[1], ring.shape[1] - first)
    ring[:, first : first + head] = values[:, :head]
    if head < values.shape[1]:
        ring[:, : values.shape[1] - head] = values[:, head:]


def earlier(captured_at: float, samples: int) -> float:
    """Return when the sample was there that came so many before; 0.0 stays 0.0."""
    return captured_at - samples / SAMPLE_RATE if captured_at else 0.0
