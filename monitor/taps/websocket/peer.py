"""One connection as the server sees it: what its handler gives is delivered, within limits, and only of its own call.

Nothing here touches a socket: messages and times go in, what is to be answered comes out.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from monitor.config.taps import WebsocketSection
from monitor.taps.tap_events import (
    CallAudio,
    CallEnded,
    CallPaused,
    CallResumed,
    CallStarted,
    Deliver,
    RefusedError,
    TapEvent,
)
from monitor.taps.websocket.handler import (
    POLICY,
    TRY_LATER,
    BadMessageError,
    Close,
    Handler,
    Send,
    SkippedMessage,
    Step,
)
from monitor.taps.websocket.limits import PeerBudget

PAUSE_FACTOR = 10
"""A call on hold may be silent for so many times as long; the switchboard has it so, too."""

Answer = Send | Close


class WebsocketPeer:
    """counts: what was refused, by the reason. running: ids of the calls that there are. Both are shared by all peers.
    host: where the connection comes from. A Close is the last answer.

    A peer whose connection broke may come back with the id of its call before the old connection is known to be dead.
    It begins a call of its own then: to end the other one, or to go on with it, would let one peer meddle in the call
    of another whose id it knows.
    """

    def __init__(
        self,
        handler: Handler,
        limits: WebsocketSection,
        deliver: Deliver,
        idle_s: float,
        counts: Counter[str],
        now: float,
        host: str = "",
        running: set[str] | None = None,
    ) -> None:
        self._handler, self._deliver, self._idle_s, self._counts = handler, deliver, idle_s, counts
        self._limits, self._host = limits, host
        self._meter = PeerBudget(limits, now)
        self._running = set() if running is None else running
        self._call: CallStarted | None = None
        self._id = ""
        """The id of the call, unique among those of all peers."""
        self._first: int | None = None
        self._active = now
        self._paused = False

    def message(self, data: str | bytes, now: float) -> list[Answer]:
        """Take a message that came in; return what is to be answered."""

        def take() -> Iterable[Step]:
            # In UTF-8 a character is a byte or more; to count them all would cost more than it tells.
            self._meter.message(len(data), now)
            return self._handler.text(data, now) if isinstance(data, str) else self._handler.binary(data, now)

        return self._answered(take, now)

    def tick(self, now: float) -> list[Answer]:
        """Let time pass without a message; return what is to be answered."""
        return self._answered(lambda: self._handler.tick(now), now)

    def extend_deadlines(self, seconds: float) -> None:
        """Extend all deadlines by a time in which nothing was read; what arrived meanwhile is still processed."""
        self._active += seconds

    def end(self, why: str, now: float) -> None:
        for tap_event in self._handler.closed(why):
            self._deliver_own(tap_event, now)
        if self._call is not None:
            self._deliver_own(CallEnded(self._call.call, why), now)

    def _answered(self, take: Callable[[], Iterable[Step]], now: float) -> list[Answer]:
        """Run steps and return the messages to send; a step that breaks a rule ends the connection."""
        out: list[Answer] = []
        try:
            for step in take():
                if isinstance(step, Send | Close):
                    out.append(step)
                elif isinstance(step, SkippedMessage):
                    self._counts[step.reason] += 1
                else:
                    self._deliver_own(step, now)
                if isinstance(step, Close):
                    return out
        except BadMessageError as error:
            self._counts[error.reason] += 1
            return [*out, Close(error.code, error.reason)]
        except RefusedError as error:
            self._counts["refused calls"] += 1
            answers = [step for step in self._handler.refused(str(error)) if isinstance(step, Send | Close)]
            return [*out, *answers, Close(TRY_LATER, str(error))]
        return out + self._idle(now)

    def _deliver_own(self, tap_event: TapEvent, now: float) -> None:
        """Deliver what belongs to this connection: it cannot speak for the call of another."""
        if isinstance(tap_event, CallStarted):
            if self._call is not None:
                raise BadMessageError("a second call on one connection", POLICY)
            self._begin(tap_event)
            self._first, self._meter = None, PeerBudget(self._limits, now)
        elif self._call is None or tap_event.call != self._call.call:
            return
        elif isinstance(tap_event, CallAudio):
            self._first = tap_event.start if self._first is None else min(self._first, tap_event.start)
            until = tap_event.start + len(tap_event.samples) - self._first
            self._meter.audio(until / self._call.rate, now)
            self._deliver(replace(tap_event, call=self._id))
        else:
            self._deliver(replace(tap_event, call=self._id))
        self._paused = isinstance(tap_event, CallPaused) or (self._paused and not isinstance(tap_event, CallResumed))
        if isinstance(tap_event, CallEnded):
            self._running.discard(self._id)
            self._call, self._paused = None, False
        self._active = now

    def _begin(self, started: CallStarted) -> None:
        """Raises RefusedError."""
        wanted = started.call
        numbers = itertools.count(2)
        id = wanted
        while id in self._running:
            id = f"{wanted}#{next(numbers)}"
        self._deliver(replace(started, call=id, name=wanted if id != wanted else "", peer=self._host))
        self._running.add(id)
        self._call, self._id = started, id

    def _idle(self, now: float) -> list[Answer]:
        """Return the end of a connection that holds a place and gives nothing."""
        if now - self._active <= self._idle_s * (PAUSE_FACTOR if self._paused else 1):
            return []
        if self._call is None:
            self._counts["no call began"] += 1
            return [Close(POLICY, "no call began")]
        why = f"nothing came for {now - self._active:.0f} s"
        self._deliver_own(CallEnded(self._call.call, why), now)
        return [Close(POLICY, why)]
