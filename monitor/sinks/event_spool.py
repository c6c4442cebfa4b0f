"""Undelivered events of an outlet, on disk, so that a restart loses none.

A sink of its own writes events down while the outlet waits for its receiver; both get the events from the bus in the
same order. The number of the newest event delivered stands in a file beside it. Scores are not kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from monitor.disk.locking import lock
from monitor.disk.private import open_private, write_private
from monitor.errors import BadInputError, SinkError
from monitor.events import wire
from monitor.events.sink import Sink
from monitor.types import Event

MOST_BYTES = 64 << 20
FLAGS = os.O_RDWR | os.O_APPEND


class EventSpool:
    """Events in a file, oldest first, and how far they have been delivered. Two sinks use it, each in its thread.

    undelivered: those of former runs.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadInputError for a file that cannot be written, or has another user."""
        self.path = path
        self._state_path = path.with_name(path.name + ".state")
        self._guard = threading.Lock()
        self._users = 2
        try:
            self._fd = open_private(path, FLAGS)
            lock(self._fd, f"spool {path}")
            self._done = _read_state(self._state_path)
            self.undelivered = _read_undelivered(path, *self._done)
            self._write_anew()
        except OSError as error:
            hint = "name a file in a directory that exists and can be written"
            raise BadInputError(f"spool {path}: {error.strerror}", hint) from error
        self._newest = (self.undelivered[-1].epoch, self.undelivered[-1].seq) if self.undelivered else self._done

    def append(self, event: Event) -> None:
        """Write it down, through to the disk. Raises SinkError."""
        with self._guard:
            if event.epoch == self._done[0] and event.seq <= self._done[1]:
                return
            try:
                if os.fstat(self._fd).st_size > MOST_BYTES:
                    raise SinkError(f"spool {self.path} holds {MOST_BYTES >> 20} MiB, and takes no more")
                _write(self._fd, wire.encode(event) + b"\n")
            except OSError as error:
                raise SinkError(f"spool {self.path}: {error.strerror}") from error
            self._newest = (event.epoch, event.seq)

    def delivered(self, event: Event) -> None:
        """Note that all up to this event are delivered. What a full disk keeps from being noted is sent once more by
        the next run, under the same id.
        """
        if not event.seq:
            return
        with self._guard, contextlib.suppress(OSError):
            self._done = (event.epoch, event.seq)
            beside = self._state_path.with_name(self._state_path.name + ".new")
            write_private(beside, json.dumps({"epoch": event.epoch, "seq": event.seq}).encode())
            beside.replace(self._state_path)
            if self._done == self._newest:
                os.ftruncate(self._fd, 0)

    def close(self) -> None:
        """Close for one user; the last one releases the file."""
        with self._guard:
            self._users -= 1
            if not self._users:
                os.close(self._fd)

    def _write_anew(self) -> None:
        """Write the file anew, without what was delivered and without a line that a crash cut off."""
        beside = self.path.with_name(self.path.name + ".new")
        beside.unlink(missing_ok=True)
        fd = open_private(beside, FLAGS)
        lock(fd, f"spool {self.path}")
        _write(fd, b"".join(wire.encode(event) + b"\n" for event in self.undelivered))
        beside.replace(self.path)
        os.close(self._fd)
        self._fd = fd


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
    os.fsync(fd)


def _read_state(path: Path) -> tuple[str, int]:
    try:
        state = json.loads(path.read_text())
        return str(state["epoch"]), int(state["seq"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return "", 0


def _read_undelivered(path: Path, epoch: str, seq: int) -> Sequence[Event]:
    """Return the events of a spool behind the newest one that was delivered, in the order in which they were
    written."""
    events = []
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(BadInputError):  # a line that a crash cut off
            events.append(wire.decode(line).event)
    done = max((n for n, e in enumerate(events, 1) if e.epoch == epoch and e.seq <= seq), default=0)
    return events[done:]


class SpoolSink(Sink):
    """Writes down what the outlet is to deliver."""

    def __init__(self, outlet: Sink, spool: EventSpool) -> None:
        self.name = f"{outlet.name} spool"
        self._outlet, self._spool = outlet, spool

    def wants(self, event: Event) -> bool:
        """Return what has a number is kept, but for scores, which are worth nothing later."""
        return bool(event.seq) and event.type != "score" and self._outlet.wants(event)

    def emit(self, event: Event) -> None:
        """Append the event. Raises SinkError."""
        self._spool.append(event)

    def close(self) -> None:
        """Release the file, once the outlet has too."""
        self._spool.close()


class SpooledSink(Sink):
    """An outlet whose deliveries are noted in the spool."""

    keeps_events = True

    def __init__(self, outlet: Sink, spool: EventSpool) -> None:
        self.name = outlet.name
        self._outlet, self._spool = outlet, spool

    def wants(self, event: Event) -> bool:
        return self._outlet.wants(event)

    def undelivered(self) -> Sequence[Event]:
        """Return the events that former runs did not deliver."""
        return self._spool.undelivered

    def emit(self, event: Event) -> None:
        """Deliver it, and note that. Raises SinkError, final for an event that the outlet gave up."""
        try:
            self._outlet.emit(event)
        except SinkError as error:
            if error.final:
                self._spool.delivered(event)
            raise
        self._spool.delivered(event)

    def tick(self) -> None:
        """Let the outlet do what is due. Raises SinkError."""
        self._outlet.tick()

    def tick_in_s(self) -> float:
        """Return what the outlet does."""
        return self._outlet.tick_in_s()

    def close(self) -> None:
        """Release everything."""
        self._outlet.close()
        self._spool.close()
