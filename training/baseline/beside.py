"""The figures of a network that hears whole clips beside those of the one that streams, over the same clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import best_device
from training.baseline.bilstm import Bilstm, load_bilstm, log_odds
from training.baseline.clip_store import class_numbers, logits_of_clips
from training.corpora.bank import AudioBank
from training.corpora.work_progress import Log, log_progress
from training.evaluate.comparison import BASELINE, STREAMED, Comparison, OfflineComparison, compared
from training.evaluate.evaluate import Compare
from training.evaluate.part_figures import ALL, Trials, part_names


def score_bank(
    network: Bilstm, bank: AudioBank, name: str, log: Log
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return of each clip (n,) the log odds in nats, and whether its class was named: 1, 0, or NaN where it is none."""
    logits = logits_of_clips(network, bank, progress=log_progress(log, f"{name}, whole clips scored"))
    target = class_numbers(bank.clips, network.config.classes)
    right = np.where(target >= 0, logits.argmax(1).numpy() == target, np.nan)
    return log_odds(logits).double().numpy(), right


def comparison(weights: Path, device: str) -> Compare:
    """Return the comparison that an evaluation can make with a baseline network. Raises CheckpointError."""
    network, metadata = load_bilstm(weights, best_device(device))
    return partial(side_by_side, OfflineNetwork(weights, network, metadata))


@dataclass(frozen=True)
class OfflineNetwork:
    """An offline network and where it came from."""

    path: Path
    network: Bilstm
    metadata: Mapping[str, str]


def side_by_side(
    offline: OfflineNetwork, banks: Mapping[str, AudioBank], trials: Mapping[str, Trials], rounds: int, log: Log
) -> OfflineComparison:
    """Score every bank, by channel, of which the trials tell what the streamed network says."""
    figures: dict[str, dict[str, dict[str, Comparison]]] = {}
    for channel, bank in banks.items():
        score, right = score_bank(offline.network, bank, channel, log)
        label, ours = trials[channel].label, trials[channel]
        figures[channel] = {}
        for part in part_names(bank.clips):
            rows = np.ones(len(label), dtype=bool) if part == ALL else ours.names("part") == part
            known = rows & ~np.isnan(right)
            figures[channel][part] = {
                STREAMED: compared(ours.llr[rows], label[rows], rounds),
                BASELINE: compared(
                    score[rows], label[rows], rounds, float(right[known].mean()) if known.any() else None
                ),
            }
    learned = json.loads(offline.metadata["training"])
    return OfflineComparison(offline.path, offline.metadata["sha256"], learned, offline.network.config.classes, figures)
