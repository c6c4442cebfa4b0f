"""Audio that was sent to shards since the checkpoints of its streams, so that another shard can go on from there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.audio import Audio
from monitor.cluster.messages import Batch, Ints, no_blocks


@dataclass(frozen=True, slots=True)
class _Sent:
    """firsts: int64 (M,), index of each stream's first block here, counted from its beginning."""

    batch: Batch
    firsts: Ints


class SentBlocks:
    """The newest batches, at most `most` blocks of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sent: deque[_Sent] = deque()
        self._blocks = 0

    @property
    def blocks(self) -> int:
        """Return the number of blocks held."""
        return self._blocks

    def add(self, batch: Batch, firsts: Ints) -> None:
        """Take a batch that is sent; the oldest go where there are too many."""
        self._sent.append(_Sent(batch, firsts))
        self._blocks += len(batch.samples)
        while self._blocks > self._most:
            self._drop_oldest()

    def forget(self, saved: Callable[[Ints], Ints]) -> None:
        """Drop the oldest batches that no stream needs any more. saved: from keys to the blocks of each stream before
        its checkpoint; a large number for one that has ended.
        """
        while self._sent:
            oldest = self._sent[0]
            if (saved(oldest.batch.keys) < oldest.firsts + oldest.batch.counts).any():
                return
            self._drop_oldest()

    def since(self, keys: Ints, starts: Ints) -> Batch:
        """Return the blocks of streams from a number each on; the first of them are missing where they were dropped."""
        at = {key: i for i, key in enumerate(keys.tolist())}
        pieces: list[list[Audio]] = [[] for _ in at]
        for sent in self._sent:
            ends = sent.batch.ends
            for m, key in enumerate(sent.batch.keys.tolist()):
                if (i := at.get(key)) is None:
                    continue
                first, count, end = int(sent.firsts[m]), int(sent.batch.counts[m]), int(ends[m])
                skipped = max(0, int(starts[i]) - first)
                if skipped < count:
                    pieces[i].append(sent.batch.samples[end - count + skipped : end])
        counts = np.array([sum(map(len, some)) for some in pieces], np.int64)
        samples = [part for some in pieces for part in some]
        return Batch(keys, counts, np.concatenate([no_blocks().samples, *samples]))

    def _drop_oldest(self) -> None:
        self._blocks -= len(self._sent.popleft().batch.samples)
