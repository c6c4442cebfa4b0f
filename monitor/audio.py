"""Audio on its way from a source to the ring buffer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.types import Condition

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Audio of all channels of a source.

    samples: float32 (channels, n) at SAMPLE_RATE, full scale = 1.0. start: index of samples[:, 0] on the
    source's clock; a jump between chunks is audio that all channels lost. captured_at: time.monotonic() seconds at
    which the last of the samples was there, 0.0 for a recording. lost: bool (channels, n), samples that single channels
    lost on the way; None = none. concealed: lost ones, too, but others stand in for them: these are heard, so that what
    follows is heard rightly, and are no evidence.
    """

    samples: Audio
    start: int
    captured_at: float
    lost: NDArray[np.bool_] | None = None
    concealed: NDArray[np.bool_] | None = None


class Source(Protocol):
    """Where audio comes from. A new source is one file, one registry line and one test.

    live: a live source must never wait (the ring overwrites its oldest audio); another one waits for the reader.
    """

    name: str
    channels: tuple[str, ...]
    live: bool

    def chunks(self) -> Iterator[Chunk | Condition]:
        """Yield audio until the source ends. Raises monitor.errors.SourceError for a fault that it cannot mend."""
        ...

    def close(self) -> None:
        """Release the device and end chunks() within 0.5 s. May be called from another thread, and twice."""
        ...
