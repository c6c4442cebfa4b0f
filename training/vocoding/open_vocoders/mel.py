"""Log-mel spectrograms as neural vocoders take them: each vocoder was trained on one format and knows no other.

The filters are those of librosa.filters.mel with its defaults: Slaney's scale, each triangle of unit area.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from model.config import SAMPLE_RATE
from model.vocoding.spectra import Array, Audio


@dataclass(frozen=True)
class MelFormat:
    """rate, f_min, f_max in Hz; n_fft, hop and window in samples, window 0: as long as n_fft; floor: smallest magnitude
    before the logarithm.
    """

    rate: int = 22_050
    n_fft: int = 1024
    hop: int = 256
    n_mels: int = 80
    f_min: float = 0.0
    f_max: float = 8000.0
    floor: float = 1e-5
    window: int = 0


LJSPEECH = MelFormat()
"""Format of the vocoders of Kong (2020, HiFi-GAN) for LJSpeech."""


@lru_cache(maxsize=8)
def filters(form: MelFormat) -> Audio:
    """Return (n_mels, n_fft // 2 + 1)."""
    mels = np.linspace(_mel(form.f_min), _mel(form.f_max), form.n_mels + 2)
    edges = np.array([_hz(m) for m in mels.tolist()])
    hz = np.arange(form.n_fft // 2 + 1) * form.rate / form.n_fft
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    return np.asarray(np.maximum(np.minimum(rise, fall), 0.0) * area[:, None], dtype=np.float32)


def _mel(hz: float) -> float:
    """Slaney's scale: even up to 1 kHz, then logarithmic."""
    return hz * 3.0 / 200.0 if hz < 1000.0 else 15.0 + float(np.log(hz / 1000.0)) * 27.0 / float(np.log(6.4))


def _hz(mel: float) -> float:
    return mel * 200.0 / 3.0 if mel < 15.0 else 1000.0 * float(np.exp((mel - 15.0) * np.log(6.4) / 27.0))


def magnitudes(x: Audio, form: MelFormat) -> Array:
    """Return (n // hop, n_fft // 2 + 1) of x (n,) at form.rate; frame t is centred on sample (t + 1/2) * hop."""
    beyond = (form.n_fft - form.hop) // 2
    padded = np.pad(x, (beyond, beyond), mode="reflect" if len(x) > beyond else "constant")
    length = form.window or form.n_fft
    beside = (form.n_fft - length) // 2
    window = np.pad(np.hanning(length + 1)[:-1], (beside, form.n_fft - length - beside)).astype(np.float32)
    cut = np.lib.stride_tricks.sliding_window_view(padded, form.n_fft)[:: form.hop]
    return np.asarray(np.abs(np.fft.rfft(cut * window, axis=1)), dtype=np.float32)


def log_mel(x: Audio, form: MelFormat) -> Array:
    """Return (T, n_mels) natural logarithms of x (n,) at form.rate."""
    return np.log(np.maximum(magnitudes(x, form) @ filters(form).T, form.floor)).astype(np.float32)


def at_rate(x: Audio, rate_in: int, rate_out: int) -> Audio:
    """Return x (n,) at another sample rate, by soxr: linear phase, no delay."""
    import soxr

    return np.asarray(soxr.resample(x, rate_in, rate_out), dtype=np.float32)


def fitted(y: Audio, n: int) -> Audio:
    """Return y cut or filled with zeros to (n,)."""
    return np.pad(y, (0, max(0, n - len(y))))[:n].astype(np.float32)


def to_rate(x: Audio, form: MelFormat) -> Audio:
    """Return x (n,) at 16 kHz at the rate of a format, at the level that its vocoder knows."""
    return at_rate(x * (0.6 / max(float(np.abs(x).max(initial=0.0)), 1e-4)), SAMPLE_RATE, form.rate)
