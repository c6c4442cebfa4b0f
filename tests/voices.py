"""Speech-like sound that tests make for themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Audio = NDArray[np.float32]


def voice(seconds: float = 1.5, hz: float = 120.0) -> Audio:
    """Syllables of a pulse train through formants, with pauses."""
    n = int(seconds * 16000)
    t = np.arange(n) / 16000
    turns = np.cumsum(hz * (1.0 + 0.1 * np.sin(2 * np.pi * 1.5 * t))) / 16000
    x = np.diff(np.floor(turns), prepend=0.0)
    for formant, width in ((600, 80), (1300, 100), (2500, 150)):
        pole = np.exp(-np.pi * width / 16000 + 2j * np.pi * formant / 16000)
        x = signal.lfilter([1.0], np.real(np.poly([pole, pole.conj()])), x)
    gate = np.interp((t % 0.4), [0.0, 0.03, 0.25, 0.3, 0.4], [0.0, 1.0, 1.0, 0.0, 0.0])
    x = x * gate + 0.001 * np.abs(x).max() * np.random.default_rng(0).standard_normal(n)
    return (0.3 * x / np.abs(x).max()).astype(np.float32)


def contour(x: Audio) -> NDArray[np.float64]:
    """Loudness in dB every millisecond."""
    power = signal.fftconvolve(x.astype(np.float64) ** 2, np.hanning(320), "same")[::16]
    level = 10.0 * np.log10(np.maximum(power, 0.0) + 1e-5)
    return np.asarray(level - level.mean())
