"""The view that the screens of a server show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from monitor.call_history.ended_view import ended_row, ended_view
from monitor.call_history.kept_call import call_id
from monitor.call_history.recent_calls import RecentCalls
from monitor.call_names import call_name
from monitor.engine.calls import Call
from monitor.engine.loop import Engine
from monitor.engine.traces import Traces
from monitor.engine.view import channel_view, elapsed_s, view
from monitor.serve.call_router import CallRouter
from monitor.types import WORST_FIRST
from monitor.views import CallRow, ChannelView, ServerStatus, View

MOST_ENDED = 300
"""Rows of calls that have ended."""


class ServerView:
    """status() gives the table, call() one of its calls; both from any thread."""

    def __init__(
        self,
        engine: Engine,
        traces: Traces,
        router: CallRouter,
        calls: RecentCalls,
        publisher: str,
        taps: Callable[[], tuple[str, ...]],
    ) -> None:
        self._engine, self._traces, self._router = engine, traces, router
        self._calls = calls
        self._publisher, self._taps = publisher, taps
        self._past: dict[str, CallRow] = {}
        """Rows by id: a call that has ended does not change any more."""

    def call(self, name: str) -> View | None:
        found = next((call for call in self._engine.calls if call.begun and call.name == name), None)
        return None if found is None else self._view(found)

    def ended_call(self, name: str) -> View | None:
        """Return a call that has ended and is still kept."""
        with self._calls.locked():
            found = self._calls.call(self._id(name))
            return None if found is None else ended_view(found, self._whole())

    def status(self) -> ServerStatus:
        """Return the table."""
        calls = tuple(call for call in self._engine.calls if call.begun)
        rows = tuple(sorted((self._row(call) for call in calls), key=_row_order))
        counts, most = self._router.counts, self._router.max_calls
        refused = sum(counts.refused.values())
        past, shards = self._ended_rows(), self._engine.shards()
        return ServerStatus(
            rows, self._whole(), most, counts.started, counts.ended, refused, self._taps(), past, shards
        )

    def _whole(self) -> View:
        """Return the state of the server, without a call."""
        return view(self._engine, self._traces, self._publisher, None, [])

    def _ended_rows(self) -> tuple[CallRow, ...]:
        """Return the newest first."""
        with self._calls.locked():
            ended = {call.id: call for call in self._calls.newest_ended(MOST_ENDED)}
            self._past = {id: self._past.get(id) or ended_row(call) for id, call in ended.items()}
            return tuple(self._past.values())

    def _view(self, call: Call) -> View:
        shown = view(self._engine, self._traces, self._publisher, None, [call])
        return replace(shown, name=self._name(call), id=self._id(call.name))

    def _row(self, call: Call) -> CallRow:
        rows = range(call.rows.start, call.rows.stop)
        views = [channel_view(self._engine, self._traces, call, row) for row in rows]
        worst, elapsed = min(views, key=_channel_order), elapsed_s(self._engine, call)
        name, id, alerts = self._name(call), self._id(call.name), sum(channel.alerts for channel in views)
        return CallRow(call.name, call.origin, elapsed, worst, len(views), name, call.started, id, alerts)

    def _id(self, name: str) -> str:
        return call_id(self._calls.epoch, self._engine.reporter.published_name(name))

    def _name(self, call: Call) -> str:
        """Return the name for people, with numbers as events have them."""
        published = self._engine.reporter.published_name
        started = datetime.fromtimestamp(call.started)
        return published(call_name(call.origin, call.details, started, published(call.name)))


def _channel_order(channel: ChannelView) -> tuple[int, float]:
    """Return the place of a channel: the worst first; without evidence last among equals."""
    return WORST_FIRST.index(channel.state), -channel.p_fake if channel.p_fake == channel.p_fake else 1.0


def _row_order(row: CallRow) -> tuple[int, float, str]:
    return *_channel_order(row.worst), row.call
