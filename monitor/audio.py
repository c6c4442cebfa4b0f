"""Audio on its way from a source, through the ring buffer, to the scorer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.types import Condition

Audio = NDArray[np.float32]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Audio of all channels of a source.

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
        """These, one block of each row at a time."""
        size = len(self.rows) // self.turns
        for at in range(0, len(self.rows), size):
            part = slice(at, at + size)
            marks = None if self.concealed is None else self.concealed[part]
            yield Blocks(self.rows[part], self.samples[part], self.end[part], self.captured_at[part], marks)


def all_finite(samples: Audio) -> bool:
    """Return whether no sample is NaN or infinite, in one pass; False, too, for samples whose squares are beyond
    float32."""
    return isfinite(np.vdot(samples, samples))


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
