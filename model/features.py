"""Streaming spectral features: 25 ms Hann windows every 10 ms, each a function of past samples alone.

A feature turns the complex spectra of windows into vectors. `spectra` frames a signal so that frame t ends
with sample (t + 1) * HOP: a frame is complete when its last sample is heard. The settings of the same names in
torchaudio.transforms and librosa.feature (center=False) give the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model.config import HOP, N_FFT, SAMPLE_RATE, WINDOW, FeatureConfig
from model.filterbanks import BINS, dct, groups, hz_to_mel, linear_filters, mel_filters, mel_to_hz, octave_filters

TAIL = WINDOW - HOP
"""Samples that a frame shares with the ones before: what a stream must remember."""


@dataclass(frozen=True)
class FeatureLayout:
    """size: values a frame. ordered: neighbours are neighbours in frequency, so that a convolution makes sense."""

    size: int
    ordered: bool = True


def spectra(samples: Tensor, window: Tensor) -> Tensor:
    """Compute complex spectra (N, T, BINS) of samples (N, TAIL + T * HOP) under window (WINDOW,)."""
    windows: Tensor = samples.unfold(1, WINDOW, HOP)
    # In double precision, so that bins far below the loudest do not hold the rounding of one FFT library or another.
    exact = windows if samples.device.type == "mps" else windows.double()
    spectrum: Tensor = torch.fft.rfft(exact * window, n=N_FFT)
    return spectrum.to(torch.complex64)


def hann() -> Tensor:
    """Return the periodic Hann window (WINDOW,)."""
    return torch.hann_window(WINDOW, periodic=True, dtype=torch.float64).float()


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
        self.groups = groups(filters)
        basis = dct(config.n_ceps, config.n_filters) if cepstrum else None
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("std", torch.ones(self.size))

    @property
    def layout(self) -> tuple[FeatureLayout, ...]:
        return (FeatureLayout(self.size, self.ordered),)

    def bank(self, x: Tensor, moved: int = 0) -> Tensor:
        """Return sums (N, T, bands) of x (N, T, BINS - moved) under the filters; the first value is of bin `moved`."""
        parts = []
        for bins, bands in self.groups:
            inside = slice(max(bins.start, moved), bins.stop)
            parts.append(x[..., inside.start - moved : inside.stop - moved] @ self.filters[inside, bands])
        return torch.cat(parts, dim=-1)

    def raw(self, spectrum: Tensor) -> Tensor:
        """Return the features before scaling."""
        power = spectrum.real.square() + spectrum.imag.square()
        logs = torch.log(self.bank(power) + self.floor)
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

    @torch.no_grad()
    def fit_scaling(self, spectrum: Tensor) -> None:
        """Set mean and standard deviation from spectra (N, T, BINS) of the training set."""
        flat = self._levelled(spectrum).flatten(0, 1)
        self.mean.copy_(flat.mean(0))
        self.std.copy_(flat.std(0).clamp(min=1e-3))


class EnvelopeFeatures(Features):
    """Describes how the sound of each band is spread over the time of its window, which the power spectrum does not
    show.

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
        re, im = spectrum.real.contiguous(), spectrum.imag.contiguous()  # complex products take a CPU longer
        power = self.bank(re.square() + im.square()) + self.floor
        parts = []
        for shift in self.SHIFTS:
            later, sooner = (re[..., shift:], im[..., shift:]), (re[..., :-shift], im[..., :-shift])
            real = self.bank(later[0] * sooner[0] + later[1] * sooner[1], shift)
            imaginary = self.bank(later[1] * sooner[0] - later[0] * sooner[1], shift)
            parts.append((real.square() + imaginary.square()).sqrt() / power)
        return torch.cat(parts, dim=2)


class DelayFeatures(Features):
    """Group delay by band: when the sound of each band comes within its window, in windows of 25 ms.

    The group delay -d(phase)/d(omega) is Re(Y conj X) / |X|^2 with Y the spectrum of n x[n]; it runs wild where the
    spectrum has zeros (Hegde, Murthy and Gadde, IEEE TASLP 15, 2007). Numerator and denominator are therefore summed
    over each band first, which weighs it by power.
    """

    ramp: Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__(config, linear_filters(config), cepstrum=False)
        self.register_buffer("ramp", torch.arange(N_FFT, dtype=torch.float32) / WINDOW, persistent=False)

    def raw(self, spectrum: Tensor) -> Tensor:
        later = torch.fft.rfft(torch.fft.irfft(spectrum, n=N_FFT) * self.ramp, n=N_FFT)
        power = spectrum.real.square() + spectrum.imag.square()
        moment = later.real * spectrum.real + later.imag * spectrum.imag
        delay: Tensor = (moment @ self.filters) / (power @ self.filters + self.floor)
        return delay


class SincFeatures(Features):
    """Log energies of bands whose edges are learned: the band-passes of SincNet (Ravanelli and Bengio, SLT 2018), which
    are rectangles in frequency, here with edges 40 Hz wide. They begin as those of the mel scale.
    """

    EDGE_HZ = 20.0
    LEAST_HZ = 30.0
    hz: Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__(config, mel_filters(config), cepstrum=False)
        scale = config.mel_scale
        low, high = hz_to_mel(torch.tensor([config.f_min, config.f_max], dtype=torch.float64), scale).tolist()
        edges = mel_to_hz(torch.linspace(low, high, config.n_filters + 1, dtype=torch.float64), scale).float()
        self.register_buffer("hz", torch.linspace(0.0, SAMPLE_RATE / 2, BINS)[:, None], persistent=False)
        self.low = nn.Parameter(edges[:-1] / 1000.0)
        self.width = nn.Parameter(((edges[1:] - edges[:-1]).clamp(min=self.LEAST_HZ) - self.LEAST_HZ) / 1000.0)

    def bands(self) -> Tensor:
        """Return filters (BINS, n_filters) between the edges as they are learned."""
        low = self.low * 1000.0
        high = low + self.width.abs() * 1000.0 + self.LEAST_HZ
        return torch.sigmoid((self.hz - low) / self.EDGE_HZ) * torch.sigmoid((high - self.hz) / self.EDGE_HZ)

    def raw(self, spectrum: Tensor) -> Tensor:
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log(power @ self.bands() + self.floor)


class JoinedFeatures(nn.Module):
    """Several features side by side: (N, T, BINS) -> (N, T, sum of their sizes)."""

    def __init__(self, parts: list[Features]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def _parts(self) -> list[Features]:
        return [part for part in self.parts if isinstance(part, Features)]

    @property
    def layout(self) -> tuple[FeatureLayout, ...]:
        return tuple(layout for part in self._parts() for layout in part.layout)

    def raw(self, spectrum: Tensor) -> Tensor:
        """Return the features before scaling."""
        return torch.cat([part.raw(spectrum) for part in self._parts()], dim=2)

    def forward(self, spectrum: Tensor) -> Tensor:
        return torch.cat([part(spectrum) for part in self._parts()], dim=2)

    def fit_scaling(self, spectrum: Tensor) -> None:
        """Fit the scaling of each part as Features.fit_scaling does."""
        for part in self._parts():
            part.fit_scaling(spectrum)


AnyFeatures = Features | JoinedFeatures


def _narrow(config: FeatureConfig) -> Features:
    """Return the telephone's band alone, with twice the resolution, so that nothing above it can be relied on."""
    inside = replace(config, f_min=100.0, f_max=3900.0)
    return Features(inside, linear_filters(inside), cepstrum=False)


FEATURES: dict[str, Callable[[FeatureConfig], Features]] = {
    "linear": lambda config: Features(config, linear_filters(config), cepstrum=False),
    "mel": lambda config: Features(config, mel_filters(config), cepstrum=False),
    "lfcc": lambda config: Features(config, linear_filters(config), cepstrum=True),
    "mfcc": lambda config: Features(config, mel_filters(config), cepstrum=True),
    "octave": lambda config: Features(config, octave_filters(config), cepstrum=False),
    "sinc": SincFeatures,
    "delay": DelayFeatures,
    "narrow": _narrow,
    "envelope": EnvelopeFeatures,
}
"""Names may be joined, such as mel+envelope."""


def build_features(config: FeatureConfig) -> AnyFeatures:
    """Build the features that a configuration names. Raises ValueError for a kind that is not registered or impossible
    settings.
    """
    kinds = config.kind.split("+")
    if unknown := [kind for kind in kinds if kind not in FEATURES]:
        raise ValueError(f"no features {unknown[0]!r}; there are {', '.join(FEATURES)}, and several joined by +")
    if not 0 <= config.f_min < config.f_max <= SAMPLE_RATE / 2:
        raise ValueError(f"f_min {config.f_min} and f_max {config.f_max} Hz: 0 <= f_min < f_max <= {SAMPLE_RATE // 2}")
    if config.mel_scale not in ("htk", "slaney"):
        raise ValueError(f"mel_scale {config.mel_scale!r}: htk or slaney")
    parts = [FEATURES[kind](config) for kind in kinds]
    return parts[0] if len(parts) == 1 else JoinedFeatures(parts)
