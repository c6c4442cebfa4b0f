"""Causal networks with explicit state: forward(x, ok, state) -> (output, state).

State is a dict of tensors, each with the streams along its first axis: it can be stacked, indexed and saved. The
recurrent part advances over speech alone: h and c stand still while a block is not speech, so that pauses,
music and tones cannot make them drift (the trouble of carried state; cf. Zeyer et al., IWSLT 2017, and the
streaming conventions of icefall's lstm.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.branches import BranchedFrontend, BranchedRecurrent
from model.config import NetworkConfig
from model.features import FeatureLayout
from model.frontends import ConvFrontend, FactoredFrontend, JoinedFrontend, NetState, PairFrontend

FEW_BLOCKS = 4
"""So many at once are heard one after the other."""

Frontend = ConvFrontend | FactoredFrontend | PairFrontend | JoinedFrontend | BranchedFrontend


@dataclass(frozen=True)
class NetworkOutput:
    """The outputs for T blocks: spoof (N, T) logit, > 0 = synthetic; family (N, T, K) logits; speech (N, T) logit.

    active (N, T) bool: the blocks that are speech, the only ones whose spoof and family mean anything.
    embedding (N, T, D): what the heads see.
    """

    spoof: Tensor
    family: Tensor
    speech: Tensor
    active: Tensor
    embedding: Tensor


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
        if x.shape[1] <= FEW_BLOCKS and not self.training:
            return self._few_blocks(x, active, state)
        h, c = state["h"].transpose(0, 1).contiguous(), state["c"].transpose(0, 1).contiguous()
        y, h, c = (self._packed if x.is_cuda else self._compacted)(x, active, h, c)
        return y, {"h": h.transpose(0, 1), "c": c.transpose(0, 1)}

    def _few_blocks(self, x: Tensor, active: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        """Block after block: what is heard while streaming."""
        outputs = []
        for t in range(x.shape[1]):
            y, state = self._one_block(x[:, t], active[:, t : t + 1], state)
            outputs.append(y)
        return torch.cat(outputs, dim=1), state

    def _one_block(self, x: Tensor, active: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        """Return the same arithmetic as self.lstm over a sequence of one, without what it does to prepare for more."""
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
        counts, order, gathered = _gathered(x, active)
        outputs, at, state = [], 0, (h, c)
        for end in sorted(set(counts.tolist()) - {0}):
            y, state = self.lstm(gathered[:, at:end], state)
            outputs.append(y)
            done = (counts == end)[None, :, None]
            h, c, at = torch.where(done, state[0], h), torch.where(done, state[1], c), end
        outputs.append(x.new_zeros(x.shape[0], x.shape[1] - at, self.hidden))
        back = torch.argsort(order, dim=1)
        return torch.take_along_dim(torch.cat(outputs, dim=1), back[..., None], dim=1), h, c

    def _packed(self, x: Tensor, active: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same by packed sequences, in one call: on a GPU each call costs more than what it computes."""
        counts, order, gathered = _gathered(x, active)
        lengths = counts.clamp(min=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(gathered, lengths, batch_first=True, enforce_sorted=False)
        run, (last_h, last_c) = self.lstm(packed, (h, c))
        y, _ = nn.utils.rnn.pad_packed_sequence(run, batch_first=True, total_length=x.shape[1])
        heard = (counts > 0)[None, :, None]
        back = torch.argsort(order, dim=1)
        y = torch.take_along_dim(y, back[..., None], dim=1) * active[..., None]
        return y, torch.where(heard, last_h, h), torch.where(heard, last_c, c)


def _gathered(x: Tensor, active: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return how many blocks are active (N,), the order (N, T) that brings them to the front, and x (N, T, D) in it."""
    order = torch.argsort((~active).to(torch.int8), dim=1, stable=True)
    return active.sum(1), order, torch.take_along_dim(x, order[..., None], dim=1)


class NoRecurrence(nn.Module):
    """Takes the place of the LSTM in a network that has only its convolutions' memory."""

    def __init__(self, size: int, config: NetworkConfig) -> None:  # noqa: ARG002
        super().__init__()
        self.size_out = size

    def init_state(self, batch: int, device: torch.device) -> NetState:  # noqa: ARG002
        return {}

    def forward(self, x: Tensor, active: Tensor, state: NetState) -> tuple[Tensor, NetState]:  # noqa: ARG002
        return x, {}


class OneClassHead(nn.Module):
    """Embeddings (N, T, D) -> logits (N, T, 1): how far each points away from the one direction of bona fide speech.

    The cosine runs from 1, bona fide, to -1; the logit is 0 half way between the two margins of the one-class softmax
    (Zhang, Jiang and Duan, IEEE Signal Processing Letters 28, 2021), with their scale.
    """

    SCALE, GENUINE, SPOOF = 20.0, 0.9, 0.2

    def __init__(self, size: int) -> None:
        super().__init__()
        self.in_features = size
        self.weight = nn.Parameter(torch.empty(1, size))
        nn.init.kaiming_uniform_(self.weight, 0.25)

    def forward(self, x: Tensor) -> Tensor:
        cosine = nn.functional.normalize(x, dim=2) @ nn.functional.normalize(self.weight, dim=1).T
        return self.SCALE * ((self.GENUINE + self.SPOOF) / 2 - cosine)


ONE_CLASS_MARGIN = OneClassHead.SCALE * (OneClassHead.GENUINE - OneClassHead.SPOOF) / 2
"""Size of the logits that a OneClassHead is asked for."""


class CodecHead(nn.Module):
    """Embeddings (N, T, D) -> logits (N, T, 1) of a linear layer, smaller where a second one detects a codec that
    leaves little of what tells a fake, such as AMR: there the logit is scaled and moved, by the codec's probability.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.in_features = size
        self.spoof, self.codec = nn.Linear(size, 1), nn.Linear(size, 1)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.spoof(x)
        return logit + torch.sigmoid(self.codec(x)) * ((self.scale - 1.0) * logit + self.offset)


Head = nn.Linear | OneClassHead | CodecHead
HEADS: dict[str, Callable[[int], Head]] = {
    "linear": lambda size: nn.Linear(size, 1),
    "one-class": OneClassHead,
    "codec": CodecHead,
}


class Network(nn.Module):
    """Front end, recurrent part, and three heads: speech activity, bona fide or spoof, synthesis family.

    The speech head sits before the recurrent part, since it decides which blocks reach it.
    """

    def __init__(
        self,
        frontend: Frontend,
        recurrent: SpeechLstm | NoRecurrence | BranchedRecurrent,
        families: int,
        config: NetworkConfig,
    ) -> None:
        super().__init__()
        self.frontend, self.recurrent = frontend, recurrent
        self.dropout = nn.Dropout(config.dropout)
        self.speech = nn.Linear(frontend.size_out, 1)
        self.spoof: Head = HEADS[config.head](recurrent.size_out)
        self.family = nn.Linear(recurrent.size_out, families)

    def init_state(self, batch: int) -> NetState:
        """Return the state of `batch` streams that have had no audio."""
        device = self.speech.weight.device
        return self.frontend.init_state(batch, device) | self.recurrent.init_state(batch, device)

    def forward(
        self, x: Tensor, ok: Tensor, state: NetState, speech: Tensor | None = None
    ) -> tuple[NetworkOutput, NetState]:
        """Score x (N, 2 T, F), the features. ok: (N, T) bool, from the gate. speech: (N, T) bool, the truth, in
        training.
        """
        z, front_state = self.frontend(x, state)
        speech_logit = self.speech(z).squeeze(-1)
        active = ok & (speech_logit > 0 if speech is None else speech)
        y, recurrent_state = self.recurrent(z, active, state)
        y = self.dropout(y)
        output = NetworkOutput(self.spoof(y).squeeze(-1), self.family(y), speech_logit, active, y)
        return output, front_state | recurrent_state

    def fold(self) -> None:
        """Prepare for inference: the same function in fewer operations."""
        self.frontend.fold()


def _build(
    alone: type[ConvFrontend] | type[FactoredFrontend] | type[PairFrontend],
    recurrent: type[SpeechLstm] | type[NoRecurrence],
) -> Callable[[NetworkConfig, Sequence[FeatureLayout], int], Network]:
    def build(config: NetworkConfig, layout: Sequence[FeatureLayout], families: int) -> Network:
        frontend = alone(layout[0].size, config) if len(layout) == 1 else JoinedFrontend(layout, config, alone)
        return Network(frontend, recurrent(frontend.size_out, config), families, config)

    return build


BRANCHES = "branches"
"""The kind of a network that is made of others: training average --side-by-side."""

NETWORKS: dict[str, Callable[[NetworkConfig, Sequence[FeatureLayout], int], Network]] = {
    "cnn-lstm": _build(ConvFrontend, SpeechLstm),
    "factored-lstm": _build(FactoredFrontend, SpeechLstm),
    "lstm": _build(PairFrontend, SpeechLstm),
    "cnn": _build(ConvFrontend, NoRecurrence),
}


def _branches(config: NetworkConfig, layout: Sequence[FeatureLayout], families: int) -> Network:
    """Return the members of a configuration side by side."""
    parts = [build_network(member, layout, families) for member in config.members]
    size = sum(part.size for part in layout)
    alone = [part.frontend for part in parts if not isinstance(part.frontend, BranchedFrontend)]
    if not alone or len(alone) < len(parts):
        raise ValueError("a network of branches needs members, none of which is made of branches itself")
    frontend = BranchedFrontend(alone, size)
    return Network(frontend, BranchedRecurrent([part.recurrent for part in parts], frontend.sizes), families, config)


def build_network(config: NetworkConfig, layout: Sequence[FeatureLayout], families: int) -> Network:
    """Return a network for features of this layout. Raises ValueError for a kind or a head that is not registered."""
    if config.kind == BRANCHES:
        return _branches(config, layout, families)
    if config.kind not in NETWORKS:
        raise ValueError(f"no network {config.kind!r}; there are {', '.join(NETWORKS)}")
    if config.head not in HEADS:
        raise ValueError(f"no head {config.head!r}; there are {', '.join(HEADS)}")
    return NETWORKS[config.kind](config, layout, families)
