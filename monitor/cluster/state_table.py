"""States of streams in memory, by key: what a shard keeps for the case that another one is lost."""

from __future__ import annotations

import numpy as np

from monitor.cluster.messages import Ints, Saved, States

FIRST_ROWS = 64


class Slots:
    """The rows of some arrays by key. size: rows there are; grow() is asked for more of them."""

    def __init__(self) -> None:
        self.size = 0
        self._of: dict[int, int] = {}
        self._free: list[int] = []

    def __contains__(self, key: int) -> bool:
        return key in self._of

    def __len__(self) -> int:
        return len(self._of)

    def missing(self, keys: Ints) -> list[int]:
        """Return those of some keys that have no row."""
        return [key for key in keys.tolist() if key not in self._of]

    def lacks(self, count: int) -> int:
        """Return how many rows there must be so that so many more keys have one; 0 if there are enough."""
        short = count - len(self._free)
        return max(FIRST_ROWS, 2 * self.size, self.size + short) if short > 0 else 0

    def grow(self, size: int) -> None:
        """Take note that there are so many rows now."""
        self._free.extend(range(size - 1, self.size - 1, -1))
        self.size = size

    def give(self, keys: list[int]) -> Ints:
        """Give rows to keys that have none: int64 (M,)."""
        for key in keys:
            self._of[key] = self._free.pop()
        return self.rows(np.array(keys, np.int64))

    def rows(self, keys: Ints) -> Ints:
        """Return the rows of keys that have one. Raises KeyError."""
        return np.array([self._of[key] for key in keys.tolist()], np.int64)

    def drop(self, keys: Ints) -> None:
        """Free the rows of keys, where they have any."""
        for key in keys.tolist():
            if (row := self._of.pop(key, None)) is not None:
                self._free.append(row)


class StateTable:
    """Copies of states by key. Beside each stands how many blocks the stream had had."""

    def __init__(self) -> None:
        self._slots = Slots()
        self._arrays: States = {}
        self._blocks = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, keys: Ints, blocks: Ints, states: States) -> None:
        """Keep the states of keys (M,), instead of those that there were."""
        new = self._slots.missing(keys)
        if size := self._slots.lacks(len(new)):
            old = self._slots.size
            self._blocks = np.concatenate([self._blocks, np.zeros(size - old, np.int64)])
            for name, values in states.items():
                grown = np.zeros((size, *values.shape[1:]), values.dtype)
                if name in self._arrays:
                    grown[:old] = self._arrays[name]
                self._arrays[name] = grown
            self._slots.grow(size)
        self._slots.give(new)
        rows = self._slots.rows(keys)
        self._blocks[rows] = blocks
        for name, values in states.items():
            self._arrays[name][rows] = values

    def get(self, keys: Ints) -> Saved:
        """Return the states of those of keys that are here."""
        here = np.array([key for key in keys.tolist() if key in self._slots], np.int64)
        rows = self._slots.rows(here)
        return Saved(here, self._blocks[rows], {name: values[rows] for name, values in self._arrays.items()})

    def drop(self, keys: Ints) -> None:
        """Forget keys, where they are here."""
        self._slots.drop(keys)
