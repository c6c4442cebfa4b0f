"""The content of a server's screen, and the call that is open on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from monitor.call_history.record import call_id
from monitor.call_names import call_name
from monitor.engine.calls import Call
from monitor.engine.loop import Engine
from monitor.engine.traces import Traces
from monitor.engine.view import channel_view, elapsed_s, view
from monitor.serve.call_router import CallRouter
from monitor.types import State
from monitor.views import Board, CallRow, ChannelView, View

MOST_TO_LEAST = (State.ALERT, State.SUSPICIOUS, State.UNKNOWN, State.UNDECIDED, State.CLEAR, State.LISTENING)


class ServerView:
    """pull() gives the table, or the call that is open; press() takes the keys that move about in it."""

    def __init__(
        self,
        engine: Engine,
        traces: Traces,
        router: CallRouter,
        publisher: str,
        taps: Callable[[], tuple[str, ...]],
    ) -> None:
        self._engine, self._traces, self._switchboard = engine, traces, router
        self._publisher, self._taps = publisher, taps
        self._order: tuple[str, ...] = ()
        self._cursor = self._open = ""
        self._lock = threading.Lock()

    def pull(self) -> Board | View:
        """Return what to show now."""
        opened = self.call(self._open) if self._open else None
        if opened is not None:
            return replace(opened, back=True)
        board = self.board()
        with self._lock:
            self._open, self._order = "", tuple(row.call for row in board.rows)
            if self._cursor not in self._order:
                self._cursor = ""
        return replace(board, cursor=self._cursor)

    def call(self, name: str) -> View | None:
        """Return a running call, whichever is open."""
        found = next((call for call in self._engine.calls if call.begun and call.name == name), None)
        if found is None:
            return None
        shown = view(self._engine, self._traces, self._publisher, None, [found])
        return replace(shown, name=self._name(found), id=self._id(found))

    def board(self) -> Board:
        """Return the table, without a cursor."""
        calls = tuple(call for call in self._engine.calls if call.begun)
        rows = tuple(sorted((self._row(call) for call in calls), key=_row_order))
        tally, most = self._switchboard.tally, self._switchboard.max_calls
        whole = view(self._engine, self._traces, self._publisher, None, [])
        refused = sum(tally.refused.values())
        return Board(rows, whole, "", most, tally.started, tally.ended, refused, self._taps())

    def press(self, key: str) -> None:
        """up, down: move the cursor. enter: open the call under it, or the worst. escape: back to the table."""
        with self._lock:
            if key == "escape":
                self._open = ""
            elif key == "enter":
                self._cursor = self._open = self._cursor or next(iter(self._order), "")
            elif key in ("up", "down") and self._order and not self._open:
                at = self._order.index(self._cursor) if self._cursor in self._order else -1
                step = 1 if key == "down" else -1
                self._cursor = self._order[max(0, min(len(self._order) - 1, at + step))]

    def _row(self, call: Call) -> CallRow:
        rows = range(call.rows.start, call.rows.stop)
        views = [channel_view(self._engine, self._traces, call, row) for row in rows]
        worst, elapsed = min(views, key=_channel_order), elapsed_s(self._engine, call)
        return CallRow(
            call.name, call.origin, elapsed, worst, len(views), self._name(call), call.started, self._id(call)
        )

    def _id(self, call: Call) -> str:
        return call_id(self._engine.bus.epoch, self._engine.reporter.published_name(call.name))

    def _name(self, call: Call) -> str:
        """Return the name for people, with numbers as events have them."""
        name = call_name(call.origin, call.details, datetime.fromtimestamp(call.started))
        return self._engine.reporter.published_name(name)


def _channel_order(channel: ChannelView) -> tuple[int, float]:
    """Sorts the worst first; without evidence last among equals."""
    return MOST_TO_LEAST.index(channel.state), -channel.p_fake if channel.p_fake == channel.p_fake else 1.0


def _row_order(row: CallRow) -> tuple[int, float, str]:
    return *_channel_order(row.worst), row.call
