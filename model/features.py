"""Streaming spectral features: 25 ms Hann windows every 10 ms, each a function of past samples alone.

A feature turns the complex spectra of windows into vectors. `spectra` frames a signal so that frame t ends
with sample (t + 1) * HOP: a frame is complete when its last sample is heard. The settings of the same names in
torchaudio.transforms and librosa.feature (center=False) give the same values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model.config import HOP, N_FFT, SAMPLE_RATE, WINDOW, FeatureConfig

TAIL = WINDOW - HOP
"""Samples that a frame shares with the ones before: what a stream must remember."""

BINS = N_FFT // 2 + 1


@dataclass(frozen=True)
class Layout:
    """size: values a frame. ordered: neighbours are neighbours in frequency, so that a convolution makes sense."""

    size: int
    ordered: bool = True


def spectra(samples: Tensor, window: Tensor) -> Tensor:
    """Complex spectra (N, T, BINS) of samples (N, TAIL + T * HOP) under window (WINDOW,)."""
    windows: Tensor = samples.unfold(1, WINDOW, HOP)
    spectrum: Tensor = torch.fft.rfft(windows * window, n=N_FFT)
    return spectrum


def hann() -> Tensor:
    """Periodic Hann window (WINDOW,)."""
    return torch.hann_window(WINDOW, periodic=True)


def _hz_to_mel(hz: Tensor, scale: str) -> Tensor:
    if scale == "htk":
        return 2595.0 * torch.log10(1.0 + hz / 700.0)
    linear = hz * 3.0 / 200.0
    return torch.where(hz < 1000.0, linear, 15.0 + torch.log(hz.clamp(min=1e-3) / 1000.0) * (27.0 / math.log(6.4)))


def _mel_to_hz(mel: Tensor, scale: str) -> Tensor:
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
    """Filters (BINS, n_filters) spaced evenly in Hz."""
    corners = torch.linspace(config.f_min, config.f_max, config.n_filters + 2, dtype=torch.float64)
    return _triangles(corners)


def mel_filters(config: FeatureConfig) -> Tensor:
    """Filters (BINS, n_filters) spaced evenly in mel, not normalised by area."""
    ends = torch.tensor([config.f_min, config.f_max], dtype=torch.float64)
    low, high = _hz_to_mel(ends, config.mel_scale).tolist()
    mels = torch.linspace(low, high, config.n_filters + 2, dtype=torch.float64)
    return _triangles(_mel_to_hz(mels, config.mel_scale))


def dct(n_ceps: int, n_filters: int) -> Tensor:
    """Orthonormal DCT-II (n_filters, n_ceps)."""
    n = torch.arange(n_filters, dtype=torch.float64) + 0.5
    k = torch.arange(n_ceps, dtype=torch.float64)
    basis = torch.cos(math.pi / n_filters * n[:, None] * k) * math.sqrt(2.0 / n_filters)
    basis[:, 0] /= math.sqrt(2.0)
    return basis.float()


class Features(nn.Module):
    """Log filterbank energies or their cepstrum, scaled to zero mean and unit variance.

    forward: complex spectra (N, T, BINS) -> (N, T, size). The scaling is learned from the training set
    (fit_scaling) and travels with the weights; raw() is what torchaudio and librosa give.
    """

    ordered = True
    filters: Tensor
    basis: Tensor | None
    mean: Tensor
    std: Tensor

    def __init__(self, config: FeatureConfig, filters: Tensor, *, cepstrum: bool) -> None:
        super().__init__()
        self.floor, self.relative = config.floor, config.relative
        self.size = config.n_ceps if cepstrum else config.n_filters
        self.register_buffer("filters", filters, persistent=False)
        basis = dct(config.n_ceps, config.n_filters) if cepstrum else None
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("std", torch.ones(self.size))

    @property
    def layout(self) -> tuple[Layout, ...]:
        return (Layout(self.size, self.ordered),)

    def raw(self, spectrum: Tensor) -> Tensor:
        """Features before scaling."""
        power = spectrum.real.square() + spectrum.imag.square()
        logs = torch.log(power @ self.filters + self.floor)
        return logs if self.basis is None else logs @ self.basis

    def forward(self, spectrum: Tensor) -> Tensor:
        scaled: Tensor = (self._levelled(spectrum) - self.mean) / self.std
        return scaled

    def _levelled(self, spectrum: Tensor) -> Tensor:
        """raw(), without the level of each frame where the configuration says so."""
        x = self.raw(spectrum)
        if not self.relative:
            return x
        if self.basis is None:
            return x - x.mean(dim=2, keepdim=True)
        return torch.cat([torch.zeros_like(x[..., :1]), x[..., 1:]], dim=2)

    def fit_scaling(self, spectrum: Tensor) -> None:
        """Set mean and standard deviation from spectra (N, T, BINS) of the training set."""
        flat = self._levelled(spectrum).flatten(0, 1)
        self.mean.copy_(flat.mean(0))
        self.std.copy_(flat.std(0).clamp(min=1e-3))


class EnvelopeFeatures(Features):
    """How the sound of each band is spread over the time of its window, which the power spectrum does not show.

    The spectrum of a band, multiplied by itself moved by m bins, gives the Fourier coefficient of its temporal
    envelope at m * 31.25 Hz; its size over the band's power lies between 0 (spread out, as noise) and 1 (one click).
    The pulses of a voice, and how far up they reach, stand there, and so does what a vocoder makes of them: the voicing
    by band of MELP (MIL-STD-3005), without decisions. BANDS x SHIFTS values, in no order.
    """

    SHIFTS = (1, 2, 3, 4, 6, 8)
    BANDS = 12
    ordered = False

    def __init__(self, config: FeatureConfig) -> None:
        bands = replace(config, n_filters=self.BANDS)
        super().__init__(replace(bands, relative=False), linear_filters(bands), cepstrum=False)
        self.size = self.BANDS * len(self.SHIFTS)
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("std", torch.ones(self.size))

    def raw(self, spectrum: Tensor) -> Tensor:
        power = (spectrum.real.square() + spectrum.imag.square()) @ self.filters + self.floor
        parts = []
        for shift in self.SHIFTS:
            product = spectrum[..., shift:] * spectrum[..., :-shift].conj()
            filters = self.filters[shift:]
            real, imaginary = product.real @ filters, product.imag @ filters
            parts.append((real.square() + imaginary.square()).sqrt() / power)
        return torch.cat(parts, dim=2)


class JoinedFeatures(nn.Module):
    """Several features side by side: (N, T, BINS) -> (N, T, sum of their sizes)."""

    def __init__(self, parts: list[Features]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def _parts(self) -> list[Features]:
        return [part for part in self.parts if isinstance(part, Features)]

    @property
    def layout(self) -> tuple[Layout, ...]:
        return tuple(layout for part in self._parts() for layout in part.layout)

    def raw(self, spectrum: Tensor) -> Tensor:
        """Features before scaling."""
        return torch.cat([part.raw(spectrum) for part in self._parts()], dim=2)

    def forward(self, spectrum: Tensor) -> Tensor:
        return torch.cat([part(spectrum) for part in self._parts()], dim=2)

    def fit_scaling(self, spectrum: Tensor) -> None:
        """As Features.fit_scaling, of each."""
        for part in self._parts():
            part.fit_scaling(spectrum)


AnyFeatures = Features | JoinedFeatures


def _narrow(config: FeatureConfig) -> Features:
    """The telephone's band alone, with twice the resolution, so that nothing above it can be relied on."""
    inside = replace(config, f_min=100.0, f_max=3900.0)
    return Features(inside, linear_filters(inside), cepstrum=False)


FEATURES: dict[str, Callable[[FeatureConfig], Features]] = {
    "linear": lambda config: Features(config, linear_filters(config), cepstrum=False),
    "mel": lambda config: Features(config, mel_filters(config), cepstrum=False),
    "lfcc": lambda config: Features(config, linear_filters(config), cepstrum=True),
    "mfcc": lambda config: Features(config, mel_filters(config), cepstrum=True),
    "narrow": _narrow,
    "envelope": EnvelopeFeatures,
}
"""Names may be joined, such as mel+envelope."""


def build_features(config: FeatureConfig) -> AnyFeatures:
    """Raises ValueError for a kind that is not registered or impossible settings."""
    kinds = config.kind.split("+")
    if unknown := [kind for kind in kinds if kind not in FEATURES]:
        raise ValueError(f"no features {unknown[0]!r}; there are {', '.join(FEATURES)}, and several joined by +")
    if not 0 <= config.f_min < config.f_max <= SAMPLE_RATE / 2:
        raise ValueError(f"f_min {config.f_min} and f_max {config.f_max} Hz: 0 <= f_min < f_max <= {SAMPLE_RATE // 2}")
    if config.mel_scale not in ("htk", "slaney"):
        raise ValueError(f"mel_scale {config.mel_scale!r}: htk or slaney")
    parts = [FEATURES[kind](config) for kind in kinds]
    return parts[0] if len(parts) == 1 else JoinedFeatures(parts)
