"""Whole clips through the network in one call each, with what the gate says of them computed once.

The scores are those of the streaming step but for rounding: the network is causal, and the gate hears no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import BLOCK, FRAMES_PER_BLOCK, GateConfig
from model.features import TAIL, hann, spectra
from model.figures import Kind
from model.gate import clean, gate, init_gate
from model.stream import Detector

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Stack:
    """Clips of like length. rows: their numbers. audio: float32 (N, TAIL + B * BLOCK). ok: bool (N, B), nothing speaks
    against speech.
    """

    rows: list[int]
    audio: Tensor
    ok: Tensor


def _judged(audio: Tensor, config: GateConfig) -> Tensor:
    """Return ok (N, B) of audio (N, TAIL + B * BLOCK)."""
    state, window, ok = init_gate(config, len(audio), audio.device), hann(), []
    for at in range(0, audio.shape[1] - TAIL, BLOCK):
        part = audio[:, at : at + TAIL + BLOCK]
        spectrum = spectra(part, window)[:, FRAMES_PER_BLOCK - 1]
        block, gap, invalid = clean(part[:, TAIL:])
        state, kind, _ = gate(config, state, block, spectrum.real.square() + spectrum.imag.square(), gap, invalid)
        ok.append(kind == Kind.SPEECH)
    return torch.stack(ok, dim=1)


def stacked(clips: Sequence[Audio], config: GateConfig, size: int = 128) -> list[Stack]:
    """Return the clips float32 (n,) at 16 kHz, finite, in stacks of at most `size`; what is left of a block is not
    heard."""
    order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
    made = []
    for first in range(0, len(order), size):
        rows = order[first : first + size]
        blocks = max(1, len(clips[rows[-1]]) // BLOCK)
        audio = torch.zeros(len(rows), TAIL + blocks * BLOCK)
        inside = torch.zeros(len(rows), blocks, dtype=torch.bool)
        for row, i in enumerate(rows):
            whole = len(clips[i]) // BLOCK * BLOCK
            audio[row, TAIL : TAIL + whole] = torch.from_numpy(clips[i][:whole])
            inside[row, : whole // BLOCK] = True
        made.append(Stack(rows, audio, _judged(audio, config) & inside))
    return made


def active_blocks(detector: Detector, stacks: Sequence[Stack]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield the number of each clip, and of its active blocks the logits (A,) and what the heads see (A, D), from a
    prepared detector on a CPU.
    """
    with torch.inference_mode():
        for stack in stacks:
            features = detector.features(spectra(stack.audio, detector.window))
            out, _ = detector.network(features, stack.ok, detector.network.init_state(len(stack.rows)))
            for row, i in enumerate(stack.rows):
                yield i, out.spoof[row][out.active[row]], out.embedding[row][out.active[row]]


def mean_logits(detector: Detector, stacks: Sequence[Stack]) -> NDArray[np.float64]:
    """Return the mean logit of each clip over its active blocks; 0 without any."""
    found = {i: float(logits.mean()) if len(logits) else 0.0 for i, logits, _ in active_blocks(detector, stacks)}
    return np.array([found[i] for i in range(len(found))])


def mean_states(detector: Detector, stacks: Sequence[Stack]) -> NDArray[np.float64]:
    """Return what the heads see of each clip (n, D), the mean over its active blocks; zeros without any."""
    found = {i: state.sum(0) / max(len(state), 1) for i, _, state in active_blocks(detector, stacks)}
    return torch.stack([found[i] for i in range(len(found))]).double().numpy()
