"""Calls without any audio: who makes many of them at once hears no more of new ones until they have audio.

No call is refused for that: behind a PBX all calls are of one host, and so is whoever else dials from there.
"""

from __future__ import annotations

from collections import OrderedDict

from monitor.limits.rate_limit import RateLimit
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted, TapEvent

AT_ONCE, PER_S, PAUSE_S = 100.0, 5.0, 1.0
"""Calls without any audio that one host may make; beyond them its new calls wait for their first audio, for PAUSE_S."""
MOST_HOSTS, MOST_WAITING = 10_000, 1000
"""Beyond them the oldest is forgotten."""


class EmptyCalls:
    """waiting: calls that have not begun, by their name in their tap. Used by the thread of the taps."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[str, CallStarted] = OrderedDict()
        self._budget = RateLimit(PER_S, AT_ONCE)
        self._paused: dict[str, float] = {}

    def ended(self, host: str, now: float) -> None:
        """Count a call of a host that ended without any audio."""
        if host and not self._budget.allows(host.encode(), now):
            self._paused[host] = now + PAUSE_S
            if len(self._paused) > MOST_HOSTS:
                del self._paused[next(iter(self._paused))]

    def holds(self, started: CallStarted, now: float) -> bool:
        """Return whether a new call has to wait for its first audio."""
        if now >= self._paused.get(started.peer, 0.0):
            return False
        self.waiting[started.call] = started
        if len(self.waiting) > MOST_WAITING:
            self.waiting.popitem(last=False)
        return True

    def take(self, tap_event: TapEvent) -> CallStarted | None:
        """Return the call that begins with this, if it waited for it."""
        if not isinstance(tap_event, CallAudio | CallEnded):
            return None
        started = self.waiting.pop(tap_event.call, None)
        return started if isinstance(tap_event, CallAudio) else None
