"""The generator of HiFi-GAN (Kong, Kim and Bae, 2020) with multi-receptive-field fusion, as its paper defines it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from model.vocoding.spectra import Array, Audio
from training.corpora.clips import CorpusError

SLOPE = 0.1


@dataclass(frozen=True)
class HifiGanConfig:
    """rates, kernels: of the transposed convolutions; channels before the first; the residual blocks' kernels."""

    rates: tuple[int, ...] = (8, 8, 2, 2)
    kernels: tuple[int, ...] = (16, 16, 4, 4)
    channels: int = 128
    block_kernels: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[int, ...] = (1, 3, 5)
    n_mels: int = 80


V2 = HifiGanConfig()


def _conv(channels: int, kernel: int, dilation: int) -> nn.Module:
    padding = (kernel - 1) * dilation // 2
    conv: nn.Module = weight_norm(nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding))
    return conv


class _Block(nn.Module):
    """Residual pairs of a dilated and a plain convolution."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, kernel, d) for d in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, SLOPE)), SLOPE))
        return x


class HifiGan(nn.Module):
    """Log-mel (N, n_mels, T) -> samples (N, 1, T * product of the rates)."""

    def __init__(self, shape: HifiGanConfig) -> None:
        super().__init__()
        self.count = len(shape.block_kernels)
        self.conv_pre = weight_norm(nn.Conv1d(shape.n_mels, shape.channels, 7, padding=3))
        self.ups, self.resblocks, width = nn.ModuleList(), nn.ModuleList(), shape.channels
        for rate, kernel in zip(shape.rates, shape.kernels, strict=True):
            up = nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(weight_norm(up))
            width //= 2
            self.resblocks.extend(_Block(width, k, shape.dilations) for k in shape.block_kernels)
        self.conv_post = weight_norm(nn.Conv1d(width, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> Tensor:
        x = self.conv_pre(mel)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))
            blocks = self.resblocks[i * self.count : (i + 1) * self.count]
            x = torch.stack([block(x) for block in blocks]).mean(0)
        y: Tensor = torch.tanh(self.conv_post(F.leaky_relu(x)))
        return y


def load(path: Path, shape: HifiGanConfig = V2) -> HifiGan:
    """Return the generator of a checkpoint {"generator": tensors}. Raises CorpusError."""
    generator = HifiGan(shape)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        generator.load_state_dict({renamed(k): v for k, v in held["generator"].items()})
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"{path} holds no HiFi-GAN generator of this shape: {error}") from error
    return generator.eval().requires_grad_(False)


def renamed(name: str) -> str:
    """Replace torch's old names of a weight norm's two tensors by today's."""
    return name.replace("weight_g", "parametrizations.weight.original0").replace(
        "weight_v", "parametrizations.weight.original1"
    )


def synthesise(generator: HifiGan, mel: Array) -> Audio:
    """Synthesise from log-mel (T, n_mels) -> (T * hop,) at the rate of its format."""
    with torch.inference_mode():
        y = generator(torch.from_numpy(np.ascontiguousarray(mel.T))[None])
    return np.asarray(y[0, 0].numpy(), dtype=np.float32)
