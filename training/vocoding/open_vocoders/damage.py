"""The errors of acoustic models in a mel spectrogram, before a vocoder hears it.

A vocoder driven by the true spectrogram is the easy case: text to speech, voice conversion and unit models hand it
spectra that are over-smoothed, quantised, warped or noisy, and the traces of that outlast the vocoder. Every damage
takes log-mel frames (T, M) and a generator, which draws how strong it is, and returns frames (T', M).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft, ndimage

from model.vocoding.spectra import Array

Rng = np.random.Generator
Damage = Callable[[Array, Rng], Array]


def smooth(mel: Array, rng: Rng) -> Array:
    """Smooth towards the mean over neighbours in time and frequency, as a regression with squared error does."""
    widths = (float(rng.uniform(0.8, 3.0)), float(rng.uniform(0.4, 2.0)))
    mean = ndimage.gaussian_filter(mel, widths, mode="nearest")
    return np.asarray(mean + rng.uniform(0.0, 0.35) * (mel - mean), dtype=np.float32)


def median(mel: Array, rng: Rng) -> Array:
    """Return the median of 3 to 7 frames and 1 or 3 bands."""
    size = (int(rng.choice([3, 5, 7])), int(rng.choice([1, 3])))
    return np.asarray(ndimage.median_filter(mel, size=size, mode="nearest"), dtype=np.float32)


def lifter(mel: Array, rng: Rng) -> Array:
    """Return the first 14 to 36 cepstral coefficients alone: the envelope without the harmonics."""
    cepstra = fft.dct(mel, axis=1, norm="ortho")
    cepstra[:, int(rng.integers(14, 37)) :] *= rng.uniform(0.0, 0.3)
    return np.asarray(fft.idct(cepstra, axis=1, norm="ortho"), dtype=np.float32)


def units(mel: Array, rng: Rng) -> Array:
    """Return each frame's shape replaced by one of 24 to 96 of the recording (k-means), its level smoothed: discrete
    units."""
    from scipy.cluster.vq import kmeans2

    level = mel.mean(axis=1, keepdims=True)
    shape = (mel - level).astype(np.float64)
    count = min(int(rng.integers(24, 97)), max(2, len(mel) // 4))
    centres, labels = kmeans2(shape, count, iter=12, minit="++", seed=int(rng.integers(2**31)))
    held = ndimage.uniform_filter1d(centres[labels], int(rng.choice([1, 2, 3])), axis=0, mode="nearest")
    return np.asarray(held + ndimage.uniform_filter1d(level, 5, axis=0, mode="nearest"), dtype=np.float32)


def voice(mel: Array, rng: Rng) -> Array:
    """Return all bands moved up or down by up to an eighth of the scale, then a little smoothed: another voice."""
    bands = np.arange(mel.shape[1])
    factor = rng.uniform(0.86, 0.95) if rng.random() < 0.5 else rng.uniform(1.05, 1.16)
    warped = np.stack([np.interp(bands / factor, bands, frame) for frame in mel])
    return np.asarray(ndimage.gaussian_filter(warped, (float(rng.uniform(0.3, 1.2)), 0.3)), dtype=np.float32)


def coarse(mel: Array, rng: Rng) -> Array:
    """Return every second to fourth frame alone, the rest drawn between them: long hops, reduced frame rates."""
    at = np.arange(len(mel))
    kept = np.unique(np.append(at[:: int(rng.integers(2, 5))], at[-1]))
    return np.stack([np.interp(at, kept, band) for band in mel[kept].T], axis=1).astype(np.float32)


def tempo(mel: Array, rng: Rng) -> Array:
    """Make speech slower or faster by up to a fifth."""
    count = max(2, round(len(mel) * float(rng.uniform(0.83, 1.2))))
    at = np.linspace(0, len(mel) - 1, count)
    return np.stack([np.interp(at, np.arange(len(mel)), band) for band in mel.T], axis=1).astype(np.float32)


def noisy(mel: Array, rng: Rng) -> Array:
    """Add smooth errors of 1 to 3 dB in time and frequency, as a sampled (flow, diffusion) model leaves them."""
    errors = ndimage.gaussian_filter(rng.standard_normal(mel.shape), (rng.uniform(0.5, 2.0), rng.uniform(0.5, 2.0)))
    return np.asarray(mel + errors / max(float(errors.std()), 1e-9) * rng.uniform(0.12, 0.35), dtype=np.float32)


DAMAGES: dict[str, Damage] = {
    "smooth": smooth,
    "median": median,
    "lifter": lifter,
    "units": units,
    "voice": voice,
    "coarse": coarse,
    "tempo": tempo,
    "noisy": noisy,
}
"""Damages by name."""

FAMILIES = {
    "units": "neural-codec",
    "voice": "voice-conversion",
    "smooth": "end-to-end-tts",
    "median": "end-to-end-tts",
}
"""Families whose products a damaged spectrogram is like; the others leave the family of the vocoder."""
