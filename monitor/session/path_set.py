"""A set of paths in eight bytes each, of which only digests are kept."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

_RECENT = 1 << 16


class PathSet:
    """A set of paths by their hashes. Of ten million, two are taken for one another with a probability of 3e-6."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._sorted = np.unique(np.fromiter(map(_digest, paths), np.uint64))
        self._recent: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def __contains__(self, path: object) -> bool:
        digest = _digest(str(path))
        if digest in self._recent:
            return True
        key = np.uint64(digest)
        place = int(np.searchsorted(self._sorted, key))
        return place < len(self._sorted) and bool(self._sorted[place] == key)

    def add(self, path: str) -> bool:
        """Add a path. Returns whether it is new."""
        if path in self:
            return False
        self._recent.add(_digest(path))
        if len(self._recent) == _RECENT:
            recent = np.fromiter(self._recent, np.uint64, _RECENT)
            self._sorted = np.union1d(self._sorted, recent)
            self._recent.clear()
        return True


def _digest(path: str) -> int:
    return int.from_bytes(blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
