"""Collects the events of a monitor while a benchmark runs."""

from __future__ import annotations

import threading

from monitor.events import wire
from monitor.subscriber import Subscriber
from monitor.types import Event


class EventListener:
    """Collects the events of the server in a thread of its own."""

    def __init__(self, address: str) -> None:
        self.events: list[Event] = []
        self._address, self._ended = address, threading.Event()
        self._thread = threading.Thread(target=self._listen, name="event listener", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with Subscriber(self._address, ("score.", "alert.", "call.", "health"), heartbeats=True) as subscriber:
            while not self._ended.is_set():
                item = subscriber.receive(0.2)
                if isinstance(item, wire.Message) and not item.snapshot:
                    self.events.append(item.event)

    def of(self, kind: str) -> list[Event]:
        """Return the events of a type so far."""
        return [event for event in list(self.events) if event.type == kind]

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5.0)
