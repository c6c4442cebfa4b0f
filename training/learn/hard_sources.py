"""Hard examples mined by page: sources that the weights of a training's start do badly on are drawn oftener.

Single hard examples (Shrivastava, Gupta and Girshick, CVPR 2016) are often wrong labels or spoilt clips; the mean over
a page of demonstrations, with its recordings and its systems, is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.stream import Detector
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip, CorpusError
from training.corpora.work_progress import Log, log_progress
from training.evaluate.clip_stacks import mean_logits, stacked
from training.learn.validation import folded_copy

Floats = NDArray[np.float64]
Group = tuple[str, str, int, str]

FEW = 6
"""Clips that are scored of each system of a source, and of its recordings."""
LEAST, MOST = 0.3, 3.0
"""Bounds of how often a source is drawn, relative to its share."""
AT_ONCE = 250


def group(clip: Clip) -> Group:
    """Return what a clip is scored with: part, source, label and system."""
    return clip.part, clip.source, clip.label, clip.system


def some_of_each(clips: Sequence[Clip], parts: Sequence[str]) -> dict[Group, list[int]]:
    """Return the numbers of at most FEW clips of each group of these parts, drawn at random. Raises CorpusError for a
    part without clips.
    """
    missing = sorted(set(parts) - {clip.part for clip in clips})
    if missing:
        there = ", ".join(sorted({clip.part for clip in clips if clip.part})) or "none has a name"
        raise CorpusError(f"no training clip is of part {', '.join(missing)}; there are {there}")
    members: dict[Group, list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        if clip.part in parts:
            members[group(clip)].append(i)
    rng = np.random.default_rng(3)
    return {name: sorted(rng.permutation(rows)[:FEW].tolist()) for name, rows in members.items()}


def factors(clips: Sequence[Clip], loss: Mapping[Group, float]) -> Floats:
    """Return how often each clip is drawn (n,), relative to its share: the loss of its source over the mean of all
    sources of its label, from LEAST to MOST; 1 for a clip whose group has none. loss: mean cross entropy of each group.
    """
    sums: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for clip in clips:
        if group(clip) in loss:
            sums[group(clip)[:3]].append(loss[group(clip)])
    means = {name: float(np.mean(values)) for name, values in sums.items()}
    labels = {name[2] for name in means}
    usual = {label: np.mean([v for name, v in means.items() if name[2] == label]) for label in labels}
    made = [means[group(c)[:3]] / usual[c.label] if group(c) in loss else 1.0 for c in clips]
    bounded: Floats = np.clip(np.array(made), LEAST, MOST)
    return bounded


def mined(detector: Detector, bank: AudioBank, parts: Sequence[str], log: Log) -> Floats:
    """Return how often each clip of a bank is drawn (n,), relative to its share, from a few clips of each source of
    these parts, without a channel, scored by a detector. Raises CorpusError.
    """
    chosen = some_of_each(bank.clips, parts)
    rows = sorted(i for some in chosen.values() for i in some)
    ready, logits = folded_copy(detector), np.zeros(len(bank.clips))
    progress = log_progress(log, "scoring sources, clips", every=1000)
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        logits[some] = mean_logits(ready, stacked([bank.clip(i) for i in some], detector.config.gate))
        progress(at + len(some), len(rows))
    wrong = np.where(np.array([clip.label for clip in bank.clips]) == 1, -logits, logits)
    losses = np.logaddexp(0.0, wrong)
    made = factors(bank.clips, {name: float(losses[some].mean()) for name, some in chosen.items()})
    log(f"sources are drawn {made.min():.1f} to {made.max():.1f} times as often as their share")
    return made
