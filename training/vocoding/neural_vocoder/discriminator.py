"""Discriminators of log magnitude spectra at two resolutions (Jang, 2021, UnivNet), small ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from training.vocoding.neural_vocoder.source_spectra import stft

RESOLUTIONS = ((1024, 256), (400, 100))
"""Window and hop in samples."""


class SpectrumDiscriminator(nn.Module):
    """Samples (N, n) -> the features of each layer; the last one holds the verdicts, high for a recording."""

    def __init__(self, n_fft: int, hop: int, channels: int = 12) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.layers = nn.ModuleList(
            [
                weight_norm(nn.Conv2d(1, channels, (3, 9), (1, 2), (1, 4))),
                weight_norm(nn.Conv2d(channels, channels, (3, 9), (1, 2), (1, 4))),
                weight_norm(nn.Conv2d(channels, 2 * channels, (3, 5), (2, 2), (1, 2))),
                weight_norm(nn.Conv2d(2 * channels, 1, (3, 3), 1, 1)),
            ]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        y = (stft(x, self.n_fft, self.hop).abs() + 1e-3).log()[:, None]
        features = []
        for layer in self.layers[:-1]:
            y = F.leaky_relu(layer(y), 0.1)
            features.append(y)
        return [*features, self.layers[-1](y)]


class Discriminators(nn.Module):
    """A discriminator for each of RESOLUTIONS."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(SpectrumDiscriminator(*r) for r in RESOLUTIONS)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        return [part(x) for part in self.parts]


def verdict_loss(real: list[list[Tensor]], made: list[list[Tensor]]) -> Tensor:
    """Compute the least squares loss (Mao, 2017) of the discriminators: recordings at 1, copies at 0."""
    pairs = zip(real, made, strict=True)
    return torch.stack([(1.0 - r[-1]).square().mean() + m[-1].square().mean() for r, m in pairs]).mean()


def deception_loss(made: list[list[Tensor]]) -> Tensor:
    """Return the same loss for the generator: copies at 1."""
    return torch.stack([(1.0 - m[-1]).square().mean() for m in made]).mean()


def feature_loss(real: list[list[Tensor]], made: list[list[Tensor]]) -> Tensor:
    """Return the mean absolute difference of the hidden features (Kumar, 2019, MelGAN)."""
    pairs = [(a, b) for r, m in zip(real, made, strict=True) for a, b in zip(r[:-1], m[:-1], strict=True)]
    return torch.stack([F.l1_loss(b, a.detach()) for a, b in pairs]).mean()
