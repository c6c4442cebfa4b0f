"""The stretches of a channel with one state each, as rows of a table and as CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.report.call_records import CallRecord, ChannelRecord

COLUMNS = ("call", "began_utc", "side", "start_s", "end_s", "state", "highest_p_fake", "why")
MOST_ROWS = 200
"""The most rows of a call on the page; the CSV has all."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection")."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """highest_p: the highest p_fake in it; None where nothing was judged."""

    channel: str
    start_s: float
    end_s: float
    state: str
    highest_p: float | None
    why: str


def segments(call: CallRecord) -> list[SegmentRow]:
    """Return the segments of all channels, by their beginning."""
    found = [segment for channel in call.channels.values() for segment in _of_channel(channel, call.last_s)]
    return sorted(found, key=lambda segment: (segment.start_s, segment.channel))


def _of_channel(channel: ChannelRecord, last_s: float) -> Iterator[SegmentRow]:
    """Return the states of a channel, which listens until its first one."""
    changes = [(0.0, "listening", ""), *channel.states]
    for number, (start, state, why) in enumerate(changes):
        end = changes[number + 1][0] if number + 1 < len(changes) else max(last_s, start)
        if end > start:
            judged = state not in ("listening", "unknown")
            yield SegmentRow(channel.name, start, end, state, _peak(channel, start, end) if judged else None, why)


def _peak(channel: ChannelRecord, start: float, end: float) -> float | None:
    curve = channel.curve
    first, last = int(start / curve.step_s), int(end / curve.step_s) + 1
    return max(curve.peaks[first:last], default=None)


def as_csv(calls: Iterable[CallRecord]) -> str:
    """Return the segments of all calls as CSV (RFC 4180), with a header."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for call in calls:
        for part in segments(call):
            p = "" if part.highest_p is None else f"{part.highest_p:.4f}"
            times = f"{part.start_s:.2f}", f"{part.end_s:.2f}"
            writer.writerow(
                [*map(_cell, (call.name, call.first_time, part.channel)), *times, part.state, p, _cell(part.why)]
            )
    return file.getvalue()


def _cell(text: str) -> str:
    """Return text from outside so that no spreadsheet computes it."""
    return f"'{text}" if text.startswith(_FORMULA) else text
