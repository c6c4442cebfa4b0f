"""The messages between the server and its shards. All of it is values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, DetectorConfig
from monitor.audio import Audio

Ints = NDArray[np.int64]
States = dict[str, NDArray[Any]]
"""States of streams by name, as of monitor.scoring.scorer, the streams along the first axis."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Blocks of many streams. keys: int64 (M,), one a stream. counts: int64 (M,), how many blocks of each. samples:
    float32 (counts.sum(), BLOCK), all blocks of the first stream in turn, then those of the second one.
    """

    keys: Ints
    counts: Ints
    samples: Audio

    @property
    def ends(self) -> Ints:
        """Return the index after the last block of each stream."""
        return np.cumsum(self.counts)


@dataclass(frozen=True, slots=True)
class Saved:
    """States of streams. keys: int64 (M,). blocks: int64 (M,), how many blocks of each stream they have seen."""

    keys: Ints
    blocks: Ints
    states: States

    def of(self, some: NDArray[np.bool_]) -> Saved:
        """Return those of some streams: bool (M,)."""
        return Saved(self.keys[some], self.blocks[some], {name: values[some] for name, values in self.states.items()})


@dataclass(frozen=True, slots=True)
class Push:
    """A message that changes the states of a shard, in this order. number: 1, 2, 3 ... moved: keys of streams that go
    on elsewhere. gone: of those that have ended. load: with what others go on here.
    """

    number: int
    moved: Ints
    gone: Ints
    load: Saved
    batch: Batch


@dataclass(frozen=True, slots=True)
class Answer:
    """figures: float32 (blocks of the batch, 7 + K), NaN where scoring failed. took_s: of the clock, for scoring.
    fault: why scoring failed, or "".
    """

    figures: NDArray[np.float32]
    took_s: float
    fault: str = ""


@dataclass(frozen=True)
class Description:
    """The description of a shard. version: of this program. place: the machine it runs on. pid: its process there."""

    version: str
    config: DetectorConfig
    weights_hash: str
    device: str
    parameters: int
    place: str
    pid: int


def joined(first: Batch, second: Batch) -> Batch:
    """Return the streams of two batches, of which none is in both."""
    if not len(first.keys):
        return second
    return Batch(
        np.concatenate([first.keys, second.keys]),
        np.concatenate([first.counts, second.counts]),
        np.concatenate([first.samples, second.samples]),
    )


def no_blocks() -> Batch:
    """Return a batch of no streams."""
    none = np.zeros(0, np.int64)
    return Batch(none, none, np.zeros((0, BLOCK), np.float32))


def no_states() -> Saved:
    """Return the states of no streams."""
    none = np.zeros(0, np.int64)
    return Saved(none, none, {})
