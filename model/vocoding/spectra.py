"""Short-time spectra of whole recordings in numpy, for the classical vocoders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import fft
from numpy.typing import NDArray

from model.config import SAMPLE_RATE

Audio = NDArray[np.float32]
Array = NDArray[Any]


def frames(x: Array, size: int, hop: int) -> Array:
    """Return view (1 + n // hop, size): frame t is centred on sample t * hop; zeros beyond the ends."""
    padded = np.pad(x, (size // 2, size - size // 2 + hop))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][: 1 + len(x) // hop]


def hann(size: int) -> Audio:
    """Return the periodic Hann window (size,)."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size), dtype=np.float32)


def stft(x: Array, n_fft: int, hop: int) -> Array:
    """Return complex64 (1 + n // hop, n_fft // 2 + 1): Hann windows centred on every hop-th sample."""
    window = hann(n_fft)
    return np.asarray(fft.rfft(frames(x, n_fft, hop) * window, axis=1))


def istft(spectra: Array, hop: int, n: int) -> Audio:
    """Return the signal (n,) whose stft is nearest to spectra (Griffin and Lim, 1984). hop divides n_fft."""
    n_fft = 2 * (spectra.shape[1] - 1)
    window = hann(n_fft)
    pieces = fft.irfft(spectra, n_fft, axis=1) * window
    weight = overlap_add(np.broadcast_to(window**2, pieces.shape), hop, n)
    return np.asarray(overlap_add(pieces, hop, n) / np.maximum(weight, 1e-3), dtype=np.float32)


def overlap_add(pieces: Array, hop: int, n: int) -> Audio:
    """Return the sum of pieces (T, size), piece t centred on sample t * hop, cut to (n,)."""
    count, size = pieces.shape
    steps = -(-size // hop)
    pieces = np.pad(pieces, ((0, 0), (0, steps * hop - size)))
    out = np.zeros((count + steps + -(-n // hop), hop), dtype=np.float32)
    for k in range(steps):
        out[k : k + count] += pieces[:, k * hop : (k + 1) * hop]
    return out.reshape(-1)[size // 2 : size // 2 + n]


def mel_filters(n_fft: int, n_mels: int, f_min: float, f_max: float) -> Audio:
    """Return triangles (n_mels, n_fft // 2 + 1) of height 1, evenly spaced on O'Shaughnessy's mel scale."""
    low, high = 2595.0 * np.log10(1.0 + np.array([f_min, f_max]) / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(low, high, n_mels + 2) / 2595.0) - 1.0)
    hz = np.arange(n_fft // 2 + 1) * SAMPLE_RATE / n_fft
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    return np.maximum(np.minimum(rise, fall), 0.0).astype(np.float32)


def invert_mel(mel: Array, filters: Array, steps: int = 10) -> Array:
    """Find non-negative magnitudes (T, bins) whose mel bands come near mel (T, n_mels) (Lee and Seung, 2001)."""
    magnitude = np.maximum(mel @ np.linalg.pinv(filters).T, 1e-6 * float(mel.max(initial=0.0)) + 1e-12)
    inside = filters.sum(0) > 0.0
    for _ in range(steps):
        magnitude *= (mel @ filters) / np.maximum((magnitude @ filters.T) @ filters, 1e-12)
    return np.asarray(magnitude * inside, dtype=np.float32)


def minimum_phase(magnitude: Array) -> Array:
    """Return the spectra (T, bins) of the minimum-phase filters with these magnitudes (folded cepstrum)."""
    cepstra = fft.irfft(np.log(np.maximum(magnitude, 1e-8)), axis=1)
    half = cepstra.shape[1] // 2
    cepstra[:, 1:half] *= 2.0
    cepstra[:, half + 1 :] = 0.0
    return np.asarray(np.exp(fft.rfft(cepstra, axis=1)))


def match_level(y: Array, x: Audio) -> Audio:
    """Return y at the root mean square of x, within full scale; silence where x is silent."""
    power = float(np.square(y, dtype=np.float64).mean()) if len(y) else 0.0
    gain = np.sqrt(float(np.square(x, dtype=np.float64).mean()) / power) if power > 1e-20 else 0.0
    return np.clip(y * gain, -1.0, 1.0).astype(np.float32)
