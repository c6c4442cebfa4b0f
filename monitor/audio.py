"""Audio on its way from a source, through the ring buffer, to the scorer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE
from monitor.types import Condition

Audio = NDArray[np.float32]
Marks = NDArray[np.bool_]

SEGMENT_BLOCKS = 100
"""Blocks of a recording that are read and scored at once at most: beyond it nothing is gained."""
SEGMENT_MS = 1000 * SEGMENT_BLOCKS * BLOCK // SAMPLE_RATE


class Chunk(NamedTuple):
    """Audio of all channels of a source. A tuple, since one is made for each packet.

    samples: float32 (channels, n) at SAMPLE_RATE, full scale = 1.0. start: index of samples[:, 0] on the
    source's clock; a jump between chunks is audio that all channels lost. captured_at: time.monotonic() seconds at
    which the last of the samples was there, 0.0 for a recording. lost: bool (channels, n), samples that single channels
    lost on the way; None = none. concealed: likewise, but other samples stand in for the lost ones: the network
    processes them, for the sake of what follows, and they are no evidence.
    """

    samples: Audio
    start: int
    captured_at: float
    lost: Marks | None = None
    concealed: Marks | None = None


@dataclass(frozen=True, slots=True)
class Blocks:
    """One block of each row that had one, or several of the same rows in turn.

    rows: int64 (M,). samples: float32 (M, model.config.BLOCK). end: int64 (M,), index after the last sample on the
    stream's clock. captured_at: float64 (M,), monotonic seconds, 0.0 for recordings. concealed: bool like samples,
    True for those that stand in for lost ones; None = none. turns: how many blocks of each row these are; then M is so
    many times the number of rows, all first blocks before all second ones.
    """

    rows: NDArray[np.int64]
    samples: Audio
    end: NDArray[np.int64]
    captured_at: NDArray[np.float64]
    concealed: Marks | None = None
    turns: int = 1

    def each(self) -> Iterator[Blocks]:
        """Yield these, one block of each row at a time."""
        size = len(self.rows) // self.turns
        for at in range(0, len(self.rows), size):
            part = slice(at, at + size)
            marks = None if self.concealed is None else self.concealed[part]
            yield Blocks(self.rows[part], self.samples[part], self.end[part], self.captured_at[part], marks)


@dataclass(frozen=True, slots=True)
class Runs:
    """Blocks of some rows: all of the first row in turn, then those of the next one.

    rows: int64 (M,), each once. counts: int64 (M,), how many blocks of each. The others are as in Blocks, for N =
    counts.sum() blocks.
    """

    rows: NDArray[np.int64]
    counts: NDArray[np.int64]
    samples: Audio
    end: NDArray[np.int64]
    captured_at: NDArray[np.float64]
    concealed: Marks | None = None

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Return the index of the first block of each row."""
        return np.cumsum(self.counts) - self.counts

    def of(self, some: NDArray[np.bool_]) -> Runs:
        """Return those of some rows: bool (M,)."""
        kept = np.repeat(some, self.counts)
        marks = None if self.concealed is None else self.concealed[kept]
        parts = (self.samples[kept], self.end[kept], self.captured_at[kept], marks)
        return Runs(self.rows[some], self.counts[some], *parts)

    def each_turn(self) -> Iterator[tuple[Blocks, NDArray[np.int64]]]:
        """Yield the first block of every row, then the second one of those that have so many, and so on; and the
        indices of these blocks."""
        firsts = self.firsts
        for turn in range(int(self.counts.max(initial=0))):
            some = self.counts > turn
            at = firsts[some] + turn
            marks = None if self.concealed is None else self.concealed[at]
            yield Blocks(self.rows[some], self.samples[at], self.end[at], self.captured_at[at], marks), at


def joined_runs(parts: Sequence[Runs]) -> Runs:
    """Return the blocks of several, of which no two have a row in common."""
    if len(parts) == 1:
        return parts[0]
    marks = None
    if any(part.concealed is not None for part in parts):
        marks = np.concatenate([_marks_of(part) for part in parts])
    return Runs(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate([part.captured_at for part in parts]),
        marks,
    )


def _marks_of(runs: Runs) -> Marks:
    return np.zeros(runs.samples.shape, np.bool_) if runs.concealed is None else runs.concealed


def all_finite(samples: Audio) -> bool:
    """Return whether no sample is NaN or infinite, in one pass; False, too, for samples whose squares are beyond
    float32."""
    flat = samples.ravel()
    return isfinite(flat.dot(flat))


class Source(Protocol):
    """A source of audio. A new source is one file, one registry line and one test.

    live: a live source must never wait (the ring overwrites its oldest audio); another one waits for the reader.
    """

    name: str
    channels: tuple[str, ...]
    live: bool

    def chunks(self) -> Iterator[Chunk | Condition]:
        """Yield audio until the source ends. Raises monitor.errors.SourceError where it cannot recover."""
        ...

    def close(self) -> None:
        """Release the device and end chunks() within 0.5 s. May be called from another thread, and twice."""
        ...
