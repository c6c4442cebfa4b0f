"""The streams that shards score, as the server knows them: where each is, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.cluster.messages import Ints
from monitor.cluster.placement import NONE, Ranking

HERE = -2
"""The holder of checkpoints that the server keeps in its own memory."""
ENDED = np.iinfo(np.int64).max


class Streams:
    """Arrays over the rows of the pool. A stream has a key of its own for life; a row's next stream has another one.

    shard: index of the shard that scores it, or NONE. wanted: where it should be. holder: index of the shard that has
    its checkpoint, HERE or NONE. Blocks are counted from the beginning of the stream. saved: those before the
    checkpoint. sent: those that were sent. waits: nothing may be sent for now.
    losses: how often a shard was lost while it went on with the stream from a checkpoint.
    """

    def __init__(self, rows: int, shards: Sequence[str]) -> None:
        self.ranking = Ranking(rows, shards)
        self.key = np.zeros(rows, np.int64)
        self.shard, self.wanted, self.holder = (np.full(rows, NONE) for _ in range(3))
        self.saved, self.sent, self.losses = (np.zeros(rows, np.int64) for _ in range(3))
        self.waits: NDArray[np.bool_] = np.zeros(rows, np.bool_)
        self._rows: dict[int, int] = {}
        self._last_key = 0

    def begin(self, rows: Ints) -> Ints:
        """Let a new stream begin in each of some rows, cold, on the row's shard. Returns the keys there were."""
        old = self.forget(rows)
        self.key[rows] = keys = self._last_key + np.arange(1, len(rows) + 1)
        self._last_key += len(rows)
        self._rows |= dict(zip(keys.tolist(), rows.tolist(), strict=True))
        return old

    def forget(self, rows: Ints) -> Ints:
        """Let the streams of some rows end. Returns their keys."""
        keys = self.key[rows]
        for key in keys.tolist():
            self._rows.pop(key, None)
        self.key[rows] = 0
        self.holder[rows] = NONE
        self.saved[rows] = self.sent[rows] = self.losses[rows] = 0
        self.waits[rows] = False
        return np.asarray(keys[keys > 0])

    def rows_of(self, keys: Ints) -> Ints:
        """Return the row of each key, NONE for one that has ended."""
        return np.array([self._rows.get(key, NONE) for key in keys.tolist()], np.int64)

    def saved_of(self, keys: Ints) -> Ints:
        """Return how many blocks come before the checkpoint of each key; ENDED for one that has ended."""
        rows = self.rows_of(keys)
        return np.where(rows >= 0, self.saved[rows], ENDED)

    def on(self, shard: int) -> Ints:
        """Return the rows whose stream is on a shard, or on none (NONE)."""
        return np.flatnonzero((self.shard == shard) & (self.key > 0))

    def uses(self, shard: int) -> bool:
        """Return whether any stream is on a shard, or has its checkpoint there."""
        return bool(((self.key > 0) & ((self.shard == shard) | (self.holder == shard))).any())

    def lose_holder(self, shard: int) -> None:
        """Take note that the checkpoints which a shard held are gone."""
        rows = np.flatnonzero(self.holder == shard)
        self.holder[rows], self.saved[rows] = NONE, 0
