"""Where events go."""

from __future__ import annotations

from typing import Protocol

from monitor.types import Event


class Sink(Protocol):
    """Where events go. Its methods run in one thread of its own, which calls tick() at least every 20 ms.

    A sink may have, besides: wants(event) -> bool, asked in the publisher's thread before the event is queued;
    keeps = True, where what was not emitted at the end is emitted when the program runs again; left, events of a former
    run that come before all others; companions, sinks that it cannot do without.
    """

    name: str

    def emit(self, event: Event) -> None:
        """Take one event. Raises monitor.errors.SinkError for a fault; the event is then offered again."""
        ...

    def tick(self) -> None:
        """Do what is due by the clock, such as a heartbeat."""
        ...

    def close(self) -> None:
        """Write out what is held and release everything."""
        ...
