"""The pitch of speech, frame by frame, for the classical vocoders."""

from __future__ import annotations

import numpy as np
from numpy import fft
from numpy.typing import NDArray

from model.config import SAMPLE_RATE
from model.vocoding.spectra import Array, frames, hann

LOWEST_HZ, HIGHEST_HZ = 65.0, 500.0
VOICED = 0.5
"""Normalised autocorrelation above which a frame is voiced."""


def pitch_track(x: Array, hop: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the pitch in Hz (0 = unvoiced) and strength of voicing 0..1, both (1 + n // hop,), of x (n,) at 16 kHz.

    The highest peak of the autocorrelation, divided by that of the window (Boersma, 1993), then a median of five.
    """
    window = hann(640)
    pieces = frames(x, 640, hop)
    pieces = (pieces - pieces.mean(1, keepdims=True)) * window
    lags = fft.irfft(np.abs(fft.rfft(pieces, 2048, axis=1)) ** 2, axis=1)
    of_window = fft.irfft(np.abs(fft.rfft(window, 2048)) ** 2)
    first, last = int(SAMPLE_RATE / HIGHEST_HZ), int(SAMPLE_RATE / LOWEST_HZ)
    span = slice(first, last + 1)
    strength = lags[:, span] / np.maximum(lags[:, :1], 1e-12) / (of_window[span] / of_window[0])
    # A small cost for long periods, as else every multiple of the period is as good as the period itself.
    best = np.argmax(strength - 0.05 * np.log2(np.arange(first, last + 1) / first), axis=1)
    peak = np.clip(strength[np.arange(len(best)), best], 0.0, 1.0)
    loud = lags[:, 0] > 1e-4 * np.percentile(lags[:, 0], 95) + 1e-9
    f0 = np.where((peak > VOICED) & loud, SAMPLE_RATE / (first + _fine(strength, best)), 0.0)
    return _smooth(f0).astype(np.float32), peak.astype(np.float32)


def _fine(curve: Array, best: Array) -> Array:
    """Return places of maxima between samples: a parabola through three points."""
    inner = np.clip(best, 1, curve.shape[1] - 2)
    rows = np.arange(len(best))
    left, middle, right = (curve[rows, inner + k] for k in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (left - right) / np.where(bend == 0.0, 1.0, bend), 0.0)
    return np.asarray(inner + np.clip(shift, -1.0, 1.0))


def _smooth(f0: Array) -> Array:
    """Return the median of five; a frame whose neighbours disagree takes their word for being voiced."""
    if len(f0) < 5:
        return f0
    return np.asarray(np.median(frames(f0, 5, 1)[: len(f0)], axis=1))
