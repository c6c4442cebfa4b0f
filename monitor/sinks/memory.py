"""A sink that keeps events in memory and fails on request: for tests of what stands before it."""

from __future__ import annotations

import threading
import time

from monitor.errors import SinkError
from monitor.events.sink import Sink
from monitor.types import Event


class MemorySink(Sink):
    """Keeps what it is given. May be asked from any thread.

    delay_s: how long each emit takes, for a slow sink. fail(reason) makes every emit raise SinkError until recover().
    """

    def __init__(self, name: str = "memory", delay_s: float = 0.0) -> None:
        self.name = name
        self.delay_s = delay_s
        self.attempts = 0
        self.ticks = 0
        self.closed = False
        self._events: list[Event] = []
        self._fault = ""
        self._changed = threading.Condition()

    @property
    def events(self) -> list[Event]:
        """Return all events taken so far, in order."""
        with self._changed:
            return list(self._events)

    def fail(self, reason: str) -> None:
        """Refuse every event from now on."""
        self._fault = reason

    def recover(self) -> None:
        """Take events again."""
        self._fault = ""

    def wait_for(self, count: int, timeout_s: float = 10.0) -> bool:
        """Wait until so many events were taken. Returns False when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._events) >= count, timeout_s)

    def emit(self, event: Event) -> None:
        """Keep one event. Raises SinkError after fail()."""
        self.attempts += 1
        if self.delay_s:
            time.sleep(self.delay_s)
        if self._fault:
            raise SinkError(self._fault)
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def tick(self) -> None:
        """Count the calls."""
        self.ticks += 1

    def tick_in_s(self) -> float:
        """Return 0.01: tests count the calls."""
        return 0.01

    def close(self) -> None:
        """Say so in `closed`."""
        self.closed = True
