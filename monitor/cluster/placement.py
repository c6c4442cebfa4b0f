"""Which shard scores a call: rendezvous hashing (Thaler and Ravishankar, IEEE/ACM Trans. Networking 6(1), 1998).

Each call ranks all shards by a hash of both names. When a shard comes or goes, only its own calls move.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from monitor.cluster.messages import Ints

NONE = -1


def weight(call: str, shard: str) -> int:
    """Return how much the call prefers the shard: 1 to 2**64 - 1."""
    digest = blake2b(f"{shard}\0{call}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return max(1, int.from_bytes(digest, "big"))


class Ranking:
    """The weights of all shards for the calls in some rows."""

    def __init__(self, rows: int, shards: Sequence[str]) -> None:
        self._calls = [""] * rows
        self._shards: list[str] = []
        self._weights = np.zeros((rows, 0), np.uint64)
        for shard in shards:
            self.add_shard(shard)

    def add_shard(self, shard: str) -> None:
        """Take a further shard; it has the next index."""
        self._shards.append(shard)
        column = np.array([weight(call, shard) for call in self._calls], np.uint64)
        self._weights = np.column_stack([self._weights, column])

    def place(self, rows: Ints, call: str) -> None:
        """Take a call that begins in some rows: all of them are ranked alike."""
        for row in rows.tolist():
            self._calls[row] = call
        self._weights[rows] = np.array([weight(call, shard) for shard in self._shards], np.uint64)

    def best(self, rows: Ints, allowed: NDArray[np.bool_]) -> Ints:
        """Return the index of the best shard of each row, NONE without any.

        allowed: bool (shards,), or (M, shards) where rows differ.
        """
        weights = np.where(allowed, self._weights[rows], np.uint64(0))
        if not weights.shape[1]:
            return np.full(len(rows), NONE)
        return np.where(weights.any(axis=1), weights.argmax(axis=1), NONE)
