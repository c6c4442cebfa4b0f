"""Draws training calls: rows of joined pieces of bona fide and synthetic speech, with pauses and other sounds.

Rows come in pairs: where one row has a recording, its twin has a synthetic copy of the same sentence at the same
place, and both go through the same channel and augmentation, so that the synthesis alone tells them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import BLOCK, HOP, SAMPLE_RATE
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip

NO_LABEL = -1


@dataclass(frozen=True)
class TrainingBatch:
    """audio: float32 (N, S). label: int64 (N, T) 0 bona fide, 1 spoof, NO_LABEL. family: int64 (N, T) or NO_LABEL.
    speech: bool (N, T). piece: int64 (N, T), number of the piece within the row, or NO_LABEL. pair: int64 (N,), rows
    of one number share their augmentation. aligned: bool (N, T), blocks where twin rows hold one sentence, in time.
    """

    audio: Tensor
    label: Tensor
    family: Tensor
    speech: Tensor
    piece: Tensor
    pair: Tensor
    aligned: Tensor


def speech_cells(
    audio: np.ndarray[Any, Any], bounds: np.ndarray[Any, Any], range_db: float = 30.0
) -> np.ndarray[Any, Any]:
    """Return which 10 ms cells of a bank's int16 audio are speech: at most range_db below the clip's loud cells."""
    cells = np.zeros(len(audio) // HOP + 1, dtype=bool)
    for start, end in pairwise(bounds.tolist()):
        first, last = start // HOP, end // HOP
        if last <= first:
            continue
        x = audio[first * HOP : last * HOP].astype(np.float32).reshape(-1, HOP)
        level = 10.0 * np.log10((x**2).mean(1) + 1.0)
        cells[first:last] = level > np.percentile(level, 95) - range_db
    return cells


@dataclass(frozen=True)
class SamplingWeights:
    """parts: how often each part of the corpus is drawn from, relative to the others; those not named weigh 1.
    families: how often a clip of each family is drawn, relative to its share of its part; those not named weigh 1.
    clips: (n,), how often each clip is drawn, relative to its share of its part; None: all alike.
    through_channel: share of pieces that have gone through a channel; the others are as they were recorded.
    """

    parts: dict[str, float]
    families: dict[str, float] = field(default_factory=dict)
    clips: NDArray[np.float64] | None = None
    other_sounds: float = 0.12
    switch: float = 0.4
    through_channel: float = 0.6


class CallSampler:
    """Holds the training audio on a device and draws batches of calls from it.

    versions: int16 (V, total), the bank's audio through V channels (row 0 = as it is), time-aligned.
    others: int16 (M,), sounds that are not speech, end to end.
    """

    def __init__(
        self,
        bank: AudioBank,
        versions: np.ndarray[Any, Any],
        others: np.ndarray[Any, Any],
        families: Sequence[str],
        weights: SamplingWeights,
        device: torch.device,
        seed: int,
    ) -> None:
        self.device, self.weights = device, weights
        self.through_channel = weights.through_channel
        self.rng = np.random.default_rng(seed)
        self.clips, self.bounds = bank.clips, np.asarray(bank.bounds)
        self.count = versions.shape[0]
        self.total = versions.shape[1]
        self.audio = torch.from_numpy(versions).to(device).flatten()
        self.others = torch.from_numpy(others).to(device)
        self.speech = torch.from_numpy(speech_cells(versions[0], self.bounds)).to(device)
        index = {name: i for i, name in enumerate(families)}
        self.label_of = np.array([c.label for c in self.clips])
        self.family_of = np.array([index.get(c.family, NO_LABEL) if c.label else NO_LABEL for c in self.clips])
        self._group()

    def _group(self) -> None:
        """Sort clips into sentences: a sentence is drawn by its part, then by its synthesis system."""
        sentences: dict[str, list[int]] = defaultdict(list)
        for i, clip in enumerate(self.clips):
            sentences[clip.pair or f"clip-{i}"].append(i)
        self.genuine: dict[str, int] = {}
        for name, members in sentences.items():
            for i in members:
                if self.label_of[i] == 0:
                    self.genuine[name] = i
        spoofs = [i for i in range(len(self.clips)) if self.label_of[i] == 1]
        self.spoof_ids, self.spoof_cdf = _balanced(
            [self.clips[i] for i in spoofs], spoofs, self.weights, lambda clip: clip.system
        )
        real = [i for i in range(len(self.clips)) if self.label_of[i] == 0]
        self.real_ids, self.real_cdf = _balanced([self.clips[i] for i in real], real, self.weights, _voice)

    def _same_sentence_pair(self) -> tuple[int, int, bool]:
        """Return a bona fide clip and a spoof, two times in three of the same sentence where there is one; and if they
        are."""
        spoof = self._drawn(self.spoof_ids, self.spoof_cdf)
        own = self.genuine.get(self.clips[spoof].pair or "")
        partner = own
        if partner is None or self.rng.random() < 1 / 3:
            partner = self._drawn(self.real_ids, self.real_cdf)
        return partner, spoof, partner == own

    def _drawn(self, ids: np.ndarray[Any, Any], cdf: np.ndarray[Any, Any]) -> int:
        """Return one of ids; the generator's own choice would add up all probabilities each time."""
        return int(ids[min(int(np.searchsorted(cdf, self.rng.random(), side="right")), len(ids) - 1)])

    def draw(self, rows: int, seconds: float, strength: float = 1.0) -> TrainingBatch:
        """Return rows (even) calls of `seconds`, in whole blocks; strength scales the share through channels."""
        self.through_channel = self.weights.through_channel * strength
        blocks = int(seconds * SAMPLE_RATE) // BLOCK
        table = torch.full((5, rows, blocks), NO_LABEL, dtype=torch.int64)
        for top in range(0, rows, 2):
            self._fill(table[:, top : top + 2])
        source, label, family, piece, aligned = table.to(self.device)
        audio, speech = self._gather(source)
        pair = torch.arange(rows, device=self.device) // 2
        return TrainingBatch(audio, label, family, speech & (label != NO_LABEL), piece, pair, aligned == 1)

    def _fill(self, table: Tensor) -> None:
        """Lay pieces into two twin rows of a table (source, label, family, piece, aligned) x rows x blocks, in place.

        source: index of a block's first sample, >= 0 in the versions, <= -2 in the other sounds, -1 in silence.
        """
        rng, blocks = self.rng, table.shape[2]
        flip, number = bool(rng.random() < 0.5), 0
        at = int(rng.integers(0, 8))
        while at < blocks - 25:
            if rng.random() < self.weights.other_sounds:
                at += self._other_sound(table[0, :, at:])
                continue
            *partners, aligned = self._same_sentence_pair()
            shortest = min(int(self.bounds[i + 1] - self.bounds[i]) for i in partners)
            length = min(shortest // BLOCK, int(rng.uniform(50, 300)), blocks - at)
            if length == 0:
                break
            changed = self.count > 1 and rng.random() < self.through_channel
            version = int(rng.integers(1, self.count)) if changed else 0
            offset = int(rng.integers(0, shortest - length * BLOCK + 1)) + version * self.total
            for row in (0, 1):
                clip = partners[row ^ flip]
                start = int(self.bounds[clip]) + offset
                table[0, row, at : at + length] = torch.arange(start, start + length * BLOCK, BLOCK)
                table[1, row, at : at + length] = int(self.label_of[clip])
                table[2, row, at : at + length] = int(self.family_of[clip])
                table[3, row, at : at + length] = number
                table[4, row, at : at + length] = int(aligned)
            number += 1
            at += length + int(rng.random() < 0.5) * int(rng.uniform(0, 40))
            flip ^= bool(rng.random() < self.weights.switch)

    def _other_sound(self, source: Tensor) -> int:
        """Lay a sound that is not speech into source (2, blocks), at its start; returns its blocks."""
        length = min(int(self.rng.uniform(25, 150)), source.shape[1])
        start = int(self.rng.integers(0, len(self.others) - length * BLOCK))
        source[:, :length] = -2 - torch.arange(start, start + length * BLOCK, BLOCK)
        return length

    def _gather(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return audio (N, S) and speech (N, T) of blocks (N, T) whose first samples are at source."""
        places = torch.arange(BLOCK, device=self.device)
        first = source[..., None]
        clips = self.audio[first.clamp(min=0) + places].float() * (first >= 0)
        other = self.others[(-2 - first).clamp(min=0) + places].float() * (first <= -2)
        speech = self.speech[((source.clamp(min=0) + BLOCK // 2) % self.total) // HOP] & (source >= 0)
        return (clips + other).flatten(1) / 32768.0, speech


def _voice(clip: Clip) -> str:
    """Return the speaker of a recording if known, else its source and language."""
    return clip.speaker or f"{clip.source} {clip.language}"


def _balanced(
    clips: Sequence[Clip], ids: Sequence[int], weights: SamplingWeights, kind: Callable[[Clip], str]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """ids, and the running sum of their probabilities: parts by their weight, in a part the kinds (systems, voices) by
    the root of their size, times the weights of their family and of the clip itself.
    """
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    for clip in clips:
        sizes[clip.part, kind(clip)] += 1
    oftener = np.ones(len(clips)) if weights.clips is None else weights.clips[np.asarray(ids)]
    shares = [
        weights.families.get(c.family, 1.0) * sizes[c.part, kind(c)] ** -0.5 * times
        for c, times in zip(clips, oftener.tolist(), strict=True)
    ]
    totals: dict[str, float] = defaultdict(float)
    for clip, share in zip(clips, shares, strict=True):
        totals[clip.part] += share
    p = np.array([weights.parts.get(c.part, 1.0) / totals[c.part] * s for c, s in zip(clips, shares, strict=True)])
    return np.asarray(ids), np.cumsum(p / p.sum())
