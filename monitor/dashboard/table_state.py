"""Which calls a table shows, in which order, and which of them is under the cursor. Values and pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from monitor.types import WORST_FIRST
from monitor.views import CallRow, ServerStatus

Column = Literal["state", "fake", "call", "speech", "length", "ended"]
RUNNING_COLUMNS: tuple[Column, ...] = ("state", "fake", "call", "speech", "length")
PAST_COLUMNS: tuple[Column, ...] = ("ended", "state", "fake", "call", "speech", "length")
PAGE_ROWS = 10
"""Calls that page up and page down move the cursor by."""


@dataclass(frozen=True, slots=True)
class TableState:
    """cursor: the call that enter opens, or "". filter_text: of the filter. typing: it is being typed. past: show the
    calls that have ended. column: sorted by it, or "" for the order in which they come: running ones worst first, ended
    ones newest first.
    """

    cursor: str = ""
    filter_text: str = ""
    typing: bool = False
    past: bool = False
    column: Column | Literal[""] = ""
    reverse: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns that the table can be sorted by."""
        return PAST_COLUMNS if self.past else RUNNING_COLUMNS

    @property
    def sorted_by(self) -> Column:
        """Return the column that decides the order."""
        return self.column or self.columns[0]


@dataclass(frozen=True, slots=True)
class CallsTable:
    """A table as it is to be drawn. rows: those that the filter lets through, in their order."""

    status: ServerStatus
    rows: tuple[CallRow, ...]
    state: TableState


def arranged(status: ServerStatus, state: TableState) -> CallsTable:
    """Filter and sort the calls; a cursor on a call that is not shown is none."""
    rows = [row for row in (status.past if state.past else status.rows) if _matches(row, state.filter_text)]
    if state.column:
        rows.sort(key=_ORDER[state.column])
    if state.reverse:
        rows.reverse()
    there = any(row.call == state.cursor for row in rows)
    return CallsTable(status, tuple(rows), state if there or not state.cursor else replace(state, cursor=""))


def call_label(row: CallRow) -> str:
    """Return the name of a call, with that of its worst party where there are several."""
    return (row.name or row.call) + (f" · {row.worst.name}" if row.channels > 1 else "")


def moved(table: CallsTable, steps: int) -> str:
    """Return the call under the cursor after it moved; from no call it enters at the top."""
    names = [row.call for row in table.rows]
    if not names:
        return ""
    at = names.index(table.state.cursor) + steps if table.state.cursor in names else max(0, steps - 1)
    return names[max(0, min(len(names) - 1, at))]


def _matches(row: CallRow, filter_text: str) -> bool:
    """Return whether every word of the filter stands in what is known of the call."""
    text = " ".join((call_label(row), row.call, row.origin, row.worst.state.value, row.worst.fault, row.why)).casefold()
    return all(word in text for word in filter_text.casefold().split())


def _number(value: float) -> float:
    """Return the order of numbers, the highest first; what is not known comes last."""
    return -value if value == value else 1.0


_ORDER: dict[Column, Callable[[CallRow], tuple[float, str]]] = {
    "state": lambda row: (WORST_FIRST.index(row.worst.state) + _number(row.worst.p_fake) / 10, row.call),
    "fake": lambda row: (_number(row.worst.p_fake), row.call),
    "call": lambda row: (0.0, call_label(row).casefold()),
    "speech": lambda row: (_number(row.worst.net_speech_s), row.call),
    "length": lambda row: (_number(row.elapsed_s), row.call),
    "ended": lambda row: (_number(row.ended), row.call),
}
"""The order of rows by column, the most telling first."""
