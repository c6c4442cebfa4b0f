"""Blocks on their way to a shard, and how its answer is laid beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Runs, joined_runs
from monitor.cluster.messages import Answer, Ints

Answered = tuple[Runs, NDArray[np.float64]]
"""Blocks and their figures (N, 7 + K), NaN where there are none."""


@dataclass(frozen=True, slots=True)
class PendingBlocks:
    """Blocks whose figures are awaited; their rows rise. offsets: int64 (M,), where in the answer the figures of each
    row's first block are; below 0: nowhere.
    """

    runs: Runs
    offsets: Ints

    def of(self, some: NDArray[np.bool_]) -> PendingBlocks:
        """Return what belongs to some of the rows: bool (M,)."""
        return PendingBlocks(self.runs.of(some), self.offsets[some])

    def counts(self, rows: Ints) -> Ints:
        """Return how many blocks these are of each of some rows."""
        found = np.zeros(len(rows), np.int64)
        _, here, there = np.intersect1d(rows, self.runs.rows, return_indices=True)
        found[here] = self.runs.counts[there]
        return found

    def at(self, rows: Ints, offsets: Ints) -> PendingBlocks:
        """Return it with a place in an answer: offsets of rows, which include all of these."""
        order = np.argsort(rows)
        return replace(self, offsets=offsets[order][np.searchsorted(rows[order], self.runs.rows)])

    def answered(self, answer: Answer) -> Answered:
        """Return the blocks with their figures."""
        runs = self.runs
        places = np.repeat(self.offsets - runs.firsts, runs.counts) + np.arange(len(runs.samples))
        if (places >= 0).all():
            return runs, answer.figures[places].astype(np.float64)
        figures = np.full((len(places), answer.figures.shape[1]), np.nan)
        figures[places >= 0] = answer.figures[places[places >= 0]]
        return runs, figures


def together(answered: Sequence[Answered]) -> list[Answered]:
    """Return the same, joined as far as no row stands twice among what is joined."""
    found: list[list[Answered]] = []
    seen: set[int] = set()
    for each in answered:
        rows = set(each[0].rows.tolist())
        if not found or seen & rows:
            found.append([])
            seen = set()
        seen |= rows
        found[-1].append(each)
    return [(joined_runs([runs for runs, _ in some]), np.concatenate([f for _, f in some])) for some in found]
