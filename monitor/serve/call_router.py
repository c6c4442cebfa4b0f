"""From the taps to the engine: calls that begin, their audio at 16 kHz on a row of its own each, calls that end."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from model.resample import StreamResampler
from monitor.audio import Audio, Chunk, all_finite
from monitor.engine.calls import Call
from monitor.engine.loop import Engine
from monitor.serve.empty_calls import EmptyCalls
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
from monitor.types import SAMPLE_RATE, Condition

MOST_PARTIES = 2
LONGEST_HOLE_S = 0.5
"""Of a longer hole the rest is skipped: as lost, or as a pause."""
REPORT_EVERY_S = 5.0
MOST_NAMES = 10_000
"""Names of calls that are remembered; beyond it the oldest may be used again."""
LATE = SAMPLE_RATE // 4
"""Samples; a channel whose audio begins later than its call begins so much later on the clock, too. More than a jitter
buffer holds back while it finds out which packet is the first."""


@dataclass
class _Channel:
    """resampler: None at 16 kHz. next: index, at the call's rate, after the newest sample; None before the first."""

    resampler: StreamResampler | None
    next: int | None = None
    clock: int = 0
    """Index of the next sample at SAMPLE_RATE."""


@dataclass
class _RoutedCall:
    call: Call
    rate: int
    channels: list[_Channel]
    started: float
    active: float
    peer: str
    paused: bool = False


@dataclass
class CallCounts:
    """Since the start. refused: by the reason."""

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
        self._calls: dict[str, _RoutedCall] = {}
        self._reported: dict[str, float] = {}
        self._names: OrderedDict[str, int] = OrderedDict()
        """How often a name was wanted, and every name that was given."""

    def deliver(self, tap_event: TapEvent) -> None:
        """Take what a tap says. Raises RefusedError for a call that cannot be taken.

        What belongs to no running call is passed over: its call has ended here, and the tap does not know yet.
        """
        if isinstance(tap_event, CallAudio) and (known := self._calls.get(tap_event.call)) is not None:
            known.active = time.monotonic()
            _add_audio(known, tap_event, known.active)
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
            _add_audio(routed, tap_event, routed.active)
        elif isinstance(tap_event, CallEnded):
            self._finish(tap_event.call, tap_event.reason)
        elif isinstance(tap_event, CallPaused):
            routed.paused = True
            _report(routed, Condition("paused", tap_event.reason, usable=True))
        elif isinstance(tap_event, CallResumed) and routed.paused:
            routed.paused = False
            _report(routed, Condition("recovered", "the audio goes on", usable=True))

        elif isinstance(tap_event, CallMoved):
            feed = routed.call.feeds[tap_event.channel]
            detail = f"it goes on from {tap_event.source}, with the next numbers of the same stream"
            feed.say(Condition("sender moved", detail, usable=True, channel=feed.channels[0]))

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
            channels = [_Channel(_resampler(started.rate)) for _ in started.parties]
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
        self._calls[started.call] = _RoutedCall(call, started.rate, channels, now, now, started.peer)
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
        """Said at most once in REPORT_EVERY_S for each reason, so that a flood of calls is none of events."""
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
        for i, channel in enumerate(routed.channels):
            if channel.resampler is not None and channel.next is not None:
                _push(routed, i, channel.resampler.push(np.zeros((1, 0), np.float32), last=True), now)
        routed.call.finish(reason)
        self.counts.ended += 1


def _resampler(rate: int) -> StreamResampler | None:
    return None if rate == SAMPLE_RATE else StreamResampler(rate, 1)


def _add_audio(routed: _RoutedCall, audio: CallAudio, now: float) -> None:
    """Audio of one channel, behind what is missing before it."""
    channel = routed.channels[audio.channel]
    if channel.next is None:
        channel.next = audio.start
        waited = round((now - routed.started) * SAMPLE_RATE)
        channel.clock = max(waited if waited > LATE else 0, round(audio.start * SAMPLE_RATE / routed.rate))
    hole = audio.start - channel.next
    samples = audio.samples[max(0, -hole) :]
    if hole > 0:
        samples = _hole_filled(routed, audio, hole, samples)
    channel.next = max(channel.next, audio.start + len(audio.samples))
    rows = samples[None]
    concealed = None if audio.concealed is None else _last_marks(audio.concealed, len(samples))[None]
    _push(routed, audio.channel, rows if channel.resampler is None else channel.resampler.push(rows), now, concealed)


def _last_marks(marks: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    """Return the last n marks, none where there are fewer."""
    return np.concatenate([np.zeros(max(0, n - len(marks)), np.bool_), marks[max(0, len(marks) - n) :]])


def _hole_filled(routed: _RoutedCall, audio: CallAudio, hole: int, samples: Audio) -> Audio:
    """Return the samples behind a hole: silence of a pause, or what was lost; of a long one the clock alone moves
    on."""
    fill = min(hole, round(LONGEST_HOLE_S * routed.rate))
    rest = round((hole - fill) * SAMPLE_RATE / routed.rate)
    if audio.quiet:
        routed.call.feeds[audio.channel].ring.skip(rest)
    routed.channels[audio.channel].clock += rest
    value = 0.0 if audio.quiet else np.nan
    return np.concatenate([np.full(fill, value, np.float32), samples])


def _push(
    routed: _RoutedCall, channel: int, rows: Audio, now: float, concealed: NDArray[np.bool_] | None = None
) -> None:
    """To the ring; NaN is what was lost."""
    if rows.shape[1]:
        part, feed = routed.channels[channel], routed.call.feeds[channel]
        lost = None if all_finite(rows) or not (nan := np.isnan(rows)).any() else nan
        feed.ring.push(Chunk(rows, part.clock, now, lost, concealed), wait=False)
        part.clock += rows.shape[1]


def _report(routed: _RoutedCall, condition: Condition) -> None:
    for feed in routed.call.feeds[:1]:
        feed.say(condition)
