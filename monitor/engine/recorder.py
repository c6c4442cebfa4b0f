"""Queue from the scoring loop to the writer of evidence: audio, and the places of calls and alerts in it.

The scoring loop appends references and goes on: no copy, no conversion, no disk. The queue holds at most QUEUE_BYTES of
audio; when it is full a recording waits, and of a live call the newest block is left out, which is counted and
shows in the evidence as absent.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from monitor.audio import Blocks
from monitor.types import Event

QUEUE_BYTES = 64 << 20
MARKS = frozenset(("call.started", "alert.opened", "call.ended"))


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event that begins or ends something, behind the audio that led to it; not yet numbered. rows: of its call."""

    event: Event
    rows: slice


class Recorder:
    """A queue with one writer, the scoring thread, and one reader, the thread of the evidence sink."""

    def __init__(self, capacity_bytes: int = QUEUE_BYTES, *, audio: bool = True) -> None:
        """audio: False takes note of events alone."""
        self.audio = audio
        self.dropped = 0
        """Blocks left out, of all rows."""
        self._capacity = capacity_bytes
        self._items: deque[Blocks | RecordedEvent] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def add_blocks(self, blocks: Blocks) -> None:
        """Take the audio of one turn."""
        if not self.audio:
            return
        size = blocks.samples.nbytes
        with self._changed:
            if not blocks.captured_at.any():
                self._changed.wait_for(lambda: self._closed or self._bytes + size <= self._capacity)
            if self._closed or self._bytes + size > self._capacity:
                self.dropped += len(blocks.rows)
                return
            self._items.append(blocks)
            self._bytes += size

    def add_event(self, rows: slice, event: Event) -> None:
        """Take an event of the call in these rows, before it is published and numbered."""
        if event.type in MARKS:
            with self._changed:
                self._items.append(RecordedEvent(event, rows))

    def take(self) -> list[Blocks | RecordedEvent]:
        """Return all that has come since the last time, in order."""
        with self._changed:
            items, self._items, self._bytes = list(self._items), deque(), 0
            self._changed.notify_all()
            return items

    def close(self) -> None:
        """Take no more audio; nobody waits any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
