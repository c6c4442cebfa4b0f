"""Takes events from the scoring thread, numbers and dates them, and gives them to every sink.

What publish() takes is numbered 1, 2, 3 ... within the epoch: it is a function of the audio, the weights and the
configuration, and a journal holds all of it. What the bus reports itself (a sink failed or recovered) has no number
(seq 0), so that two replays of one recording are numbered alike however their disks and networks did.

With a journal, the journal comes first: monitor/events/write_ahead.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from monitor.events import wire
from monitor.events.sink import Sink, SinkStatus
from monitor.events.sink_worker import SinkWorker
from monitor.events.write_ahead import WriteAhead
from monitor.types import Event

CLOSE_S = 0.4
"""A sink may take so long to release what it holds after its last event."""


class Bus:
    """Hands every event to every sink, each in a thread of its own. publish() belongs to one thread."""

    def __init__(self, sinks: Sequence[Sink], queue_events: int = 20_000, epoch: str | None = None) -> None:
        """queue_events: events held for one sink. epoch: wire.new_epoch() when the caller has no use for it.

        At most one sink may have write_ahead; it gets every event before the others do.
        """
        self.epoch = epoch or wire.new_epoch()
        self._seq = 0
        self._deadline = float("inf")
        self._write_ahead = WriteAhead(self._fan_out)
        self._workers: tuple[SinkWorker, ...] = ()
        self._others: tuple[SinkWorker, ...] = ()
        self._journal: SinkWorker | None = None
        first = next((sink for sink in sinks if sink.write_ahead), None)
        if first is not None:
            ahead = self._write_ahead
            self._journal = SinkWorker(
                first,
                queue_events,
                self._sink_changed,
                on_emitted=ahead.written,
                on_set_aside=ahead.set_aside,
                on_announced=self._announce,
            )
        self._others = tuple(
            SinkWorker(sink, queue_events, self._sink_changed, on_tick=self._write_ahead.check_overdue)
            for sink in sinks
            if sink is not first
        )
        every = (*self._others, *([self._journal] if self._journal else []))
        self._workers = tuple(worker for sink in sinks for worker in every if worker.sink is sink)

    def publish(self, event: Event, *, wait: bool) -> Event:
        """Number and date the event and queue it for every sink. Returns it as queued.

        wait: True for a recording: waits while a queue is full, so that nothing is lost. False for a live call:
        a full queue drops the event for its sink and counts it; scores are dropped before anything else.
        Raises ValueError for a type that is not of monitor/events/wire.py or data that would overwrite the envelope.
        """
        return self.publish_all([(event, wait)])[0]

    def publish_all(self, events: Iterable[tuple[Event, bool]]) -> list[Event]:
        """Publish events that came together, each with its `wait`; they get the same time. As publish() otherwise."""
        now, numbered, waits = wire.utc_now(), list[Event](), list[bool]()
        for given, wait in events:
            wire.check(given)
            self._seq += 1
            event = Event(given.type, given.call, given.channel, given.sample, given.data, self._seq, self.epoch, now)
            numbered.append(event)
            waits.append(wait)
        if self._journal is None:
            for worker in self._others:
                worker.offer_all(numbered, waits)
        else:
            for event, wait in zip(numbered, waits, strict=True):
                self._offer(event, wait)
        return numbered

    def status(self) -> list[SinkStatus]:
        """Return the state of each sink, in the order in which they were given. Any thread may ask."""
        return [worker.status() for worker in self._workers]

    def drain(self, timeout_s: float) -> bool:
        """Wait until every sink has taken every event. Returns False when that took longer than timeout_s."""
        until = time.monotonic() + timeout_s
        return (self._journal is None or self._journal.drain(until)) and all(w.drain(until) for w in self._others)

    def close(self, drain_s: float = 0.4) -> bool:
        """Give the sinks drain_s to take what is queued, close them and end their threads. May be called twice.

        Takes at most drain_s + CLOSE_S; a second call waits no longer than the first may. What is queued after drain_s
        counts as dropped. Returns whether all threads have ended; one stuck in a system call is left behind and does
        not keep the program from ending.
        """
        now = time.monotonic()
        self._deadline = min(self._deadline, now + drain_s)
        if self._journal is not None:
            # What it has not taken by half the time goes to the others as it is, for which the other half is left.
            half = now + (self._deadline - now) / 2
            self._journal.close(half)
            self._journal.drain(half)
            self._journal.ended(half)  # what it announces at its end reaches the others
            self._write_ahead.bypass()
        for worker in self._others:
            worker.close(self._deadline)
        return all(worker.join(self._deadline + CLOSE_S) for worker in self._workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _offer(self, event: Event, wait: bool) -> None:
        assert self._journal is not None
        ticket = self._write_ahead.add(event, wait)
        if not self._journal.offer(event, wait):
            self._write_ahead.refused(ticket)

    def _fan_out(self, event: Event, wait: bool) -> None:
        for worker in self._others:
            worker.offer(event, wait)

    def _sink_changed(self, changed: SinkWorker, code: str, detail: str) -> None:
        if changed is self._journal and code != "sink recovered":
            self._write_ahead.bypass()
        name = changed.sink.name
        data = {"code": code, "detail": f"{name}: {detail}" if detail else name, "usable": True, "sink": name}
        self._announce(changed, data)

    def _announce(self, changed: SinkWorker, data: Mapping[str, object]) -> None:
        """Queue a health event outside the numbering for all sinks but the one that it comes from."""
        event = Event("health", "", "", 0, data, 0, self.epoch, wire.utc_now())
        for worker in self._workers:
            if worker is not changed:
                worker.offer(event, wait=False)
