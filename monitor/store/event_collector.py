"""Collects the events of a call and its alerts until they are written. Pure: the time is given."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from monitor.store.clip import EvidenceClip
from monitor.store.whole_call import WholeCall
from monitor.types import Event

LATE_S = 15.0
"""So long an alert waits for events that never come, because the queue was full."""


@dataclass(eq=False)
class CallLog:
    """The events of a call. rows: where its audio is. started: its first event. latest: newest sample by channel.

    over: call.ended has been heard of, by the audio's way; ended: by the events' way.
    """

    rows: slice = field(default_factory=lambda: slice(0, 0))
    channels: tuple[str, ...] = ()
    started: Event | None = None
    events: deque[Event] = field(default_factory=deque)
    latest: dict[str, int] = field(default_factory=dict)
    whole: WholeCall | None = None
    over: bool = False
    ended: bool = False
    due_at: float = float("inf")

    @property
    def newest(self) -> int:
        """Return the sample of the newest event."""
        return max(self.latest.values(), default=0)

    def note(self, event: Event) -> None:
        """Keep an event of the call."""
        self.events.append(event)
        if event.channel:
            self.latest[event.channel] = max(event.sample, self.latest.get(event.channel, 0))
        if event.type == "call.started":
            self.started = event
        elif event.type == "call.ended":
            self.ended = True

    def trim(self, floor: int) -> None:
        """Forget events from before a sample."""
        while self.events and self.events[0].sample < floor:
            self.events.popleft()


@dataclass(eq=False)
class PendingAlert:
    """An alert that is not written yet, and what was said of its call. due_at: it then waits no longer for events.

    tries: how often it could not be written.
    """

    clip: EvidenceClip
    log: CallLog
    due_at: float = float("inf")
    tries: int = 0

    def is_due(self, audio: bool, now: float) -> bool:
        """Return whether audio and events have both reached the end; audio: whether there is any."""
        if audio and not self.clip.complete and not self.log.over:
            return False
        if self.due_at == float("inf") and (audio or self.log.over):
            self.due_at = now + LATE_S
        reached = self.log.latest.get(self.clip.opened.channel, 0) >= self.clip.last
        return reached or self.log.ended or now > self.due_at

    def events(self) -> list[Event]:
        """Return what was said in the time of the alert, and how the call began and ended, where that is known."""
        first, last = self.clip.first, self.clip.last
        found = [e for e in self.log.events if first <= e.sample < last or e.type == "call.ended"]
        started = self.log.started
        return found if started is None or started in found else [started, *found]
