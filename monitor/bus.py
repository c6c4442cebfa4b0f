"""From the scoring thread to the sinks: numbers, times and fans out the events.

What publish() takes is numbered 1, 2, 3 ... within the epoch: it is a function of the audio, the weights and the
configuration, and a journal holds all of it. What the bus says itself (a sink failed or recovered) has no number
(seq 0), so that two replays of one recording are numbered alike however their disks and networks did.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from monitor import wire
from monitor.lane import Lane, SinkStatus
from monitor.types import Event, Sink

CLOSE_S = 0.4
"""What a sink may take to let go after its last event."""


class Bus:
    """Hands every event to every sink, each in a thread of its own. publish() belongs to one thread."""

    def __init__(self, sinks: Sequence[Sink], queue_events: int = 20_000, epoch: str | None = None) -> None:
        """queue_events: events held for one sink. epoch: wire.new_epoch() when the caller has no use for it."""
        self.epoch = epoch or wire.new_epoch()
        self._seq = 0
        self._deadline = float("inf")
        self._lanes: tuple[Lane, ...] = ()
        self._lanes = tuple(Lane(sink, queue_events, self._sink_changed) for sink in sinks)

    def publish(self, event: Event, *, wait: bool) -> Event:
        """Number and date the event and queue it for every sink. Returns it as queued.

        wait: True for a recording: waits while a queue is full, so that nothing is lost. False for a live call:
        a full queue drops the event for its sink and counts it; scores are dropped before anything else.
        Raises ValueError for a type that is not of monitor/wire.py or data that would overwrite the envelope.
        """
        wire.check(event)
        self._seq += 1
        event = replace(event, seq=self._seq, epoch=self.epoch, time=wire.utc_now())
        for lane in self._lanes:
            lane.offer(event, wait)
        return event

    def status(self) -> list[SinkStatus]:
        """How each sink does, in the order in which they were given. Any thread may ask."""
        return [lane.status() for lane in self._lanes]

    def drain(self, timeout_s: float) -> bool:
        """Wait until every sink has taken every event. Returns False when that took longer than timeout_s."""
        until = time.monotonic() + timeout_s
        return all(lane.drain(until) for lane in self._lanes)

    def close(self, drain_s: float = 0.4) -> bool:
        """Give the sinks drain_s to take what is queued, close them and end their threads. May be called twice.

        Takes at most drain_s + CLOSE_S; a second call waits no longer than the first may. What is queued after drain_s
        counts as dropped. Returns whether all threads have ended; one stuck in a system call is left behind and does
        not keep the program from ending.
        """
        self._deadline = min(self._deadline, time.monotonic() + drain_s)
        for lane in self._lanes:
            lane.close(self._deadline)
        return all(lane.join(self._deadline + CLOSE_S) for lane in self._lanes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sink_changed(self, changed: Lane, code: str, detail: str) -> None:
        name = changed.sink.name
        data = {"code": code, "detail": f"{name}: {detail}" if detail else name, "usable": True, "sink": name}
        notice = Event("health", "", "", 0, data, 0, self.epoch, wire.utc_now())
        for lane in self._lanes:
            if lane is not changed:
                lane.offer(notice, wait=False)
