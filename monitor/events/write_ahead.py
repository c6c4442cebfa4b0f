"""Write-ahead: events wait here until the journal has them, and go on to the other sinks in their order.

The journal is bypassed while it cannot keep up: it failed (a full disk), or it kept a live event waiting for
LONGEST_WAIT_S. Events then go on at once, marked `unjournaled`, and the journal gets them when it can. The bypass ends
by itself when the journal has caught up. Nothing here waits for a disk.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.types import Event

LONGEST_WAIT_S = 1.0
"""A live event is published so late at most, whatever the disk does."""


@dataclass(slots=True)
class Ticket:
    """An event on its way. wait: as it was published. refused: the journal will never have it."""

    event: Event
    wait: bool
    since: float
    refused: bool = False


class WriteAhead:
    """release(event, wait) is called in the order of publication, in whichever thread finds that it may."""

    def __init__(self, release: Callable[[Event, bool], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._release, self._clock = release, clock
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._bypassed = False
        self._unanswered = 0
        """Events that the journal has neither written nor refused."""

    def add(self, event: Event, wait: bool) -> Ticket:
        """Hold an event that is about to be offered to the journal."""
        ticket = Ticket(event, wait, self._clock())
        with self._lock:
            self._unanswered += 1
            if self._bypassed:
                self._release_unjournaled(ticket)
            else:
                self._waiting.append(ticket)
        return ticket

    def refused(self, ticket: Ticket) -> None:
        """Note that the journal does not take the event: its queue was full, or it has ended."""
        with self._lock:
            ticket.refused = True
            self._answered()

    def set_aside(self, event: Event) -> None:
        """Note that the journal will never have this one event."""
        if not event.seq:
            return
        with self._lock:
            for ticket in self._waiting:
                if ticket.event.seq == event.seq:
                    ticket.refused = True
            self._answered()

    def written(self, event: Event) -> None:
        """Note that the journal has the event, and all before it that it will ever have."""
        if not event.seq:
            return
        with self._lock:
            while self._waiting and self._waiting[0].event.seq <= event.seq:
                ticket = self._waiting.popleft()
                if ticket.refused or ticket.event.seq < event.seq:
                    self._release_unjournaled(ticket)
                else:
                    self._release(ticket.event, ticket.wait)
            self._answered()

    def check_overdue(self) -> None:
        """Bypass the journal when a live event has waited too long; a recording waits as long as it takes."""
        # Whoever holds the lock moves events on, and may wait for this very thread.
        if not self._lock.acquire(blocking=False):
            return
        try:
            oldest = self._waiting[0] if self._waiting else None
            if oldest is not None and not oldest.wait and self._clock() - oldest.since > LONGEST_WAIT_S:
                self._release_all()
        finally:
            self._lock.release()

    def bypass(self) -> None:
        """Release all events that wait for the journal, and those to come: it fails."""
        with self._lock:
            self._release_all()

    def _answered(self) -> None:
        self._unanswered -= 1
        while self._waiting and self._waiting[0].refused:
            self._release_unjournaled(self._waiting.popleft())
        if not self._unanswered:
            self._bypassed = False

    def _release_all(self) -> None:
        self._bypassed = True
        while self._waiting:
            self._release_unjournaled(self._waiting.popleft())

    def _release_unjournaled(self, ticket: Ticket) -> None:
        self._release(replace(ticket.event, unjournaled=True), ticket.wait)
