"""The figures of a network that hears whole clips beside those of the one that streams, over the same clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.bank import AudioBank
from training.baseline.clips import class_numbers, hear
from training.baseline.network import NAME, Bilstm, load_bilstm, log_odds
from training.figures import ALL, Estimate, Trials, estimate, part_names
from training.loop import Say
from training.metrics import auc, eer

STREAMED = "streamed"


@dataclass(frozen=True)
class Compared:
    """accuracy: share of the clips on the right side of 0 nats; balanced: the mean of both labels' shares. named: share
    of the clips of known systems whose system is named; None for a network that names none.
    """

    eer: Estimate
    auc: Estimate
    accuracy: float
    balanced: float
    named: float | None = None


@dataclass(frozen=True)
class Beside:
    """An offline network in a report. figures: by channel, part, and network."""

    weights: Path
    weights_hash: str
    training: Mapping[str, Any]
    classes: tuple[str, ...]
    figures: Mapping[str, Mapping[str, Mapping[str, Compared]]]


def compared(score: NDArray[np.float64], label: NDArray[np.int64], rounds: int, named: float | None = None) -> Compared:
    """Figures of scores (n,) in nats, > 0 = synthetic."""
    right = (score > 0) == (label == 1)
    each = [float(right[label == k].mean()) for k in sorted(set(label.tolist()))]
    figures = estimate(eer, score, label, rounds), estimate(auc, score, label, rounds)
    return Compared(*figures, float(right.mean()), float(np.mean(each)), named)


def heard(network: Bilstm, bank: AudioBank, name: str, say: Say) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each clip (n,): log odds in nats, and whether its class was named: 1, 0, or NaN where it is none."""
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        say(f"{name}, whole files: {done} of {len(bank.clips)} clips scored")

    logits = hear(network, bank, progress=progress)
    target = class_numbers(bank.clips, network.config.classes)
    right = np.where(target >= 0, logits.argmax(1).numpy() == target, np.nan)
    return log_odds(logits).double().numpy(), right


@dataclass(frozen=True)
class Offline:
    """An offline network and where it came from."""

    path: Path
    network: Bilstm
    metadata: Mapping[str, str]


def read_offline(path: Path | None, device: torch.device) -> Offline | None:
    """Raises CheckpointError."""
    return Offline(path, *load_bilstm(path, device)) if path else None


def side_by_side(
    offline: Offline, banks: Mapping[str, AudioBank], trials: Mapping[str, Trials], rounds: int, say: Say
) -> Beside:
    """Score every bank, by channel, of which the trials tell what the streamed network says."""
    figures: dict[str, dict[str, dict[str, Compared]]] = {}
    for channel, bank in banks.items():
        score, right = heard(offline.network, bank, channel, say)
        label, ours = trials[channel].label, trials[channel]
        figures[channel] = {}
        for part in part_names(bank.clips):
            rows = np.ones(len(label), dtype=bool) if part == ALL else ours.names("part") == part
            known = rows & ~np.isnan(right)
            figures[channel][part] = {
                STREAMED: compared(ours.llr[rows], label[rows], rounds),
                NAME: compared(score[rows], label[rows], rounds, float(right[known].mean()) if known.any() else None),
            }
    learned = json.loads(offline.metadata["training"])
    return Beside(offline.path, offline.metadata["sha256"], learned, offline.network.config.classes, figures)
