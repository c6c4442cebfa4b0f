"""The events that wait for one sink, in order, bounded, with room kept for what matters more than scores."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from monitor.types import Event

SCORE_SHARE = 0.9
"""Scores of a live call may fill this part of a queue; the rest is kept for alerts, states and the ends of calls."""
STATUS_ROOM = 100
"""Events beyond a queue's capacity that say that another sink failed or recovered."""


class EventQueue:
    """Has no lock: its owner's protects it. len() counts the current event, too.

    current: the event that the sink has not taken yet, which only the owner's thread changes. dropped, emitted, kept:
    events so far that the sink will never have, has, and has on disk for its next run.
    """

    def __init__(self, capacity: int, waiting: Iterable[Event] = ()) -> None:
        self._capacity, self._score_capacity = capacity, max(1, int(capacity * SCORE_SHARE))
        self._events = deque(waiting)
        self.current: Event | None = None
        self.dropped = self.emitted = self.kept = 0

    def __len__(self) -> int:
        return len(self._events) + (self.current is not None)

    def has_room(self, event: Event, wait: bool) -> bool:
        """Return whether an event has room. wait: its publisher can wait, so that scores need not leave room."""
        if not event.seq:
            return len(self._events) < self._capacity + STATUS_ROOM
        live_score = event.type == "score" and not wait
        return len(self._events) < (self._score_capacity if live_score else self._capacity)

    def add(self, event: Event) -> None:
        """Let an event wait; has_room() is not asked again."""
        self._events.append(event)

    def take_next(self) -> bool:
        """Make the oldest event that waits the current one. Returns whether there was one."""
        if self._events:
            self.current = self._events.popleft()
            return True
        return False

    def emit_done(self) -> None:
        """Count the current event as emitted."""
        self.current = None
        self.emitted += 1

    def drop_current(self) -> None:
        """Count the current event as dropped."""
        self.current = None
        self.dropped += 1

    def give_up(self, *, keep: bool) -> None:
        """Count what waits as kept, or as dropped, and forget it."""
        if keep:
            self.kept += len(self)
        else:
            self.dropped += len(self)
        self._events.clear()
        self.current = None
