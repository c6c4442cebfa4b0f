"""The sink that keeps the calls of this run in memory, in a thread of its own beside the scoring loop."""

from __future__ import annotations

from monitor.call_history.recent_calls import RecentCalls
from monitor.events.sink import Sink
from monitor.types import Event


class RecentCallsSink(Sink):
    """Hands each event of a call to the calls that are kept."""

    name = "calls"

    def __init__(self, calls: RecentCalls) -> None:
        self._calls = calls

    def wants(self, event: Event) -> bool:
        """Return whether the event belongs to a call."""
        return bool(event.call and event.seq)

    def emit(self, event: Event) -> None:
        self._calls.add(event)
