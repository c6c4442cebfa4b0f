"""Blocks on their way to a shard, and how its answer is laid beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Blocks
from monitor.cluster.messages import Answer, Batch, Ints


@dataclass(frozen=True, slots=True)
class Parcel:
    """Blocks whose figures are awaited. several: first the next ones of all rows, then those that follow, and so on.

    rows: int64 (M,), rising. offsets: int64 (M,), where in the answer the figures of each row's first block are.
    """

    rows: Ints
    offsets: Ints
    several: tuple[Blocks, ...]

    def of(self, rows: Ints) -> Parcel:
        """Return what belongs to some rows, without a place in an answer."""
        kept = np.intersect1d(self.rows, rows)
        parts = (_of_rows(blocks, kept) for blocks in self.several)
        return Parcel(kept, np.zeros(len(kept), np.int64), tuple(part for part in parts if len(part.rows)))

    def counts(self, rows: Ints) -> Ints:
        """Return how many blocks these are of each of some rows."""
        own = np.concatenate([blocks.rows for blocks in self.several])
        return np.array([np.count_nonzero(own == row) for row in rows.tolist()], np.int64)

    def at(self, rows: Ints, offsets: Ints) -> Parcel:
        """Return it with a place in an answer: offsets of rows, which include all of these."""
        order = np.argsort(rows)
        return replace(self, offsets=offsets[order][np.searchsorted(rows[order], self.rows)])

    def figures(self, answer: Answer) -> list[NDArray[np.float64]]:
        """Return the figures of each of the several blocks: float64 (M, 7 + K). NaN where there are none."""
        found = []
        for turn, blocks in enumerate(self.several):
            places = self.offsets[np.searchsorted(self.rows, blocks.rows)] + turn
            figures = np.full((len(places), answer.figures.shape[1]), np.nan)
            figures[places >= 0] = answer.figures[places[places >= 0]]
            found.append(figures)
        return found


def pack(keys: Ints, several: Sequence[Blocks]) -> tuple[Batch, Parcel]:
    """Return blocks of rows as a batch and as a parcel. keys: of all rows."""
    rows = several[0].rows
    counts = np.zeros(len(rows), np.int64)
    for blocks in several:
        counts[np.searchsorted(rows, blocks.rows)] += 1
    order = np.argsort(np.concatenate([blocks.rows for blocks in several]), kind="stable")
    samples = np.concatenate([blocks.samples for blocks in several])[order]
    batch = Batch(keys[rows], counts, samples)
    return batch, Parcel(rows, batch.ends - counts, tuple(several))


def _of_rows(blocks: Blocks, rows: Ints) -> Blocks:
    """Return the blocks of some rows."""
    some = np.isin(blocks.rows, rows)
    marks = None if blocks.concealed is None else blocks.concealed[some]
    return Blocks(blocks.rows[some], blocks.samples[some], blocks.end[some], blocks.captured_at[some], marks)
