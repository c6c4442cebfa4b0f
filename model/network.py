"""Causal networks with explicit state: forward(x, ok, state) -> (output, state).

State is a dict of tensors, each with the streams along its first axis: it can be stacked, indexed and saved. The
recurrent part advances over speech alone: h and c stand still while a block is not speech, so that pauses,
music and tones cannot make them drift (the trouble of carried state; cf. Zeyer et al., IWSLT 2017, and the
streaming conventions of icefall's lstm.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.config import FRAMES_PER_BLOCK, NetworkConfig

NetState = dict[str, Tensor]


@dataclass(frozen=True)
class Output:
    """Of T blocks: spoof (N, T) logit, > 0 = synthetic; family (N, T, K) logits; speech (N, T) logit.

    active (N, T) bool: the blocks that are speech, the only ones whose spoof and family mean anything.
    embedding (N, T, D): what the heads see.
    """

    spoof: Tensor
    family: Tensor
    speech: Tensor
    active: Tensor
    embedding: Tensor


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
        self.bins_out = (bins + 2 * padding - kernel[1]) // stride[1] + 1
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


class PairFrontend(nn.Module):
    """Features (N, 2 T, F) -> (N, T, embedding): the two frames of a block, projected. No memory."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        width = size * FRAMES_PER_BLOCK
        self.project = nn.Sequential(nn.Linear(width, config.embedding), nn.ReLU(), nn.Dropout(config.dropout))

    def init_state(self, batch: int, device: torch.device) -> NetState:  # noqa: ARG002
        return {}

    def forward(self, x: Tensor, state: NetState) -> tuple[Tensor, NetState]:  # noqa: ARG002
        projected: Tensor = self.project(x.reshape(x.shape[0], -1, FRAMES_PER_BLOCK * x.shape[2]))
        return projected, {}

    def fold(self) -> None:
        """Nothing to fold."""


class SpeechLstm(nn.Module):
    """A unidirectional LSTM over the active blocks of (N, T, D); the others leave h and c as they are."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        self.layers, self.hidden = config.layers, config.hidden
        dropout = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(size, config.hidden, config.layers, batch_first=True, dropout=dropout)
        self.size_out = config.hidden

    def init_state(self, batch: int, device: torch.device) -> NetState:
        zeros = torch.zeros(batch, self.layers, self.hidden, device=device)
        return {"h": zeros, "c": zeros.clone()}

    def forward(self, x: Tensor, active: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        if x.shape[1] == 1:
            return self._one_block(x.squeeze(1), active, state)
        h, c = state["h"].transpose(0, 1).contiguous(), state["c"].transpose(0, 1).contiguous()
        y, h, c = self._compacted(x, active, h, c)
        return y, {"h": h.transpose(0, 1), "c": c.transpose(0, 1)}

    def _one_block(self, x: Tensor, active: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        """The same arithmetic as self.lstm over a sequence of one, without what it does to prepare for more."""
        hs, cs = [], []
        for i, weights in enumerate(self.lstm.all_weights):
            x, c = torch.lstm_cell(x, (state["h"][:, i], state["c"][:, i]), *weights)
            hs.append(x)
            cs.append(c)
        keep = active[:, :, None]
        h, c = torch.stack(hs, dim=1), torch.stack(cs, dim=1)
        return x[:, None], {"h": torch.where(keep, h, state["h"]), "c": torch.where(keep, c, state["c"])}

    def _compacted(self, x: Tensor, active: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run over the active blocks, moved together; outputs are put back to their places.

        The run pauses where a stream has no more active blocks, to take its state there: on a CPU that is several
        times faster than torch's packed sequences.
        """
        counts = active.sum(1)
        order = torch.argsort((~active).to(torch.int8), dim=1, stable=True)
        gathered = torch.take_along_dim(x, order[..., None], dim=1)
        outputs, at, state = [], 0, (h, c)
        for end in sorted(set(counts.tolist()) - {0}):
            y, state = self.lstm(gathered[:, at:end], state)
            outputs.append(y)
            done = (counts == end)[None, :, None]
            h, c, at = torch.where(done, state[0], h), torch.where(done, state[1], c), end
        outputs.append(x.new_zeros(x.shape[0], x.shape[1] - at, self.hidden))
        back = torch.argsort(order, dim=1)
        return torch.take_along_dim(torch.cat(outputs, dim=1), back[..., None], dim=1), h, c


class NoMemory(nn.Module):
    """Takes the place of the LSTM in a network that has only its convolutions' memory."""

    def __init__(self, size: int, config: NetworkConfig) -> None:  # noqa: ARG002
        super().__init__()
        self.size_out = size

    def init_state(self, batch: int, device: torch.device) -> NetState:  # noqa: ARG002
        return {}

    def forward(self, x: Tensor, active: Tensor, state: NetState) -> tuple[Tensor, NetState]:  # noqa: ARG002
        return x, {}


class Network(nn.Module):
    """Front end, recurrent part, and three heads: speech activity, bona fide or spoof, synthesis family.

    The speech head sits before the recurrent part, since it decides which blocks reach it.
    """

    def __init__(
        self,
        frontend: ConvFrontend | PairFrontend,
        recurrent: SpeechLstm | NoMemory,
        embedding: int,
        families: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.frontend, self.recurrent = frontend, recurrent
        self.dropout = nn.Dropout(dropout)
        self.speech = nn.Linear(embedding, 1)
        self.spoof = nn.Linear(recurrent.size_out, 1)
        self.family = nn.Linear(recurrent.size_out, families)

    def init_state(self, batch: int) -> NetState:
        """State of `batch` streams that have heard nothing."""
        device = self.speech.weight.device
        return self.frontend.init_state(batch, device) | self.recurrent.init_state(batch, device)

    def forward(self, x: Tensor, ok: Tensor, state: NetState, speech: Tensor | None = None) -> tuple[Output, NetState]:
        """x (N, 2 T, F) features, ok (N, T) bool from the gate, speech (N, T) bool = the truth, in training."""
        z, front_state = self.frontend(x, state)
        speech_logit = self.speech(z).squeeze(-1)
        active = ok & (speech_logit > 0 if speech is None else speech)
        y, recurrent_state = self.recurrent(z, active, state)
        y = self.dropout(y)
        output = Output(self.spoof(y).squeeze(-1), self.family(y), speech_logit, active, y)
        return output, front_state | recurrent_state

    def fold(self) -> None:
        """Prepare for inference: the same function in fewer operations."""
        self.frontend.fold()


def _build(
    frontend: type[ConvFrontend] | type[PairFrontend], recurrent: type[SpeechLstm] | type[NoMemory]
) -> Callable[[NetworkConfig, int, int], Network]:
    def build(config: NetworkConfig, size: int, families: int) -> Network:
        return Network(
            frontend(size, config),
            recurrent(config.embedding, config),
            config.embedding,
            families,
            config.dropout,
        )

    return build


NETWORKS: dict[str, Callable[[NetworkConfig, int, int], Network]] = {
    "cnn-lstm": _build(ConvFrontend, SpeechLstm),
    "lstm": _build(PairFrontend, SpeechLstm),
    "cnn": _build(ConvFrontend, NoMemory),
}


def build_network(config: NetworkConfig, size: int, families: int) -> Network:
    """A network for `size` features a frame. Raises ValueError for a kind that is not registered."""
    if config.kind not in NETWORKS:
        raise ValueError(f"no network {config.kind!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[config.kind](config, size, families)
