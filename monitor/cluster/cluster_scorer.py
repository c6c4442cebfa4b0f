"""Shards as a Scorer (monitor/scoring/scorer.py), for a pool."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK
from model.figures import FIGURES
from monitor.audio import Audio, Runs
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
            for runs, found in self.coordinator.collect(self.coordinator.next_due(time.monotonic())):
                places = np.repeat(np.searchsorted(rows, runs.rows), runs.counts)
                figures[places, runs.end // BLOCK] = found
                missing -= len(found)
        return figures


class _Given:
    """Blocks that are all there, as a ring bank gives them; the end of each says which one of its row it is."""

    def __init__(self, rows: Ints, samples: Audio) -> None:
        """samples: (M, B, BLOCK)."""
        self.samples = samples
        self._rows = rows
        self._taken = np.zeros(len(rows), np.int64)

    def take_waiting(self, rows: Ints, most: int) -> Runs:
        """Take blocks as RingBank.take_waiting() does."""
        counts = np.where(np.isin(self._rows, rows), np.minimum(self.samples.shape[1] - self._taken, most), 0)
        places = np.repeat(np.arange(len(counts)), counts)
        turns = self._taken[places] + np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._taken += counts
        some = counts > 0
        samples = self.samples[places, turns]
        return Runs(self._rows[some], counts[some], samples, turns * BLOCK, np.zeros(len(places)))
