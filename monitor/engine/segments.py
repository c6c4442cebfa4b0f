"""The states of each stream as stretches of time, each with the highest evidence in it, until its call ends. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from monitor.engine.decision import LISTENING, STATES
from monitor.engine.results import Flags, Floats, Ints
from monitor.scores import worse
from monitor.types import State

MOST_SEGMENTS = 200
"""The most that are kept of a channel; beyond them the oldest goes, and is counted."""


@dataclass(frozen=True, slots=True)
class StateSegment:
    """start, end: sample indices. peak: highest llr of the recent speech in it, -inf where there was no verdict."""

    start: int
    end: int
    state: int
    peak: float


@dataclass(frozen=True, slots=True)
class ClosedStream:
    """left_out: older segments than those. highest: llr of the recent speech, -inf where there was no
    verdict.
    """

    segments: tuple[StateSegment, ...]
    left_out: int
    worst: State
    highest: float


@dataclass
class _Stream:
    start: int = 0
    state: int = LISTENING
    worst: State = State.LISTENING
    left_out: int = 0
    done: deque[StateSegment] = field(default_factory=lambda: deque(maxlen=MOST_SEGMENTS))


class SegmentLog:
    """The segments of `rows` streams. Belongs to the scoring thread."""

    def __init__(self, rows: int) -> None:
        self._peak = np.full(rows, -np.inf)
        self._highest = np.full(rows, -np.inf)
        self._streams: dict[int, _Stream] = {}

    def open(self, rows: slice) -> None:
        """Begin streams anew."""
        self._peak[rows] = self._highest[rows] = -np.inf
        self._streams |= {row: _Stream() for row in range(rows.start, rows.stop)}

    def add(self, rows: Ints, llr: Floats, votes: Flags) -> None:
        """Take the llr (nats) of blocks; those that vote count. A row may stand there several times."""
        if votes.any():
            np.maximum.at(self._peak, rows[votes], llr[votes])

    def change(self, row: int, sample: int, state: int) -> None:
        """Note that a stream has another state from here on."""
        stream = self._streams[row]
        self._finish(row, stream, sample)
        stream.start, stream.state = sample, state
        stream.worst = worse(stream.worst, STATES[state])

    def close(self, row: int, sample: int) -> ClosedStream:
        """End a stream."""
        stream = self._streams.pop(row)
        self._finish(row, stream, sample)
        return ClosedStream(tuple(stream.done), stream.left_out, stream.worst, float(self._highest[row]))

    def _finish(self, row: int, stream: _Stream, sample: int) -> None:
        peak = float(self._peak[row])
        self._highest[row] = max(self._highest[row], peak)
        self._peak[row] = -np.inf
        if sample > stream.start:
            stream.left_out += len(stream.done) == MOST_SEGMENTS
            stream.done.append(StateSegment(stream.start, sample, stream.state, peak))
