"""Augmentation of whole batches on the training device: rooms, filters, noise, levels, clipping, masks.

The codecs, which need real encoders, are applied beforehand (training/channels/channels.py). Rows of one pair get the
same treatment, so that it can never tell a recording from its synthetic twin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.config import SAMPLE_RATE


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities that a pair of rows is treated; ranges in dB, Hz and seconds."""

    filter: float = 0.5
    band_limit: float = 0.25
    room: float = 0.2
    noise: float = 0.35
    noise_snr_db: tuple[float, float] = (8.0, 40.0)
    clip: float = 0.05
    mu_law: float = 0.1
    telephone: float = 0.1
    level_dbfs: tuple[float, float] = (-38.0, -10.0)
    time_masks: int = 2
    band_masks: int = 2

    def scaled(self, strength: float) -> AugmentConfig:
        """Return it with every probability times strength, 0 to 1; masks once strength is above a half."""
        return replace(
            self,
            filter=self.filter * strength,
            band_limit=self.band_limit * strength,
            room=self.room * strength,
            noise=self.noise * strength,
            clip=self.clip * strength,
            mu_law=self.mu_law * strength,
            telephone=self.telephone * strength,
            time_masks=self.time_masks if strength > 0.5 else 0,
            band_masks=self.band_masks if strength > 0.5 else 0,
        )


def _per_pair(pair: Tensor, values: Tensor) -> Tensor:
    """Values drawn for each pair, handed to each of its rows."""
    return values[pair]


def _uniform(pair: Tensor, low: float, high: float, shape: tuple[int, ...] = ()) -> Tensor:
    drawn = torch.rand(int(pair.max()) + 1, *shape, device=pair.device)
    return _per_pair(pair, low + (high - low) * drawn)


def _chosen(pair: Tensor, probability: float) -> Tensor:
    return _uniform(pair, 0.0, 1.0) < probability


def filter_curve(pair: Tensor, bins: int, config: AugmentConfig) -> Tensor:
    """Draw magnitude responses (N, bins): a random smooth curve of +-8 dB, and band edges such as a telephone's."""
    points = _uniform(pair, -8.0, 8.0, (1, 10))
    smooth = torch.nn.functional.interpolate(points, size=bins, mode="linear", align_corners=True).squeeze(1)
    smooth = torch.where(_chosen(pair, config.filter)[:, None], smooth, torch.zeros_like(smooth))
    hz = torch.linspace(0.0, SAMPLE_RATE / 2, bins, device=pair.device)
    top = torch.where(_uniform(pair, 0.0, 1.0) < 0.5, _uniform(pair, 3300.0, 4000.0), _uniform(pair, 3400.0, 7900.0))
    bottom = torch.where(_uniform(pair, 0.0, 1.0) < 0.5, _uniform(pair, 150.0, 350.0), torch.zeros_like(top))
    limited = _chosen(pair, config.band_limit)[:, None]
    edges = (
        -((hz - top[:, None]).clamp(min=0.0) / 200.0) * 24.0 - ((bottom[:, None] - hz).clamp(min=0.0) / 100.0) * 12.0
    )
    return torch.pow(10.0, (smooth + torch.where(limited, edges.clamp(min=-90.0), torch.zeros_like(edges))) / 20.0)


def room_response(pair: Tensor, samples: int, config: AugmentConfig) -> Tensor:
    """Draw impulse responses (N, samples): direct sound and exponentially decaying noise, RT60 of 0.1 to 0.8 s."""
    length = min(samples, int(0.5 * SAMPLE_RATE))
    t = torch.arange(length, device=pair.device) / SAMPLE_RATE
    rt60 = _uniform(pair, 0.1, 0.8)[:, None]
    noise = _per_pair(pair, torch.randn(int(pair.max()) + 1, length, device=pair.device))
    late = noise * torch.exp(-math.log(1000.0) * t / rt60) * (t > 0.002)
    late = late / late.square().sum(1, keepdim=True).clamp(min=1e-9).sqrt()
    direct_to_reverberant = torch.pow(10.0, -_uniform(pair, -2.0, 18.0) / 20.0)[:, None]
    response = late * torch.where(_chosen(pair, config.room)[:, None], direct_to_reverberant, 0.0)
    response[:, 0] = 1.0
    return torch.nn.functional.pad(response, (0, samples - length))


def coloured_noise(pair: Tensor, samples: int) -> Tensor:
    """Return noise (N, samples) of unit power with a random spectral slope, white to brown, and a slow swell."""
    spectrum = torch.fft.rfft(_per_pair(pair, torch.randn(int(pair.max()) + 1, samples, device=pair.device)))
    k = torch.arange(1, spectrum.shape[1] + 1, device=pair.device)
    noise: Tensor = torch.fft.irfft(spectrum * torch.pow(k, -_uniform(pair, 0.0, 1.2)[:, None]), n=samples)
    swell = torch.nn.functional.interpolate(_uniform(pair, 0.3, 1.0, (1, 6)), size=samples, mode="linear").squeeze(1)
    noise = noise * swell
    return noise / noise.square().mean(1, keepdim=True).sqrt().clamp(min=1e-9)


def mu_law(x: Tensor) -> Tensor:
    """Quantise to the 256 levels of mu-law (ITU-T G.711) without its band limit."""
    mu = 255.0
    y = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)
    y = (y * 127.5).round() / 127.5
    return torch.sign(y) * torch.expm1(y.abs() * math.log1p(mu)) / mu


def a_law(x: Tensor) -> Tensor:
    """Quantise to the 256 levels of A-law (ITU-T G.711) without its band limit."""
    a = 87.6
    one = 1.0 + math.log(a)
    size = x.abs()
    y = torch.where(size < 1.0 / a, a * size, 1.0 + torch.log((a * size).clamp(min=1.0))) / one
    y = (y * 127.5).round() / 127.5
    return torch.sign(x) * torch.where(y < 1.0 / one, y * one / a, torch.exp(y * one - 1.0) / a)


def telephone(x: Tensor, pair: Tensor) -> Tensor:
    """Return the rows (N, S) at 8 kHz and 8 bit (ITU-T G.711), mu-law or A-law pair by pair, and back at 16 kHz.

    S must be a multiple of 4. Half of them keep 300 to 3400 Hz alone, as the telephone's filters do (ITU-T G.712).
    """
    samples = x.shape[1]
    spectrum = torch.fft.rfft(x)[:, : samples // 4 + 1] / 2
    hz = torch.arange(spectrum.shape[1], device=x.device) * (SAMPLE_RATE / samples)
    outside = ((300.0 - hz) / 100.0).clamp(min=0.0) * 12.0 + ((hz - 3400.0) / 200.0).clamp(min=0.0) * 24.0
    gain = torch.pow(10.0, -outside * _chosen(pair, 0.5)[:, None] / 20.0)
    y = torch.fft.irfft(spectrum * gain, n=samples // 2).clamp(-1.0, 1.0)
    y = torch.where(_chosen(pair, 0.5)[:, None], mu_law(y), a_law(y))
    full: Tensor = torch.fft.irfft(torch.fft.rfft(y) * 2, n=samples)
    return full


def augment(audio: Tensor, pair: Tensor, config: AugmentConfig) -> Tensor:
    """Treat float32 (N, S); rows of one pair alike. The result stays within [-1, 1]."""
    samples = audio.shape[1]
    size = samples + SAMPLE_RATE // 2
    spectrum = torch.fft.rfft(audio, n=size)
    spectrum = spectrum * torch.fft.rfft(room_response(pair, size, config), n=size)
    spectrum = spectrum * filter_curve(pair, spectrum.shape[1], config)
    x = torch.fft.irfft(spectrum, n=size)[:, :samples]
    power = x.square().mean(1, keepdim=True).clamp(min=1e-9)
    snr_db = torch.where(_chosen(pair, config.noise), _uniform(pair, *config.noise_snr_db), 60.0)
    x = x + coloured_noise(pair, samples) * (power * torch.pow(10.0, -snr_db / 10.0)[:, None]).sqrt()
    level = torch.pow(10.0, _uniform(pair, *config.level_dbfs) / 20.0)[:, None]
    x = x / power.sqrt() * level * torch.where(_chosen(pair, config.clip), 6.0, 1.0)[:, None]
    steps = torch.pow(10.0, _uniform(pair, -6.0, 6.0, (1, 4)) / 20.0)
    x = x * torch.nn.functional.interpolate(steps, size=samples, mode="nearest").squeeze(1)
    x = torch.where(_chosen(pair, config.mu_law)[:, None], mu_law(x.clamp(-1.0, 1.0)), x)
    x = torch.where(_chosen(pair, config.telephone)[:, None], telephone(x, pair), x)
    return (x + 2e-5 * torch.randn_like(x)).clamp(-1.0, 1.0)


def mask_features(x: Tensor, config: AugmentConfig) -> Tensor:
    """Set random stretches of time and bands of scaled features (N, T, F) to their mean (SpecAugment, Park 2019)."""
    n, frames, bands = x.shape
    keep = torch.ones(n, frames, bands, dtype=torch.bool, device=x.device)
    for axis, size, count, longest in ((1, frames, config.time_masks, 30), (2, bands, config.band_masks, bands // 6)):
        places = torch.arange(size, device=x.device)
        for _ in range(count):
            width = torch.rand(n, 1, device=x.device) * longest
            start = torch.rand(n, 1, device=x.device) * (size - width)
            masked = (places >= start) & (places < start + width)
            keep &= ~(masked[:, :, None] if axis == 1 else masked[:, None, :])
    return x * keep
