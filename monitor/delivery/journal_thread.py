"""Reads the journal for the publisher in a thread of its own, so that a slow disk delays nothing that is published."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor.delivery.requests import SubscriberRequest
from monitor.journal.journal_reader import JournalRange, JournalReader

MAX_QUEUED = 64

Peer = Sequence[bytes]
Answered = tuple[Peer, SubscriberRequest, JournalRange | None]
"""Found None: the journal could not be read."""


class JournalThread:
    """ask() and answers() belong to one thread."""

    def __init__(self, path: Path, most_events: int, most_bytes: int) -> None:
        self._reader = JournalReader(path)
        self._most = most_events, most_bytes
        self._asked: queue.Queue[tuple[Peer, SubscriberRequest] | None] = queue.Queue(MAX_QUEUED)
        self._answered: queue.Queue[Answered] = queue.Queue()
        self._open = 0
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
        self._thread.start()

    def ask(self, peer: Peer, request: SubscriberRequest) -> bool:
        """Queue a request. Returns False when too many wait already."""
        try:
            self._asked.put_nowait((peer, request))
        except queue.Full:
            return False
        self._open += 1
        return True

    @property
    def busy(self) -> bool:
        """Return whether answers are still to come."""
        return self._open > 0

    def answers(self) -> Iterator[Answered]:
        """Yield the answers that have been found since the last call."""
        while True:
            try:
                answered = self._answered.get_nowait()
            except queue.Empty:
                return
            self._open -= 1
            yield answered

    def close(self) -> None:
        """End the thread, after what it does now; what waits is not answered."""
        while True:
            try:
                self._asked.get_nowait()
            except queue.Empty:
                break
        self._asked.put(None)

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            peer, request = asked
            try:
                found = self._reader.read(request.epoch, request.first, request.last, request.topics, *self._most)
            except OSError:
                self._answered.put((peer, request, None))
            else:
                self._answered.put((peer, request, found))
