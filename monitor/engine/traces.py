"""Recent likelihoods and spectra of all streams for the screens, in two arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, BLOCK_S
from monitor.audio import Audio, all_finite
from monitor.views import SPECTRUM_HZ

TIMELINE_STEP_S = 0.5
BANDS = 24
_TIMELINE = 480
_COLUMNS = 256
_FULL_SCALE = (BLOCK / 2) ** 2
"""Power of a full-scale sine in its bin."""
_STEP_BLOCKS = round(TIMELINE_STEP_S / BLOCK_S)


def _band_edges() -> NDArray[np.int64]:
    """First bin of each band, evenly spaced in mel (the scale of ETSI ES 201 108)."""
    lowest, highest = SPECTRUM_HZ
    mel = np.linspace(2595 * np.log10(1 + lowest / 700), 2595 * np.log10(1 + highest / 700), BANDS + 1)
    hz = 700 * (10 ** (mel / 2595) - 1)
    edges = np.round(hz / 8000 * (BLOCK // 2)).astype(np.int64)
    return np.maximum.accumulate(np.maximum(edges[:-1], np.arange(BANDS)))


class Traces:
    """Bounded histories of `streams` streams; written by the scoring loop, read by the screen."""

    def __init__(self, streams: int) -> None:
        self._timeline = np.full((streams, _TIMELINE), np.nan, dtype=np.float32)
        self._powers = np.zeros((streams, _COLUMNS, BANDS), dtype=np.float32)
        self._blocks = np.zeros(streams, dtype=np.int64)
        self._edges = _band_edges()
        self._window = np.hanning(BLOCK).astype(np.float32)

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Forget streams."""
        self._timeline[rows], self._powers[rows], self._blocks[rows] = np.nan, 0.0, 0

    def add(self, rows: NDArray[np.int64], samples: Audio, p_fake: NDArray[np.float64], turns: int = 1) -> None:
        """Add blocks as in monitor.audio.Blocks: samples (M, BLOCK) and p_fake (M,), NaN where there is no evidence."""
        if not all_finite(samples):
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        spectrum = np.fft.rfft(samples * self._window)
        power = spectrum.real**2 + spectrum.imag**2
        blocks = self._blocks[rows] + np.repeat(np.arange(turns), len(rows) // turns)
        self._powers[rows, blocks % _COLUMNS] = np.maximum.reduceat(power, self._edges, axis=1)
        self._timeline[rows, blocks // _STEP_BLOCKS % _TIMELINE] = p_fake
        self._blocks[rows] = blocks + 1

    def timeline(self, row: int) -> Audio:
        """Return p_fake, one value every TIMELINE_STEP_S, oldest first."""
        steps = -(-int(self._blocks[row]) // _STEP_BLOCKS)
        return _unrolled(self._timeline[row], steps)

    def spectrogram(self, row: int) -> Audio:
        """Return dB relative to full scale (n, BANDS), one column a block, oldest first."""
        power = _unrolled(self._powers[row], int(self._blocks[row]))
        return np.asarray(10 * np.log10(power / _FULL_SCALE + 1e-12), dtype=np.float32)


def _unrolled(ring: Audio, count: int) -> Audio:
    """Return the last values of a ring that has taken `count` of them, oldest first; a copy."""
    if count <= len(ring):
        return ring[:count].copy()
    return np.roll(ring, -(count % len(ring)), axis=0)
