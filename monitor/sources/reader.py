"""The protocol of readers of recordings: blocks of samples at the recording's own rate, and what was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from monitor.audio import Audio
from monitor.types import Condition

FRAMES = 4096
"""Frames of one block; fixed, so that what a damaged file yields does not depend on the reader."""
LONGEST_S = 1e6
"""A header that announces more does not know."""
HINT = "use a recording such as wav, flac, ogg, mp3, m4a, webm or a video with sound"


class Reader(Protocol):
    """rate: Hz. names: of the channels. total_s: None where the file does not say. notes: what is to be said of the
    file before its audio. complaints: set once blocks() ended, if all was not well.
    """

    rate: int
    names: tuple[str, ...]
    total_s: float | None
    notes: list[Condition]
    complaints: list[Condition]

    def blocks(self) -> Iterator[Audio]:
        """Return the samples, float32 (channels, n) with n of at most FRAMES, to the real end of the file."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def channel_names(count: int) -> tuple[str, ...]:
    """Name channels, one a party of a call: mono; left and right; ch1, ch2 ..."""
    return {1: ("mono",), 2: ("left", "right")}.get(count) or tuple(f"ch{i + 1}" for i in range(count))


def ended_early(read_s: float, announced_s: float) -> Condition:
    """Return the condition of a truncated recording."""
    detail = f"the file ends after {read_s:.1f} s of the {announced_s:.1f} s that it announces"
    return Condition("ended early", detail, usable=True)
