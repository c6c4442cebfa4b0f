"""The states of a stream as stretches of time."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.engine.decision import ALERT, CLEAR, LISTENING, SUSPICIOUS, UNDECIDED, UNKNOWN
from monitor.engine.segments import MOST_SEGMENTS, SegmentLog
from monitor.types import State


def add(log: SegmentLog, *found: tuple[int, float, bool]) -> None:
    rows, llr, votes = zip(*found, strict=True)
    log.add(np.array(rows), np.array(llr), np.array(votes))


def test_each_stretch_has_the_highest_evidence_that_counted_in_it() -> None:
    log = SegmentLog(3)
    log.open(slice(1, 3))
    add(log, (1, 9.0, False), (2, 1.0, True))
    log.change(1, 320, CLEAR)
    add(log, (1, -2.0, True), (1, -1.0, True), (2, 5.0, True), (1, 7.0, False))
    log.change(1, 960, ALERT)
    add(log, (1, 3.0, True))
    closed = log.close(1, 1600)
    assert [(s.start, s.end, s.state, s.peak) for s in closed.segments] == [
        (0, 320, LISTENING, -np.inf),
        (320, 960, CLEAR, -1.0),
        (960, 1600, ALERT, 3.0),
    ]
    assert (closed.worst, closed.highest, closed.left_out) == (State.ALERT, 3.0, 0)
    assert log.close(2, 1600).highest == 5.0


def test_rows_that_are_taken_again_begin_anew() -> None:
    log = SegmentLog(1)
    log.open(slice(0, 1))
    add(log, (0, 4.0, True))
    log.change(0, 320, ALERT)
    log.close(0, 640)
    log.open(slice(0, 1))
    closed = log.close(0, 320)
    assert (closed.worst, closed.highest, len(closed.segments)) == (State.LISTENING, -np.inf, 1)


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ((CLEAR, UNDECIDED), State.UNDECIDED),
        ((UNDECIDED, CLEAR), State.CLEAR),
        ((SUSPICIOUS, CLEAR), State.SUSPICIOUS),
        ((UNKNOWN, LISTENING), State.LISTENING),
    ],
)
def test_the_worst_state_is_remembered(states: tuple[int, ...], worst: State) -> None:
    log = SegmentLog(1)
    log.open(slice(0, 1))
    for i, state in enumerate(states, 1):
        log.change(0, 320 * i, state)
    assert log.close(0, 3200).worst == worst


def test_a_stream_that_changes_for_ever_keeps_its_newest_segments() -> None:
    log = SegmentLog(1)
    log.open(slice(0, 1))
    for i in range(1, 1001):
        log.change(0, 320 * i, (CLEAR, UNDECIDED)[i % 2])
    closed = log.close(0, 320 * 1001)
    assert len(closed.segments) == MOST_SEGMENTS
    assert closed.left_out == 1001 - MOST_SEGMENTS
    assert closed.segments[-1].end == 320 * 1001
