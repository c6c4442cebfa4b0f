"""Shards as a Scorer (monitor/scoring/scorer.py), for a pool."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK
from model.figures import FIGURES
from monitor.audio import Audio, Blocks
from monitor.cluster.coordinator import Coordinator
from monitor.cluster.messages import Description, Ints
from monitor.scoring.scorer import Figures


class ClusterScorer:
    """Its streams are on the shards where Coordinator.place() puts them.

    score() waits for all shards. A server does not: it takes the figures from the coordinator as they come.
    """

    def __init__(self, coordinator: Coordinator, shard: Description, rows: int) -> None:
        """shard: what one of the shards is; the others are like it."""
        self.coordinator, self.rows = coordinator, rows
        self.config, self.weights_hash, self.parameters = shard.config, shard.weights_hash, shard.parameters
        self.device = shard.device

    def reset(self, rows: Ints) -> None:
        """Make rows cold, on the shards where they are."""
        self.coordinator.begin(rows)

    def score(self, rows: Ints, samples: NDArray[np.float32]) -> Figures:
        """Score the next blocks of some rows, as a Scorer does. Rows that have no shard wait for one."""
        given = _Given(rows, samples.reshape(len(rows), -1, BLOCK))
        missing = samples.size // BLOCK
        figures = np.zeros((*given.samples.shape[:2], len(FIGURES) + len(self.config.families)), np.float32)
        while missing:
            self.coordinator.send(given, time.monotonic())
            for parcel, found in self.coordinator.collect(self.coordinator.next_due(time.monotonic())):
                for blocks, values in zip(parcel.several, found, strict=True):
                    turns = blocks.end // BLOCK
                    figures[np.searchsorted(rows, blocks.rows), turns] = values
                    missing -= len(blocks.rows)
        return figures


class _Given:
    """Blocks that are all there, as a ring bank gives them; the end of each says which one of its row it is."""

    def __init__(self, rows: Ints, samples: Audio) -> None:
        """samples: (M, B, BLOCK)."""
        self.samples = samples
        self._rows = rows
        self._taken = np.zeros(len(rows), np.int64)

    def take_waiting(self, rows: Ints, most: int) -> list[Blocks]:
        """As RingBank.take_waiting()."""
        found = []
        for _ in range(most):
            places = np.flatnonzero(np.isin(self._rows, rows) & (self._taken < self.samples.shape[1]))
            if not len(places):
                break
            turns = self._taken[places]
            samples = self.samples[places, turns]
            found.append(Blocks(self._rows[places], samples, turns * BLOCK, np.zeros(len(places))))
            self._taken[places] += 1
        return found
