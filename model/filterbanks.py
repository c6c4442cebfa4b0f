"""Filterbanks over the spectra of model/features.py, and the transform that makes cepstra of them.

Those of the same names in torchaudio and librosa give the same values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from model.config import N_FFT, SAMPLE_RATE, FeatureConfig

BINS = N_FFT // 2 + 1


def hz_to_mel(hz: Tensor, scale: str) -> Tensor:
    """Convert Hz to mel. scale: htk or slaney."""
    if scale == "htk":
        return 2595.0 * torch.log10(1.0 + hz / 700.0)
    linear = hz * 3.0 / 200.0
    return torch.where(hz < 1000.0, linear, 15.0 + torch.log(hz.clamp(min=1e-3) / 1000.0) * (27.0 / math.log(6.4)))


def mel_to_hz(mel: Tensor, scale: str) -> Tensor:
    """Return the inverse."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return torch.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * torch.exp((mel - 15.0) * (math.log(6.4) / 27.0)))


def _triangles(corners: Tensor) -> Tensor:
    """Triangular filters (BINS, n) over corner frequencies (n + 2,) in Hz, peak 1."""
    bins = torch.linspace(0.0, SAMPLE_RATE / 2, BINS, dtype=torch.float64)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return torch.minimum(rising, falling).clamp(min=0.0).float()


def linear_filters(config: FeatureConfig) -> Tensor:
    """Return filters (BINS, n_filters) spaced evenly in Hz."""
    corners = torch.linspace(config.f_min, config.f_max, config.n_filters + 2, dtype=torch.float64)
    return _triangles(corners)


def mel_filters(config: FeatureConfig) -> Tensor:
    """Return filters (BINS, n_filters) spaced evenly in mel, not normalised by area."""
    ends = torch.tensor([config.f_min, config.f_max], dtype=torch.float64)
    low, high = hz_to_mel(ends, config.mel_scale).tolist()
    mels = torch.linspace(low, high, config.n_filters + 2, dtype=torch.float64)
    return _triangles(mel_to_hz(mels, config.mel_scale))


def octave_filters(config: FeatureConfig) -> Tensor:
    """Return filters (BINS, n_filters) spaced evenly in octaves from 200 Hz on, all of one Q (Brown, JASA 89, 1991)
    where that is wider than a bin of the spectrum; below, as wide as a bin.
    """
    low, high = math.log2(max(config.f_min, 200.0)), math.log2(config.f_max)
    step = (high - low) / (config.n_filters + 1)
    centres = 2.0 ** (low + step * torch.arange(1, config.n_filters + 1, dtype=torch.float64))
    bin_hz = SAMPLE_RATE / N_FFT
    width = (centres * (2.0**step - 1.0)).clamp(min=bin_hz)
    bins = torch.linspace(0.0, SAMPLE_RATE / 2, BINS, dtype=torch.float64)[:, None]
    filters: Tensor = (1.0 - (bins - centres).abs() / width).clamp(min=0.0).float()
    return filters


def dct(n_ceps: int, n_filters: int) -> Tensor:
    """Return the orthonormal DCT-II (n_filters, n_ceps)."""
    n = torch.arange(n_filters, dtype=torch.float64) + 0.5
    k = torch.arange(n_ceps, dtype=torch.float64)
    basis = torch.cos(math.pi / n_filters * n[:, None] * k) * math.sqrt(2.0 / n_filters)
    basis[:, 0] /= math.sqrt(2.0)
    return basis.float()


def groups(filters: Tensor, count: int = 4) -> tuple[tuple[slice, slice], ...]:
    """Return bins and bands of `count` groups of neighbouring filters (BINS, n): each is a product over few bins."""
    found = []
    for bands in torch.arange(filters.shape[1]).tensor_split(count):
        first, last = int(bands[0]), int(bands[-1]) + 1
        used = filters[:, first:last].abs().sum(1).nonzero().squeeze(1)
        found.append((slice(int(used[0]), int(used[-1]) + 1), slice(first, last)))
    return tuple(found)
