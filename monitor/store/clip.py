"""The audio of an alert while it is gathered, and how pieces become one stretch of samples. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from model.config import BLOCK
from monitor.store.audio_history import AudioBlock, Samples
from monitor.types import Event


@dataclass(frozen=True, slots=True)
class AudioGap:
    """Samples that are silence in the file, or made up: they were lost, or nothing came. start: on the call's clock."""

    start: int
    samples: int
    why: str


@dataclass(frozen=True, slots=True)
class AudioStretch:
    """Audio of a channel without a break. start: of samples[0] on the call's clock."""

    start: int
    samples: Samples
    holes: tuple[AudioGap, ...]


def join(pieces: Iterable[AudioBlock], first: int, last: int, *, continues: bool = False) -> AudioStretch:
    """Return the samples from first up to last of pieces in order; silence where there are none between two of them.

    Nothing is made up after the last piece, and before the first one only where this goes on from earlier audio.
    """
    parts: list[Samples] = []
    holes: list[AudioGap] = []
    start = first if continues else None
    at = first
    for piece in pieces:
        begin = piece.end - BLOCK
        samples = piece.samples[max(0, at - begin) : max(0, last - begin)]
        begin = max(begin, at)
        if not len(samples):
            continue
        if start is None:
            start = at = begin
        if begin > at:
            holes.append(AudioGap(at, begin - at, "absent"))
            parts.append(np.zeros(begin - at, np.int16))
        if piece.lost:
            holes.append(AudioGap(begin, len(samples), "lost"))
        parts.append(samples)
        at = begin + len(samples)
    joined = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return AudioStretch(first if start is None else start, joined, tuple(_merged(holes)))


def _merged(holes: Iterable[AudioGap]) -> Iterable[AudioGap]:
    """Return holes with those of a kind that touch as one."""
    last: AudioGap | None = None
    for hole in holes:
        if last is not None and last.why == hole.why and last.start + last.samples == hole.start:
            last = AudioGap(last.start, last.samples + hole.samples, last.why)
            continue
        if last is not None:
            yield last
        last = hole
    if last is not None:
        yield last


@dataclass
class EvidenceClip:
    """The audio gathered for one alert. first, last: the span wanted, on the call's clock. pieces: of each row.

    heard: the alert's channel has been heard up to `last`.
    """

    opened: Event
    channels: tuple[str, ...]
    rows: slice
    first: int
    last: int
    pieces: dict[int, list[AudioBlock]] = field(default_factory=dict)
    complete: bool = False

    @property
    def row(self) -> int:
        """Return the row of the channel that the alert is about."""
        return int(self.rows.start) + self.channels.index(self.opened.channel)

    def add(self, row: int, piece: AudioBlock) -> None:
        """Take a piece of a row of the call."""
        if piece.end - BLOCK < self.last:
            self.pieces.setdefault(row, []).append(piece)
        if row == self.row and piece.end >= self.last:
            self.complete = True

    def stretches(self) -> dict[str, AudioStretch]:
        """Return the audio by channel."""
        return {
            name: join(self.pieces.get(row, ()), self.first, self.last)
            for row, name in enumerate(self.channels, self.rows.start)
        }
