"""Source-filter models of speech: envelopes by LPC, cepstrum or mel bands, driven by pulses, noise or harmonics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import fft

from model.config import SAMPLE_RATE
from model.vocoding.pitch import pitch_track
from model.vocoding.spectra import Array, Audio, frames, hann, match_level, mel_filters, minimum_phase, overlap_add

HOP = 80
"""Samples between parameter frames: 5 ms."""


def lpc_envelope(x: Audio, order: int = 18, n_fft: int = 1024) -> Array:
    """Return all-pole spectral envelopes (1 + n // HOP, n_fft // 2 + 1) by autocorrelation (Makhoul, 1975)."""
    window = hann(480)
    power = np.abs(fft.rfft(frames(x, 480, HOP) * window, n_fft, axis=1)) ** 2
    lags = fft.irfft(power, axis=1)[:, : order + 1].astype(np.float64)
    lags[:, 0] = lags[:, 0] * (1.0 + 1e-5) + 1e-9
    a, error = _levinson(lags * np.exp(-0.5 * (2.0 * np.pi * 40.0 * np.arange(order + 1) / SAMPLE_RATE) ** 2))
    envelope = np.sqrt(error)[:, None] / np.maximum(np.abs(fft.rfft(a, n_fft, axis=1)), 1e-6)
    return np.asarray(envelope, dtype=np.float32)


def _levinson(lags: Array) -> tuple[Array, Array]:
    """Prediction filters (T, order + 1) and prediction errors (T,) of autocorrelations (T, order + 1)."""
    count, size = lags.shape
    a, error = np.zeros((count, size)), lags[:, 0].copy()
    a[:, 0] = 1.0
    for i in range(1, size):
        k = -(a[:, :i] * lags[:, i:0:-1]).sum(1) / np.maximum(error, 1e-12)
        a[:, 1 : i + 1] += k[:, None] * a[:, i - 1 :: -1][:, :i]
        error = error * (1.0 - k**2)
    return a, np.maximum(error, 1e-12)


def mel_envelope(x: Audio, n_mels: int = 40, n_fft: int = 1024) -> Array:
    """Return envelopes (1 + n // HOP, n_fft // 2 + 1) from mel bands: a channel vocoder's filterbank (Dudley, 1939)."""
    window = hann(480)
    spectra = np.abs(fft.rfft(frames(x, 480, HOP) * window, n_fft, axis=1))
    filters = mel_filters(n_fft, n_mels, 0.0, 8000.0)
    return np.asarray((spectra @ (filters / filters.sum(1, keepdims=True)).T) @ filters, dtype=np.float32)


def _low_pass(hz: float, taps: int = 65) -> Array:
    """Return a windowed sinc (taps,) of gain 1 at 0 Hz, with a Hamming window."""
    x = 2.0 * hz / SAMPLE_RATE
    filter_ = x * np.sinc(x * (np.arange(taps) - (taps - 1) / 2)) * np.hamming(taps)
    return np.asarray(filter_ / filter_.sum())


def excitation(f0: Array, voicing: Array, n: int, rng: np.random.Generator, split_hz: float) -> tuple[Audio, Audio]:
    """Return two signals (n,): pulses, most of them below split_hz, where voiced, and noise elsewhere; of unit power
    each.

    f0: Hz (T,), 0 where unvoiced. voicing: 0..1 (T,). One frame each HOP samples.
    """
    at = np.arange(n) / HOP
    voiced = np.interp(at, np.arange(len(f0)), (f0 > 0.0) * voicing)
    last = np.maximum.accumulate(np.where(f0 > 0.0, np.arange(len(f0)), 0))
    hz = np.interp(at, np.arange(len(f0)), np.where(f0[last] > 0.0, f0[last], 100.0))
    turns = np.cumsum(hz / SAMPLE_RATE)
    pulses = np.diff(np.floor(turns), prepend=0.0) * np.sqrt(SAMPLE_RATE / hz)
    low = _low_pass(split_hz)
    high = -low
    high[len(low) // 2] += 1.0
    noise = rng.standard_normal(n)
    below, above = np.convolve(noise, low, "same"), np.convolve(noise, high, "same")
    tonal = np.convolve(pulses, low, "same") + 0.5 * np.convolve(pulses, high, "same")
    return (tonal * voiced).astype(np.float32), (above * np.sqrt(1.0 - 0.75 * voiced) + below * (1.0 - voiced)).astype(
        np.float32
    )


def source_filter(
    x: Audio,
    seed: int = 0,
    *,
    envelope: Callable[[Audio], Array] = lpc_envelope,
    pitch: float = 1.0,
    formant: float = 1.0,
    split_hz: float = 4000.0,
) -> Audio:
    """Drive spectral envelopes with pulses and noise. pitch, formant: factors that change the voice."""
    f0, voicing = pitch_track(x, HOP)
    tonal, noise = excitation(f0 * pitch, voicing, len(x), np.random.default_rng(seed), split_hz)
    return match_level(shape_frames(tonal + noise, stretch(envelope(x), formant)), x)


def shape_frames(x: Audio, envelopes: Array) -> Audio:
    """Return x (n,) through the minimum-phase filters of envelopes (1 + n // HOP, bins), one frame after the other."""
    size = 2 * (envelopes.shape[1] - 1)
    pieces = np.zeros((envelopes.shape[0], size), dtype=np.float32)
    pieces[:, size // 2 - HOP : size // 2 + HOP] = frames(x, 2 * HOP, HOP) * hann(2 * HOP)
    out = fft.irfft(fft.rfft(pieces, axis=1) * minimum_phase(envelopes), axis=1)
    return overlap_add(out, HOP, len(x))


def harmonic_noise(
    x: Audio,
    seed: int = 0,
    *,
    envelope: Callable[[Audio], Array] = lpc_envelope,
    pitch: float = 1.0,
    formant: float = 1.0,
) -> Audio:
    """Return a sum of harmonics up to where voicing ends, and noise above (Stylianou, 2001). pitch, formant:
    factors."""
    rng = np.random.default_rng(seed)
    f0, voicing = pitch_track(x, HOP)
    shape = stretch(envelope(x), formant)
    hz = np.linspace(0.0, SAMPLE_RATE / 2, shape.shape[1])
    top = np.where(f0 > 0.0, 1000.0 + 6500.0 * voicing**2, 0.0)
    tonal = 1.0 / (1.0 + np.exp(np.clip((hz - top[:, None]) / 150.0, -30.0, 30.0))) * (f0 > 0.0)[:, None]
    noise = shape_frames(rng.standard_normal(len(x)).astype(np.float32), shape * np.sqrt(1.0 - tonal) + 1e-7)
    return match_level(noise + _harmonics(f0 * pitch, shape * np.sqrt(tonal), len(x), rng), x)


def _harmonics(f0: Array, shape: Array, n: int, rng: np.random.Generator) -> Audio:
    """Return the sum (n,) of the harmonics of f0 (T,), with the power that noise through shape (T, bins) has in their
    bands.
    """
    at, places = np.arange(n) / HOP, np.arange(len(f0))
    last = np.maximum.accumulate(np.where(f0 > 0.0, places, 0))
    hz = np.where(f0[last] > 0.0, f0[last], 100.0)
    turns = np.cumsum(np.interp(at, places, hz)) / SAMPLE_RATE
    per_bin = (shape.shape[1] - 1) / (SAMPLE_RATE / 2)
    out = np.zeros(n, dtype=np.float32)
    for k in range(1, int(7900.0 / hz.min()) + 1):
        bins = np.minimum(np.round(k * hz * per_bin).astype(int), shape.shape[1] - 1)
        height = shape[places, bins] * (k * hz < 7900.0) * np.sqrt(4.0 * hz / SAMPLE_RATE)
        out += np.interp(at, places, height) * np.cos(2.0 * np.pi * (k * turns + 0.05 * rng.random() * k**0.5))
    return out


def stretch(envelopes: Array, factor: float) -> Array:
    """Return envelopes (T, bins) with every frequency multiplied by factor."""
    if factor == 1.0:
        return envelopes
    bins = envelopes.shape[1]
    places = np.minimum(np.arange(bins) / factor, bins - 1.001)
    left = places.astype(int)
    part = (places - left).astype(np.float32)
    return np.asarray(envelopes[:, left] * (1.0 - part) + envelopes[:, left + 1] * part)
