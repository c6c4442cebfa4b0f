"""From the scoring thread to the sinks: numbers, times and fans out the events.

What publish() takes is numbered 1, 2, 3 ... within the epoch: it is a function of the audio, the weights and the
configuration, and a journal holds all of it. What the bus says itself (a sink failed or recovered) has no number
(seq 0), so that two replays of one recording are numbered alike however their disks and networks did.

With a journal, the journal comes first: monitor/events/write_ahead.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from monitor.events import wire
from monitor.events.sink import Sink
from monitor.events.sink_worker import Lane, SinkStatus
from monitor.events.write_ahead import Gate
from monitor.types import Event

CLOSE_S = 0.4
"""What a sink may take to let go after its last event."""


class Bus:
    """Hands every event to every sink, each in a thread of its own. publish() belongs to one thread."""

    def __init__(self, sinks: Sequence[Sink], queue_events: int = 20_000, epoch: str | None = None) -> None:
        """queue_events: events held for one sink. epoch: wire.new_epoch() when the caller has no use for it.

        A sink with a true attribute `ahead` gets every event before the others do; there may be one.
        """
        self.epoch = epoch or wire.new_epoch()
        self._seq = 0
        self._deadline = float("inf")
        self._gate: Gate | None = None
        self._ahead: Lane | None = None
        self._behind: tuple[Lane, ...] = ()
        self._lanes: tuple[Lane, ...] = ()
        first = next((sink for sink in sinks if getattr(sink, "ahead", False)), None)
        if first is not None:
            self._gate = Gate(self._fan_out)
            self._ahead = Lane(first, queue_events, self._sink_changed, self._gate.taken)
        overdue = self._gate.overdue if self._gate else _nothing
        self._behind = tuple(
            Lane(sink, queue_events, self._sink_changed, on_tick=overdue) for sink in sinks if sink is not first
        )
        of = {id(lane.sink): lane for lane in (*self._behind, *([self._ahead] if self._ahead else []))}
        self._lanes = tuple(of[id(sink)] for sink in sinks)

    def publish(self, event: Event, *, wait: bool) -> Event:
        """Number and date the event and queue it for every sink. Returns it as queued.

        wait: True for a recording: waits while a queue is full, so that nothing is lost. False for a live call:
        a full queue drops the event for its sink and counts it; scores are dropped before anything else.
        Raises ValueError for a type that is not of monitor/events/wire.py or data that would overwrite the envelope.
        """
        wire.check(event)
        self._seq += 1
        event = replace(event, seq=self._seq, epoch=self.epoch, time=wire.utc_now())
        if self._gate is None or self._ahead is None:
            self._fan_out(event, wait)
            return event
        ticket = self._gate.enter(event, wait)
        if not self._ahead.offer(event, wait):
            self._gate.refused(ticket)
        return event

    def status(self) -> list[SinkStatus]:
        """How each sink does, in the order in which they were given. Any thread may ask."""
        return [lane.status() for lane in self._lanes]

    def drain(self, timeout_s: float) -> bool:
        """Wait until every sink has taken every event. Returns False when that took longer than timeout_s."""
        until = time.monotonic() + timeout_s
        return (self._ahead is None or self._ahead.drain(until)) and all(lane.drain(until) for lane in self._behind)

    def close(self, drain_s: float = 0.4) -> bool:
        """Give the sinks drain_s to take what is queued, close them and end their threads. May be called twice.

        Takes at most drain_s + CLOSE_S; a second call waits no longer than the first may. What is queued after drain_s
        counts as dropped. Returns whether all threads have ended; one stuck in a system call is left behind and does
        not keep the program from ending.
        """
        now = time.monotonic()
        self._deadline = min(self._deadline, now + drain_s)
        if self._ahead is not None and self._gate is not None:
            # What it has not taken by half the time goes to the others as it is, for which the other half is left.
            half = now + (self._deadline - now) / 2
            self._ahead.close(half)
            self._ahead.drain(half)
            self._gate.open()
        for lane in self._behind:
            lane.close(self._deadline)
        return all(lane.join(self._deadline + CLOSE_S) for lane in self._lanes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fan_out(self, event: Event, wait: bool) -> None:
        for lane in self._behind:
            lane.offer(event, wait)

    def _sink_changed(self, changed: Lane, code: str, detail: str) -> None:
        if changed is self._ahead and self._gate is not None and code != "sink recovered":
            self._gate.open()
        name = changed.sink.name
        data = {"code": code, "detail": f"{name}: {detail}" if detail else name, "usable": True, "sink": name}
        notice = Event("health", "", "", 0, data, 0, self.epoch, wire.utc_now())
        for lane in self._lanes:
            if lane is not changed:
                lane.offer(notice, wait=False)


def _nothing() -> None:
    """Nothing waits for a journal."""
