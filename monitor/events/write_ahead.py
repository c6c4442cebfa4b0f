"""Write-ahead: events wait here until the journal has them, and go on to the other sinks in their order.

The gate stands open while the journal cannot keep up: it failed (a full disk), or it kept a live event waiting for
PATIENCE_S. Events then go on at once, marked `unjournaled`, and the journal gets them when it can. The gate closes
again, by itself, when the journal has caught up. Nothing here waits for a disk.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.types import Event

PATIENCE_S = 1.0
"""A live event is published so late at most, whatever the disk does."""


@dataclass(slots=True)
class Ticket:
    """An event on its way. wait: as it was published. refused: the journal will never have it."""

    event: Event
    wait: bool
    since: float
    refused: bool = False


class Gate:
    """release(event, wait) is called in the order of publication, in whichever thread finds that it may."""

    def __init__(self, release: Callable[[Event, bool], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._release, self._clock = release, clock
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._open = False
        self._owed = 0

    @property
    def is_open(self) -> bool:
        """Whether events go on although the journal does not have them."""
        return self._open

    def enter(self, event: Event, wait: bool) -> Ticket:
        """An event is about to be offered to the journal."""
        ticket = Ticket(event, wait, self._clock())
        with self._lock:
            self._owed += 1
            if self._open:
                self._unjournaled(ticket)
            else:
                self._waiting.append(ticket)
        return ticket

    def refused(self, ticket: Ticket) -> None:
        """The journal's queue was full, or it has ended."""
        with self._lock:
            ticket.refused = True
            self._owed -= 1
            self._let_refused_go()
            self._close_if_even()

    def taken(self, event: Event) -> None:
        """The journal has the event, and all before it that it will ever have."""
        if not event.seq:
            return
        with self._lock:
            self._owed -= 1
            while self._waiting and self._waiting[0].event.seq <= event.seq:
                ticket = self._waiting.popleft()
                if ticket.refused or ticket.event.seq < event.seq:
                    self._unjournaled(ticket)
                else:
                    self._release(ticket.event, ticket.wait)
            self._let_refused_go()
            self._close_if_even()

    def overdue(self) -> None:
        """Open when a live event has waited too long; a recording waits as long as it takes."""
        if not self._lock.acquire(
            blocking=False
        ):  # whoever holds it moves events on, and may wait for this very thread
            return
        try:
            if self._waiting and not self._waiting[0].wait and self._clock() - self._waiting[0].since > PATIENCE_S:
                self._let_all_go()
        finally:
            self._lock.release()

    def open(self) -> None:
        """The journal fails: let all go that wait for it, and those to come."""
        with self._lock:
            self._let_all_go()

    def _let_all_go(self) -> None:
        self._open = True
        while self._waiting:
            self._unjournaled(self._waiting.popleft())

    def _let_refused_go(self) -> None:
        while self._waiting and self._waiting[0].refused:
            self._unjournaled(self._waiting.popleft())

    def _close_if_even(self) -> None:
        if self._open and not self._owed:
            self._open = False

    def _unjournaled(self, ticket: Ticket) -> None:
        self._release(replace(ticket.event, unjournaled=True), ticket.wait)
