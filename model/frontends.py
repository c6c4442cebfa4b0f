"""Causal front ends: features of frames -> one embedding a block, with what they remember as explicit state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from model.config import FRAMES_PER_BLOCK, NetworkConfig
from model.features import FeatureLayout

NetState = dict[str, Tensor]


def bins_after(bins: int, kernel: int, stride: int) -> int:
    """Return the bins that a convolution with half a kernel of padding on both sides leaves."""
    return (bins + 2 * (kernel // 2) - kernel) // stride + 1


class CausalConv2d(nn.Module):
    """Convolution over (time, frequency) that sees the past only, with batch normalisation and ReLU.

    (N, T, F, C) -> (N, T', F', C'), channels last: on a CPU that is the fastest layout to convolve, and to copy
    what is remembered. It remembers the last kernel - stride frames; the stride must divide T.
    """

    def __init__(self, c_in: int, c_out: int, kernel: tuple[int, int], stride: tuple[int, int], bins: int) -> None:
        super().__init__()
        self.memory = kernel[0] - stride[0]
        self.shape_in = (self.memory, bins, c_in)
        padding = kernel[1] // 2
        self.bins_out = bins_after(bins, kernel[1], stride[1])
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, padding=(0, padding), bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([past, x], dim=1)
        y = torch.relu_(self.norm(self.conv(x.permute(0, 3, 1, 2))))
        return y.permute(0, 2, 3, 1), x[:, x.shape[1] - self.memory :]

    def fold(self) -> None:
        """Fold the normalisation into the convolution: the same function, fewer operations."""
        if isinstance(self.norm, nn.BatchNorm2d):
            fused = nn.utils.fuse_conv_bn_eval(self.conv, self.norm)
            self.conv = fused.to(memory_format=torch.channels_last)
            self.norm = nn.Identity()


class ConvFrontend(nn.Module):
    """Features (N, 2 T, F) -> (N, T, embedding): causal convolutions, the first of which halves the frame rate."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        layers, c_in, bins = [], 1, size
        for i, c_out in enumerate(config.channels):
            kernel, stride = ((4, 5), (FRAMES_PER_BLOCK, 2)) if i == 0 else ((3, 3), (1, 2))
            layer = CausalConv2d(c_in, c_out, kernel, stride, bins)
            layers.append(layer)
            c_in, bins = c_out, layer.bins_out
        self.layers = nn.ModuleList(layers)
        self.project = nn.Sequential(nn.Linear(c_in * bins, config.embedding), nn.ReLU(), nn.Dropout(config.dropout))
        self.size_out = config.embedding

    def init_state(self, batch: int, device: torch.device) -> NetState:
        return {f"conv{i}": torch.zeros(batch, *layer.shape_in, device=device) for i, layer in self._layers()}

    def _layers(self) -> list[tuple[int, CausalConv2d]]:
        return [(i, layer) for i, layer in enumerate(self.layers) if isinstance(layer, CausalConv2d)]

    def forward(self, x: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        x, new = x.unsqueeze(3), {}
        for i, layer in self._layers():
            x, new[f"conv{i}"] = layer(x, state[f"conv{i}"])
        projected: Tensor = self.project(x.transpose(2, 3).flatten(2))
        return projected, new

    def fold(self) -> None:
        for _, layer in self._layers():
            layer.fold()


class FactoredConv2d(nn.Module):
    """A convolution over frequency with stride 2 into `rank` channels, then one over time, which sees the past only,
    with batch normalisation and ReLU. (N, T, F, C) -> (N, T, F', C'), channels last. It remembers the last two frames.

    A kernel of 3 x 3 is a sum of products of one over frequency and one over time, and a few of them say nearly all
    (Jaderberg, Vedaldi and Zisserman, Speeding up convolutional neural networks with low rank expansions, BMVC 2014).
    The one over frequency goes first: it halves the bins, and what has to be remembered.
    """

    KERNEL, STRIDE = 3, 2

    def __init__(self, c_in: int, c_out: int, rank: int, bins: int) -> None:
        super().__init__()
        self.memory = self.KERNEL - 1
        padding = self.KERNEL // 2
        self.bins_out = bins_after(bins, self.KERNEL, self.STRIDE)
        self.shape_in = (self.memory, self.bins_out, rank)
        self.across = nn.Conv2d(c_in, rank, (1, self.KERNEL), (1, self.STRIDE), padding=(0, padding), bias=False)
        self.conv = nn.Conv2d(rank, c_out, (self.KERNEL, 1), bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        squeezed = self.across(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        joined = torch.cat([past, squeezed], dim=1)
        y = torch.relu_(self.norm(self.conv(joined.permute(0, 3, 1, 2))))
        return y.permute(0, 2, 3, 1), joined[:, joined.shape[1] - self.memory :]

    def fold(self) -> None:
        """Fold the normalisation into the convolution over time: the same function, fewer operations."""
        if isinstance(self.norm, nn.BatchNorm2d):
            fused = nn.utils.fuse_conv_bn_eval(self.conv, self.norm)
            self.conv = fused.to(memory_format=torch.channels_last)
            self.across = self.across.to(memory_format=torch.channels_last)
            self.norm = nn.Identity()


class FactoredFrontend(nn.Module):
    """Features (N, 2 T, F) -> (N, T, embedding), as ConvFrontend, with the convolutions after the first factored."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        if len(config.ranks) < len(config.channels) - 1:
            raise ValueError(f"{len(config.channels)} convolutions need {len(config.channels) - 1} ranks")
        first = CausalConv2d(1, config.channels[0], (4, 5), (FRAMES_PER_BLOCK, 2), size)
        layers: list[CausalConv2d | FactoredConv2d] = [first]
        for c_in, c_out, rank in zip(config.channels, config.channels[1:], config.ranks, strict=False):
            layers.append(FactoredConv2d(c_in, c_out, rank, layers[-1].bins_out))
        self.layers = nn.ModuleList(layers)
        flat = config.channels[-1] * layers[-1].bins_out
        self.project = nn.Sequential(nn.Linear(flat, config.embedding), nn.ReLU(), nn.Dropout(config.dropout))
        self.size_out = config.embedding

    def _layers(self) -> Sequence[tuple[str, CausalConv2d | FactoredConv2d]]:
        kinds = (CausalConv2d, FactoredConv2d)
        return [(f"conv{i}", layer) for i, layer in enumerate(self.layers) if isinstance(layer, kinds)]

    def init_state(self, batch: int, device: torch.device) -> NetState:
        return {name: torch.zeros(batch, *layer.shape_in, device=device) for name, layer in self._layers()}

    def forward(self, x: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        x, new = x.unsqueeze(3), {}
        for name, layer in self._layers():
            x, new[name] = layer(x, state[name])
        projected: Tensor = self.project(x.transpose(2, 3).flatten(2))
        return projected, new

    def fold(self) -> None:
        for _, layer in self._layers():
            layer.fold()


class PairFrontend(nn.Module):
    """Features (N, 2 T, F) -> (N, T, embedding): the two frames of a block, projected. No memory."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        width = size * FRAMES_PER_BLOCK
        self.project = nn.Sequential(nn.Linear(width, config.embedding), nn.ReLU(), nn.Dropout(config.dropout))
        self.size_out = config.embedding

    def init_state(self, batch: int, device: torch.device) -> NetState:  # noqa: ARG002
        return {}

    def forward(self, x: Tensor, state: NetState) -> tuple[Tensor, NetState]:  # noqa: ARG002
        projected: Tensor = self.project(x.reshape(x.shape[0], -1, FRAMES_PER_BLOCK * x.shape[2]))
        return projected, {}

    def fold(self) -> None:
        """Do nothing: there is nothing to fold."""


AloneFrontend = ConvFrontend | FactoredFrontend | PairFrontend


class JoinedFrontend(nn.Module):
    """Several features side by side (N, 2 T, F) -> (N, T, sum of embeddings), each through a front end of its own.

    alone: what a network of this kind has for features in order; those in none are projected.
    The first has the configuration's channels and embedding, the others half of them: they add what it does not see.
    """

    def __init__(
        self,
        layout: Sequence[FeatureLayout],
        config: NetworkConfig,
        alone: type[ConvFrontend] | type[FactoredFrontend] | type[PairFrontend],
    ) -> None:
        super().__init__()
        half = replace(
            config,
            channels=tuple(c // 2 for c in config.channels),
            ranks=tuple(r // 2 for r in config.ranks),
            embedding=config.embedding // 2,
        )
        self.sizes = [part.size for part in layout]
        self.parts = nn.ModuleList(
            (alone if part.ordered else PairFrontend)(part.size, half if i else config) for i, part in enumerate(layout)
        )
        self.size_out = config.embedding + half.embedding * (len(layout) - 1)

    def _parts(self) -> list[tuple[str, AloneFrontend]]:
        kinds = (ConvFrontend, FactoredFrontend, PairFrontend)
        return [(f"part{i}.", part) for i, part in enumerate(self.parts) if isinstance(part, kinds)]

    def init_state(self, batch: int, device: torch.device) -> NetState:
        return {name + k: v for name, part in self._parts() for k, v in part.init_state(batch, device).items()}

    def forward(self, x: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        joined: list[Tensor] = []
        new: NetState = {}
        for (name, part), own in zip(self._parts(), torch.split(x, self.sizes, dim=2), strict=True):
            held = {k.removeprefix(name): v for k, v in state.items() if k.startswith(name)}
            z, after = part(own, held)
            joined.append(z)
            new |= {name + k: v for k, v in after.items()}
        return torch.cat(joined, dim=2), new

    def fold(self) -> None:
        for _, part in self._parts():
            part.fold()
