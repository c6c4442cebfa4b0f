"""The generator of MelGAN (Kumar et al., NeurIPS 2019), in the form of github.com/seungwonpark/melgan: three residual
blocks after each of four transposed convolutions, log-mel frames of LJSPEECH's format scaled to about [-1, 1].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from model.vocoding.spectra import Array, Audio
from training.corpora.clips import CorpusError
from training.vocoding.open_vocoders.hifigan import renamed

SLOPE = 0.2
FADE = 10
"""Frames of silence after the last, whose samples are thrown away: the end would click."""


class _Stack(nn.Module):
    """Three residual blocks, dilated by 1, 3 and 9, each beside a convolution of one tap."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LeakyReLU(SLOPE),
                nn.ReflectionPad1d(3**i),
                weight_norm(nn.Conv1d(channels, channels, 3, dilation=3**i)),
                nn.LeakyReLU(SLOPE),
                weight_norm(nn.Conv1d(channels, channels, 1)),
            )
            for i in range(3)
        )
        self.shortcuts = nn.ModuleList(weight_norm(nn.Conv1d(channels, channels, 1)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for block, shortcut in zip(self.blocks, self.shortcuts, strict=True):
            x = shortcut(x) + block(x)
        return x


class MelGan(nn.Module):
    """Log-mel (N, 80, T) -> samples (N, 1, 256 T)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad1d(3), weight_norm(nn.Conv1d(80, 512, 7))]
        width = 512
        for rate in (8, 8, 2, 2):
            up = nn.ConvTranspose1d(width, width // 2, 2 * rate, rate, padding=rate // 2)
            width //= 2
            layers += [nn.LeakyReLU(SLOPE), weight_norm(up), _Stack(width)]
        layers += [nn.LeakyReLU(SLOPE), nn.ReflectionPad1d(3), weight_norm(nn.Conv1d(width, 1, 7)), nn.Tanh()]
        self.generator = nn.Sequential(*layers)

    def forward(self, mel: Tensor) -> Tensor:
        y: Tensor = self.generator((mel + 5.0) / 5.0)
        return y


def load(path: Path) -> MelGan:
    """Return the generator of a file of its tensors by name. Raises CorpusError."""
    network = MelGan()
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({renamed(k): v for k, v in held.items()})
    except (OSError, RuntimeError, AttributeError, TypeError, ValueError) as error:
        raise CorpusError(f"{path} holds no MelGAN generator of this shape: {error}") from error
    return network.eval().requires_grad_(False)


def synthesise(network: MelGan, mel: Array) -> Audio:
    """Synthesise from log-mel (T, 80) -> (256 T,) at 22.05 kHz."""
    padded = np.pad(mel, ((0, FADE), (0, 0)), constant_values=-11.5129)
    with torch.inference_mode():
        y = network(torch.from_numpy(np.ascontiguousarray(padded.T, dtype=np.float32))[None])
    return np.asarray(y[0, 0, : 256 * len(mel)].numpy(), dtype=np.float32)
