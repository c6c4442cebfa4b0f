"""What the keys lead to: one of the calls, or their table, filtered and sorted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from monitor.dashboard.table_state import PAGE_ROWS, CallsTable, Column, TableState, arranged, moved
from monitor.views import ServerStatus, View

MOST_TYPED = 60
"""Characters of a filter."""
_STEPS = {"up": -1, "down": 1, "page up": -PAGE_ROWS, "page down": PAGE_ROWS, "home": -(10**6), "end": 10**6}


class CallsSource(Protocol):
    """A server whose calls are shown."""

    def status(self) -> ServerStatus: ...

    def call(self, name: str) -> View | None:
        """Return a call that runs."""

    def ended_call(self, name: str) -> View | None:
        """Return a call that has ended and is still remembered."""


Shown = View | CallsTable


class Navigator:
    """Keys come from one thread, shown() from another. A single call, given as a function, has no table."""

    def __init__(self, source: Callable[[], View] | CallsSource) -> None:
        self._source = source
        self._state = TableState()
        self._open = ""
        self._status: ServerStatus | None = None
        self._view: View | None = None
        self._lock = threading.Lock()

    @property
    def typing(self) -> bool:
        """Return whether characters belong to the filter."""
        return self._state.typing

    def whole(self) -> View | ServerStatus:
        """Return what there is now, whatever is shown of it."""
        return self._source() if callable(self._source) else self._source.status()

    def alerts(self) -> int:
        """Return how many alerts have opened so far, in all calls."""
        now = self.whole()
        return now.whole.alerts if isinstance(now, ServerStatus) else now.alerts

    def shown(self, frozen: bool = False) -> Shown:
        """Return what to show. frozen: as it was when last shown, wherever the keys have led since."""
        if callable(self._source):
            if self._view is None or not frozen:
                self._view = self._source()
            return self._view
        with self._lock:
            if (opened := self._opened(self._source, frozen)) is not None:
                return opened
            if self._status is None or not frozen:
                self._status = self._source.status()
            table = arranged(self._status, self._state)
            self._open, self._view, self._state = "", None, table.state
            return table

    def _opened(self, source: CallsSource, frozen: bool) -> View | None:
        if not self._open:
            return None
        if not frozen or self._view is None or self._view.call != self._open:
            found = source.call(self._open) or source.ended_call(self._open)
            self._view = None if found is None else replace(found, back=True)
        return self._view

    def press(self, key: str) -> None:
        """Take a key that belongs to the table or to the way back to it."""
        if callable(self._source):
            return
        with self._lock:
            if self._state.typing:
                self._type(key)
            elif self._open:
                self._open = "" if key in ("escape", "backspace") else self._open
            elif key == "enter":
                self._enter()
            elif key in _STEPS and self._status is not None:
                self._state = replace(self._state, cursor=moved(arranged(self._status, self._state), _STEPS[key]))
            else:
                self._state = _changed(self._state, key.lower())

    def choose(self, call: str) -> None:
        """Put the cursor on a call; where it is already there, open the call."""
        with self._lock:
            if call == self._state.cursor:
                self._open = call
            self._state = replace(self._state, cursor=call)

    def sort(self, column: Column) -> None:
        """Sort by a column; by the same again, the other way round."""
        with self._lock:
            reverse = not self._state.reverse if column == self._state.sorted_by else False
            self._state = replace(self._state, column=column, reverse=reverse)

    def _enter(self) -> None:
        """Open the call under the cursor, else the first."""
        if self._status is not None:
            rows = arranged(self._status, self._state).rows
            first = rows[0].call if rows else ""
            self._open = self._state.cursor or first
            self._state = replace(self._state, cursor=self._open)

    def _type(self, key: str) -> None:
        filter_text, typing = self._state.filter_text, True
        if key == "enter":
            typing = False
        elif key == "escape":
            filter_text, typing = "", False
        elif key == "backspace":
            filter_text, typing = filter_text[:-1], bool(filter_text)
        elif len(key) == 1:
            filter_text = (filter_text + key)[:MOST_TYPED]
        self._state = replace(self._state, filter_text=filter_text, typing=typing)


def _changed(state: TableState, key: str) -> TableState:
    """Return the table after a key that changes what it shows."""
    if key == "/":
        return replace(state, typing=True)
    if key in ("escape", "backspace"):
        return (
            replace(state, past=False, column="", reverse=False)
            if not state.filter_text
            else replace(state, filter_text="")
        )
    if key == "h":
        return replace(state, past=not state.past, cursor="", column="", reverse=False)
    if key == "s":
        columns = state.columns
        return replace(state, column=columns[(columns.index(state.sorted_by) + 1) % len(columns)], reverse=False)
    return replace(state, reverse=not state.reverse) if key == "r" else state
