"""Whole clips as batches on a device, and what the network says of all clips of a bank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import WINDOW
from training.baseline.bilstm import Bilstm
from training.corpora.bank import AudioBank
from training.corpora.clips import BONA_FIDE, Clip
from training.corpora.work_progress import Progress

FEWEST = 20
"""Training clips that a system needs to be a class of its own; the others are named by their family."""


def class_names(clips: Sequence[Clip], fewest: int = FEWEST) -> tuple[str, ...]:
    """Return bonafide, then the systems of the fakes, or families where a system has too few clips."""
    sizes = Counter(c.system for c in clips if c.label)
    names = {c.system if c.system and sizes[c.system] >= fewest else c.family for c in clips if c.label}
    return (BONA_FIDE, *sorted(names))


def class_numbers(clips: Sequence[Clip], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return (n,) the class of each clip, by its system or else its family; -1 for a fake of a kind that is none of
    them.
    """
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index.get(c.system, index.get(c.family, -1)) if c.label else 0 for c in clips], dtype=np.int64)


class ClipStore:
    """A bank's audio on a device."""

    def __init__(self, bank: AudioBank, device: torch.device) -> None:
        self.audio = torch.from_numpy(np.array(bank.audio)).to(device)
        self.start = np.asarray(bank.bounds[:-1])
        self.length = np.diff(bank.bounds)
        self.device = device

    def batch(self, rows: NDArray[Any], skip: NDArray[Any], longest: int) -> tuple[Tensor, Tensor]:
        """Return the clips `rows` from their sample `skip` on, at most `longest` samples: audio (N, S), zeros after a
        clip's end, and samples int64 (N,) on the CPU. A window is the least that is given.
        """
        counts = torch.from_numpy(np.minimum(self.length[rows] - skip, longest))
        first = torch.from_numpy(self.start[rows] + skip).to(self.device)
        places = torch.arange(max(int(counts.max()), WINDOW), device=self.device)
        inside = places < counts.to(self.device)[:, None]
        found = self.audio[(first[:, None] + places).clamp(max=len(self.audio) - 1)]
        return found * inside / 32768.0, counts


def logits_of_clips(network: Bilstm, bank: AudioBank, size: int = 32, progress: Progress | None = None) -> Tensor:
    """Return the logits (n, K), on the CPU, of all clips of a bank, each heard from its first sample to its last."""
    store = ClipStore(bank, network.window.device)
    order = np.argsort(store.length, kind="stable")
    logits = torch.zeros(len(order), len(network.config.classes))
    training = network.training
    network.eval()
    with torch.inference_mode():
        for at in range(0, len(order), size):
            rows = order[at : at + size]
            audio, samples = store.batch(rows, np.zeros_like(rows), int(store.length[rows].max()))
            logits[torch.from_numpy(rows)] = network(audio, samples).float().cpu()
            if progress:
                progress(min(at + size, len(order)), len(order))
    network.train(training)
    return logits
