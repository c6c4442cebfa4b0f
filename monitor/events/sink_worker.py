"""One sink's bounded queue and the thread that empties it into the sink.

A sink that fails keeps its event and gets it again after a back-off; nobody else waits for it. An event that the sink
can never take is set aside: counted, reported, and the next one follows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf

from monitor.errors import SinkError
from monitor.events.event_queue import EventQueue
from monitor.events.sink import Sink, SinkStatus
from monitor.events.sink_retry import SinkRetry
from monitor.types import Event

TICK_S = 0.015
"""Between two calls of Sink.tick() while events come one after another."""
LEAST_REST_S = 0.001
ON_TICK_S = 0.1
"""Between two calls of on_tick() while there is none."""
LAST_TRIES_S = 0.3
"""A sink that fails while the program ends is tried for so long."""


class SinkWorker:
    """The queue and the thread of one sink. All callbacks are called in this thread.

    on_change(worker, code, detail): the sink failed, recovered or ended. on_emitted(event): the sink has this event.
    on_set_aside(event): the sink will never have it.
    on_tick(): every ON_TICK_S at least, unless the sink fails.
    on_announced(worker, data): of a health event for the others.
    """

    def __init__(
        self,
        sink: Sink,
        capacity: int,
        on_change: Callable[[SinkWorker, str, str], None],
        on_emitted: Callable[[Event], None] = lambda _: None,
        on_tick: Callable[[], None] | None = None,
        on_set_aside: Callable[[Event], None] = lambda _: None,
        on_announced: Callable[[SinkWorker, Mapping[str, object]], None] = lambda _, __: None,
    ) -> None:
        self.sink = sink
        self._on_emitted, self._on_tick, self._on_set_aside = on_emitted, on_tick, on_set_aside
        self._on_announced = on_announced
        self._on_change = on_change
        self._queue = EventQueue(capacity, sink.undelivered())
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._freed = threading.Condition(self._lock)
        self._deadline = self._last_try = float("inf")
        self._stopped = False
        self._retry = SinkRetry()
        self._next_tick = self._idle_until = 0.0
        self._waiting = False
        """The thread is in Sink.wait()."""
        self._thread = threading.Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)
        self._thread.start()

    def offer(self, event: Event, wait: bool) -> bool:
        """Queue the event, if the sink wants it. When full: wait for room (wait=True), else drop and count. Never waits
        once closed. Returns whether it was taken care of, not dropped.
        """
        if not self.sink.wants(event):
            return True
        with self._lock:
            taken = self._take(event, wait)
            self._wake()
            return taken

    def offer_all(self, events: Sequence[Event], waits: Sequence[bool]) -> None:
        """Queue events that came together, and wake the thread once. As offer() otherwise."""
        wanted = [(event, wait) for event, wait in zip(events, waits, strict=True) if self.sink.wants(event)]
        if wanted:
            with self._lock:
                for event, wait in wanted:
                    self._take(event, wait)
                self._wake()

    def _wake(self) -> None:
        """Wake the thread; belongs under the lock."""
        self._filled.notify()
        if self._waiting:
            self._waiting = False
            self.sink.wake()

    def _take(self, event: Event, wait: bool) -> bool:
        while wait and not self._stopped and not self._queue.has_room(event, wait):
            self._wake()
            self._freed.wait()
        if self._stopped or not self._queue.has_room(event, wait):
            # Nobody misses the status of another sink at the end.
            self._queue.dropped += bool(event.seq) or not self._stopped
            return False
        self._queue.add(event)
        return True

    def drain(self, until: float) -> bool:
        """Wait until nothing is queued, at most until that time.monotonic(). Returns whether it is empty."""
        with self._freed:
            return self._freed.wait_for(lambda: not self._queue, max(0.0, until - time.monotonic()))

    def close(self, deadline: float) -> None:
        """Take no more events, offer those queued until the deadline (time.monotonic()), then close the sink.

        A sink that fails is not waited for so long: LAST_TRIES_S, or what there was for it.
        """
        with self._filled:
            self._last_try = min(self._last_try, time.monotonic() + LAST_TRIES_S)
            self._stopped = True
            self._deadline = min(self._deadline, deadline)
            self._retry.due = 0.0
            self._wake()
            self._freed.notify_all()

    def ended(self, until: float) -> bool:
        """Wait for the thread, at most until that time.monotonic(), and give nothing up. Returns whether it ended."""
        self._thread.join(max(0.0, until - time.monotonic()))
        return not self._thread.is_alive()

    def join(self, until: float) -> bool:
        """Wait for the thread, at most until that time.monotonic(). Returns whether it has ended; what waits for one
        that has not, in a system call, is given up.
        """
        if self.ended(until):
            return True
        with self._filled:
            self._queue.give_up(keep=self.sink.keeps_events)
        return False

    def status(self) -> SinkStatus:
        """Return a consistent picture of this moment."""
        with self._filled:
            queue = self._queue
            counts = len(queue), queue.dropped, queue.emitted, queue.kept
            return SinkStatus(self.sink.name, not self._retry.fault, self._retry.fault, *counts)

    def _run(self) -> None:
        try:
            while self._wait():
                self._step()
        except BaseException as error:
            # A defect of the sink. It must not block the others.
            with self._filled:
                self._retry.fault = f"{type(error).__name__}: {error}"
            self._on_change(self, "sink ended", self._retry.fault)
            raise
        finally:
            self._end()

    def _wait(self) -> bool:
        """Wait until there is something to emit, a tick is due, or a retry. Returns False when the thread is to end."""
        with self._filled:
            now = time.monotonic()
            due = self._retry.due if self._retry.fault else self._idle_until
            ready = bool(self._queue)
            if due > now and (self._retry.fault or not ready) and not (self._stopped and not ready):
                self._rest(min(due, self._until()) - now)
                now = time.monotonic()
            if self._stopped and (not self._queue or now >= self._until()):
                return False
            if self._queue.current is None and self._queue.take_next():
                self._freed.notify()
            return True

    def _rest(self, timeout_s: float) -> None:
        """Wait for an event, or until there is something else to do; belongs under the lock."""
        if self._retry.fault or not self.sink.waits:
            self._filled.wait(None if timeout_s == inf else timeout_s)
            return
        self._waiting = True
        self._lock.release()
        try:
            if self.sink.wait(timeout_s):
                self._idle_until = 0.0
        finally:
            self._lock.acquire()
            self._waiting = False

    def _until(self) -> float:
        return min(self._deadline, self._last_try) if self._retry.fault else self._deadline

    def _step(self) -> None:
        now = time.monotonic()
        if now < self._retry.due:
            return
        if self._queue.current is not None:  # of which tick() may make something
            self._idle_until = min(self._idle_until, self._next_tick)
        try:
            while (event := self._queue.current) is not None:
                self._emit(event)
                self._on_emitted(event)
                self._emit_done()
                if self._retry.fault or (now := time.monotonic()) >= self._next_tick:
                    break
            if now >= self._idle_until:
                self._tick(now)
        except SinkError as error:
            self._failed(error)
        else:
            self._recovered()

    def _emit(self, event: Event) -> None:
        """Hand an event to the sink. Raises SinkError, final for an event that no sink should trip over."""
        try:
            self.sink.emit(event)
        except SinkError:
            raise
        except Exception as error:
            which = f"{event.type} {event.seq}" if event.seq else event.type
            raise SinkError(f"{which} was set aside: {type(error).__name__}: {error}", final=True) from error

    def _tick(self, now: float) -> None:
        self._next_tick = self._idle_until = now + TICK_S  # should tick() fail
        if self._on_tick is not None:
            self._on_tick()
        self.sink.tick()
        self._announce()
        rest_s = max(LEAST_REST_S, self.sink.tick_in_s())
        self._idle_until = now + (rest_s if self._on_tick is None else min(rest_s, ON_TICK_S))

    def _announce(self) -> None:
        data = self.sink.announcement()
        if data is not None:
            self._on_announced(self, data)

    def _emit_done(self) -> None:
        """Count the event, and go on with the next one, unless the sink is being closed, which _wait() sees to."""
        with self._lock:
            self._queue.emit_done()
            if not self._queue:
                self._freed.notify_all()
            elif not self._stopped and self._queue.take_next():
                self._freed.notify()

    def _failed(self, error: SinkError) -> None:
        with self._filled:
            given_up = self._queue.current if error.final else None
            worked = self._retry.failed(error, time.monotonic(), set_aside=given_up is not None)
        if given_up is not None:
            self._on_set_aside(given_up)
            with self._filled:
                self._queue.drop_current()
                if not self._queue:
                    self._freed.notify_all()
        if worked or given_up is not None:
            self._on_change(self, "sink fault", error.message)

    def _recovered(self) -> None:
        if self._retry.fault:
            with self._filled:
                self._retry.recovered()
            self._on_change(self, "sink recovered", "")

    def _end(self) -> None:
        with self._filled:
            self._stopped = True
            self._queue.give_up(keep=self.sink.keeps_events)
            self._freed.notify_all()
        self.sink.close()
        self._announce()
