"""The one scoring path: step(detector, state, samples) -> (state, scores).

Training, evaluation, replay and live calls go through it. State is a value: nothing is hidden in the detector, no
reset exists, and two streams can share a call by being stacked along the first axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from model.bandwidth import BandwidthState, bandwidth, init_bandwidth
from model.config import BLOCK, FRAMES_PER_BLOCK, DetectorConfig
from model.features import TAIL, AnyFeatures, build_features, hann, spectra
from model.figures import Kind
from model.frontends import NetState
from model.gate import GateState, clean, gate, init_gate
from model.network import Network, build_network


class Detector(nn.Module):
    """Features and network of one configuration. Holds parameters only; raises ValueError for an impossible one."""

    window: Tensor

    def __init__(self, config: DetectorConfig, weights_hash: str = "") -> None:
        super().__init__()
        self.config = config
        self.weights_hash = weights_hash
        self.features: AnyFeatures = build_features(config.features)
        self.network: Network = build_network(config.network, self.features.layout, len(config.families))
        self.register_buffer("window", hann(), persistent=False)

    @property
    def device(self) -> torch.device:
        return self.window.device

    def prepared(self) -> Detector:
        """Prepare for inference: evaluation mode, normalisation folded, no gradients. Returns itself."""
        self.eval().requires_grad_(False)
        self.network.fold()
        return self


@dataclass(frozen=True)
class StreamState:
    """The state of N streams.

    pending: (N, p) samples that wait for their block to fill, p < BLOCK. tail: (N, TAIL) samples that the
    next window shares. blocks: int64 (N,), blocks heard.
    """

    pending: Tensor
    tail: Tensor
    blocks: Tensor
    gate: GateState
    bandwidth: BandwidthState
    net: NetState

    def tensors(self) -> dict[str, Tensor]:
        """Return flat names and tensors, each with N along the first axis: what is saved, stacked and indexed."""
        flat = {"pending": self.pending, "tail": self.tail, "blocks": self.blocks}
        flat |= {f"gate.{k}": v for k, v in self.gate.items()}
        flat |= {f"bandwidth.{k}": v for k, v in self.bandwidth.items()}
        return flat | {f"net.{k}": v for k, v in self.net.items()}

    @classmethod
    def from_tensors(cls, flat: Mapping[str, Tensor]) -> StreamState:
        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in flat.items() if k.startswith(prefix)}

        kept = flat["pending"], flat["tail"], flat["blocks"]
        return cls(*kept, part("gate."), part("bandwidth."), part("net."))


@dataclass(frozen=True)
class Scores:
    """The scores of B blocks of N streams, all (N, B) unless said otherwise.

    spoof: logit of the network, > 0 = synthetic. speech: probability. kind: model.gate.Kind, int64. active: bool,
    the blocks that are speech and carry evidence. family: (N, B, K) probabilities. level: dBFS. end: int64 index
    after the block's last sample. warm: bool, enough blocks were heard since the cold state. bandwidth: int64 of
    model.bandwidth.Bandwidth.
    """

    spoof: Tensor
    speech: Tensor
    kind: Tensor
    active: Tensor
    family: Tensor
    level: Tensor
    end: Tensor
    warm: Tensor
    bandwidth: Tensor


def init_state(detector: Detector, batch: int = 1) -> StreamState:
    """Return the state of `batch` streams that have heard nothing."""
    device = detector.device
    return StreamState(
        pending=torch.zeros(batch, 0, device=device),
        tail=torch.zeros(batch, TAIL, device=device),
        blocks=torch.zeros(batch, dtype=torch.int64, device=device),
        gate=init_gate(detector.config.gate, batch, device),
        bandwidth=init_bandwidth(batch, device),
        net=detector.network.init_state(batch),
    )


def select(state: StreamState, rows: Tensor | slice) -> StreamState:
    """Return the streams named by rows: int64 (M,); those of a slice are not copied."""
    held = state.tensors().items()
    if isinstance(rows, slice):
        return StreamState.from_tensors({k: v[rows] for k, v in held})
    return StreamState.from_tensors({k: v.index_select(0, rows) for k, v in held})


def assign(state: StreamState, rows: Tensor | slice, new: StreamState) -> None:
    """Write the streams of `new` into rows: int64 (M,) or a slice of state, in place."""
    fresh = new.tensors()
    with torch.inference_mode():  # The state may be one that step() made, which nothing else may change.
        for name, tensor in state.tensors().items():
            if isinstance(rows, slice):
                tensor[rows].copy_(fresh[name])
            else:
                tensor.index_copy_(0, rows, fresh[name])


def step(detector: Detector, state: StreamState, samples: Tensor) -> tuple[StreamState, Scores]:
    """Hear samples: float32 (N, n) at 16 kHz, any n; NaN = lost, infinite = invalid. Scores whole blocks only."""
    if samples.ndim != 2 or samples.shape[0] != state.tail.shape[0]:
        raise ValueError(f"samples of shape {tuple(samples.shape)} for {state.tail.shape[0]} streams")
    with torch.inference_mode():
        joined = samples.to(detector.device, torch.float32)
        if state.pending.shape[1]:
            joined = torch.cat([state.pending, joined], dim=1)
        whole, results = joined.shape[1] // BLOCK * BLOCK, []
        for at in range(0, whole, BLOCK):
            state, scores = score_blocks(detector, state, joined[:, at : at + BLOCK])
            results.append(scores)
        # A copy, because the samples are the caller's and may change.
        state = replace(state, pending=joined[:, whole:].clone())
        return state, _join(results, detector, samples.shape[0])


SCORES = tuple(f.name for f in fields(Scores))


def score_blocks(detector: Detector, state: StreamState, samples: Tensor) -> tuple[StreamState, Scores]:
    """Return what step() does with a block, for several at once, which cost less each and score the same but for
    rounding: samples (N, B * BLOCK), and nothing that waits.
    """
    config = detector.config
    cleaned = [clean(block) for block in torch.split(samples, BLOCK, dim=1)]
    window = torch.cat([state.tail, *(block for block, _, _ in cleaned)], dim=1)
    spectrum = spectra(window, detector.window)
    last = spectrum[:, FRAMES_PER_BLOCK - 1 :: FRAMES_PER_BLOCK]
    power = last.real.square() + last.imag.square()
    gate_state, kinds, levels = state.gate, [], []
    for b, (block, gap, invalid) in enumerate(cleaned):
        gate_state, kind, level = gate(config.gate, gate_state, block, power[:, b], gap, invalid)
        kinds.append(kind)
        levels.append(level)
    kind = torch.stack(kinds, dim=1)
    ok = kind == Kind.SPEECH
    out, net = detector.network(detector.features(spectrum), ok, state.net)
    band_state, bands = state.bandwidth, []
    for b in range(len(cleaned)):
        band_state, band = bandwidth(band_state, power[:, b], out.active[:, b])
        bands.append(band)
    joined = state.blocks[:, None] + torch.arange(1, len(cleaned) + 1, device=samples.device)
    scores = Scores(
        spoof=out.spoof,
        speech=torch.sigmoid(out.speech),
        kind=kind.masked_fill(ok & ~out.active, Kind.NOT_SPEECH),
        active=out.active,
        family=torch.softmax(out.family, dim=2),
        level=torch.stack(levels, dim=1),
        end=joined * BLOCK,
        warm=joined >= config.warm_blocks,
        bandwidth=torch.stack(bands, dim=1),
    )
    return StreamState(state.pending, window[:, -TAIL:], joined[:, -1], gate_state, band_state, net), scores


def _join(parts: list[Scores], detector: Detector, batch: int) -> Scores:
    if not parts:
        return _nothing(detector, batch)
    if len(parts) == 1:
        return parts[0]
    return Scores(**{name: torch.cat([getattr(p, name) for p in parts], dim=1) for name in SCORES})


def _nothing(detector: Detector, batch: int) -> Scores:
    number = torch.zeros(batch, 0, device=detector.device)
    whole, flag = number.to(torch.int64), number.to(torch.bool)
    family = torch.zeros(batch, 0, len(detector.config.families), device=detector.device)
    return Scores(number, number, whole, flag, family, number, whole, flag, whole)
