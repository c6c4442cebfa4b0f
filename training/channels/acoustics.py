"""Effects on speech outside of any codec: loudspeakers, rooms, microphones, other sample rates, overload.

As in training/channels/channels.py: float32 (n,) at 16 kHz and a numpy generator in, the same length out, time-aligned.
"""

from __future__ import annotations

import numpy as np
import soxr
from scipy import signal

from model.config import SAMPLE_RATE
from training.channels.speech_codecs import Audio

Rng = np.random.Generator

RATES = (11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000)
QUALITIES = ("QQ", "LQ", "MQ", "HQ")
"""soxr's: the first is cubic interpolation, which lets images through as cheap converters do."""


def _colour(n: int, rng: Rng) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return magnitudes (n // 2 + 1,) of a small loudspeaker and a microphone: edges, and a few resonances."""
    hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE) + 1.0
    low, high = rng.uniform(120.0, 600.0), rng.uniform(4500.0, 7900.0)
    order = int(rng.integers(1, 4))
    magnitude = 1.0 / np.sqrt(1.0 + (low / hz) ** (2 * order)) / np.sqrt(1.0 + (hz / high) ** 8)
    db = np.zeros_like(hz)
    for _ in range(int(rng.integers(2, 6))):
        centre, octaves = np.exp(rng.uniform(np.log(300.0), np.log(6000.0))), rng.uniform(0.1, 0.6)
        db += rng.uniform(-10.0, 8.0) * np.exp(-0.5 * (np.log2(hz / centre) / octaves) ** 2)
    return np.asarray(magnitude * 10.0 ** (db / 20.0))


def _room(rng: Rng) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return an impulse response: direct sound, a few early reflections, a decaying tail of noise (Moorer, 1979)."""
    rt60 = rng.uniform(0.1, 0.5)
    t = np.arange(int(min(rt60, 0.4) * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / rt60) * (t > 0.015)
    tail /= np.sqrt((tail**2).sum()) + 1e-9
    response = tail * 10.0 ** (-rng.uniform(2.0, 18.0) / 20.0)
    for _ in range(int(rng.integers(2, 7))):
        response[int(rng.uniform(0.001, 0.02) * SAMPLE_RATE)] += rng.uniform(-0.5, 0.5)
    response[0] = 1.0
    return np.asarray(response)


def loudspeaker(x: Audio, rng: Rng) -> Audio:
    """Play through a small loudspeaker that is driven a little too far, to a microphone in the same room."""
    peak = float(np.abs(x).max(initial=0.0)) + 1e-9
    drive = rng.uniform(0.3, 2.0)
    played = np.tanh(drive * x / peak) / np.tanh(drive) * peak
    size = len(x) + SAMPLE_RATE // 2
    coloured = np.fft.irfft(np.fft.rfft(played, size) * _colour(size, rng), size)[: len(x)]
    reflected = signal.fftconvolve(coloured, _room(rng))[: len(x)]
    reflected *= np.sqrt((x**2).mean() + 1e-12) / np.sqrt((reflected**2).mean() + 1e-12)
    noise = rng.standard_normal(len(x)) * np.sqrt((x**2).mean()) * 10.0 ** (-rng.uniform(25.0, 50.0) / 20.0)
    return np.asarray(reflected + noise, dtype=np.float32)


def resampled(x: Audio, rng: Rng) -> Audio:
    """Resample to another rate and back, by a good or a cheap converter."""
    rate, quality = int(rng.choice(RATES)), str(rng.choice(QUALITIES))
    y = soxr.resample(soxr.resample(x, SAMPLE_RATE, rate, quality), rate, SAMPLE_RATE, quality)
    return np.asarray(np.pad(y, (0, max(0, len(x) - len(y))))[: len(x)], dtype=np.float32)


def clipped(x: Audio, rng: Rng) -> Audio:
    """Overload: cut off the loudest 0.1 to 5 % of the samples, at times on one side only."""
    share = rng.uniform(0.001, 0.05)
    top = float(np.quantile(np.abs(x), 1.0 - share)) + 1e-9
    return np.asarray(np.clip(x, -top if rng.random() < 0.8 else -1.0, top), dtype=np.float32)


def levels(x: Audio, rng: Rng) -> Audio:
    """Apply an automatic gain that jumps: up to 9 dB, twice a second, over 20 ms."""
    count = max(2, len(x) // 8000 + 1)
    gains = np.repeat(rng.uniform(-6.0, 3.0, count), -(-len(x) // count))[: len(x)]
    smooth = signal.fftconvolve(np.pad(gains, 160, mode="edge"), np.ones(321) / 321.0, "valid")
    return np.asarray(x * 10.0 ** (smooth / 20.0), dtype=np.float32)
