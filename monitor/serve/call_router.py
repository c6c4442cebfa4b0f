"""From the taps to the engine: which calls begin, which are refused, where their audio goes, and how they end."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import NoReturn

from monitor.engine.loop import Engine
from monitor.serve.empty_calls import EmptyCalls
from monitor.serve.routed_call import RoutedCall, RoutedChannel
from monitor.taps.tap_events import (
    CallAudio,
    CallEnded,
    CallMoved,
    CallPaused,
    CallResumed,
    CallStarted,
    RefusedError,
    TapEvent,
)
from monitor.types import Condition

MOST_PARTIES = 2
REPORT_EVERY_S = 5.0
MOST_NAMES = 10_000
"""Names of calls that are remembered; beyond it the oldest may be used again."""


@dataclass
class CallCounts:
    """Counts since the start. refused: by the reason."""

    started: int = 0
    ended: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class CallRouter:
    """deliver() belongs to one thread, that of the taps. idle_s: a call from which nothing comes for so long ends.

    max_calls_per_peer: of one host; 0 = no limit of its own.
    """

    def __init__(self, engine: Engine, max_calls: int, idle_s: float, max_calls_per_peer: int = 0) -> None:
        self.counts = CallCounts()
        self._of_peer: Counter[str] = Counter()
        self._empty_calls = EmptyCalls()
        self._max_calls_per_peer = max_calls_per_peer
        self.max_calls = max_calls
        self._engine, self._idle_s = engine, idle_s
        self._calls: dict[str, RoutedCall] = {}
        self._reported: dict[str, float] = {}
        self._names: OrderedDict[str, int] = OrderedDict()
        """How often a name was wanted, and every name that was given."""

    def deliver(self, tap_event: TapEvent) -> None:
        """Take what a tap says. Raises RefusedError for a call that cannot be taken.

        What belongs to no running call is passed over: its call has ended here, and the tap does not know yet.
        """
        if isinstance(tap_event, CallAudio) and (known := self._calls.get(tap_event.call)) is not None:
            known.active = time.monotonic()
            known.add_audio(tap_event, known.active)
            return
        if isinstance(tap_event, CallStarted):
            self._check(tap_event)
            if not self._empty_calls.holds(tap_event, time.monotonic()):
                self._start(tap_event)
            return
        if (started := self._empty_calls.take(tap_event)) is not None:
            with contextlib.suppress(RefusedError):
                self._check(started)
                self._start(started)
        routed = self._calls.get(tap_event.call)
        if routed is None:
            return
        routed.active = time.monotonic()
        if isinstance(tap_event, CallAudio):
            routed.add_audio(tap_event, routed.active)
        elif isinstance(tap_event, CallEnded):
            self._finish(tap_event.call, tap_event.reason)
        elif isinstance(tap_event, CallPaused):
            routed.paused = True
            routed.report(Condition("paused", tap_event.reason, usable=True))
        elif isinstance(tap_event, CallResumed) and routed.paused:
            routed.paused = False
            routed.report(Condition("recovered", "the audio goes on", usable=True))
        elif isinstance(tap_event, CallMoved):
            feed = routed.call.feeds[tap_event.channel]
            detail = f"it goes on from {tap_event.source}, with the next numbers of the same stream"
            feed.add_condition(Condition("sender moved", detail, usable=True, channel=feed.channels[0]))

    def sweep(self, now: float) -> None:
        """End calls from which nothing came; a call that is paused waits ten times as long."""
        for name, routed in list(self._calls.items()):
            if now - routed.active > self._idle_s * (10 if routed.paused else 1):
                self._finish(name, f"nothing came for {now - routed.active:.0f} s")

    def extend_deadlines(self, seconds: float) -> None:
        """Extend all deadlines by a time in which the taps had no turn: what came meanwhile is still processed."""
        for routed in self._calls.values():
            routed.active += seconds

    def published_name(self, call: str) -> str:
        """Return the name in events of a running call. call: as its tap calls it."""
        waiting = self._empty_calls.waiting.get(call)
        if waiting is not None:
            return waiting.name or waiting.call
        return self._engine.reporter.published_name(self._calls[call].call.name)

    def close(self) -> None:
        """End every call."""
        for name in list(self._calls):
            self._finish(name, "the monitor stops")

    def _check(self, started: CallStarted) -> None:
        """Refuse a call for which there is no room."""
        if started.call in self._calls:
            self._refuse("a call of that name is there already")
        if not 1 <= len(started.parties) <= MOST_PARTIES:
            self._refuse(f"a call of {len(started.parties)} parties")
        if len(self._calls) >= self.max_calls:
            self._refuse(f"serve.max_calls = {self.max_calls} are there already")
        if reason := self._engine.overload.reason:
            self._refuse(reason)
        if started.peer and 0 < self._max_calls_per_peer <= self._of_peer[started.peer]:
            self._refuse(f"serve.max_calls_per_peer = {self._max_calls_per_peer} of one host are there already")

    def _start(self, started: CallStarted) -> None:
        try:
            channels = [RoutedChannel.at_rate(started.rate) for _ in started.parties]
        except ValueError as error:
            self._refuse(str(error))
        wanted = started.name or started.call
        name, earlier = self._free_name(wanted)
        details = {**started.details, **({"direction": started.direction} if started.direction else {})}
        try:
            call = self._engine.admit(name, started.tap, started.parties, details | earlier)
        except ValueError:
            self._refuse("all rows are taken; calls that have just ended free theirs soon")
        self._remember(wanted, name)
        now = time.monotonic()
        self._calls[started.call] = RoutedCall(call, started.rate, channels, now, now, started.peer)
        self._of_peer[started.peer] += 1
        self.counts.started += 1

    def _free_name(self, wanted: str) -> tuple[str, dict[str, str]]:
        """Return a name that no call of this run had, and what to say of the call that had it before: a peer that comes
        back with the same id begins a call of its own, whose state, alerts and evidence nobody takes for those of the
        other.
        """
        name, earlier = wanted, {}
        number = max(2, self._names.get(wanted, 0) + 1)
        while name in self._names:
            earlier = {"earlier": f"{wanted}~{number - 1}" if number > 2 else wanted}
            name, number = f"{wanted}~{number}", number + 1
        return name, earlier

    def _remember(self, wanted: str, name: str) -> None:
        for given in dict.fromkeys((name, wanted)):
            self._names[given] = self._names.pop(given, 0) + (given == wanted)
        while len(self._names) > MOST_NAMES:
            self._names.popitem(last=False)

    def _refuse(self, reason: str) -> NoReturn:
        """Refuse a call. A reason is published once in REPORT_EVERY_S: a flood of calls is no flood of events."""
        self.counts.refused[reason] += 1
        self._engine.calls_refused += 1
        now = time.monotonic()
        if now - self._reported.get(reason, float("-inf")) > REPORT_EVERY_S:
            self._reported[reason] = now
            count = self.counts.refused[reason]
            self._engine.notice("refused", f"{reason}; {count} call{'s' * (count > 1)} refused for this so far")
        raise RefusedError(reason)

    def _finish(self, name: str, reason: str) -> None:
        routed = self._calls.pop(name)
        self._of_peer[routed.peer] -= 1
        if not self._of_peer[routed.peer]:
            del self._of_peer[routed.peer]
        now = time.monotonic()
        if all(channel.next is None for channel in routed.channels):
            self._empty_calls.ended(routed.peer, now)
        routed.finish(reason, now)
        self.counts.ended += 1
