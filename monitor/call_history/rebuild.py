"""The calls of former runs out of a journal, read beside the program in small steps once it runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from monitor.call_history.recent_calls import RecentCalls
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.journal import chain, journal_files
from monitor.types import Event

LINES, PAUSE_S = 100, 0.01
"""After so many lines the thread rests, so that scoring has the processor."""
MOST_BYTES = 512 << 20
"""The most that is read, newest files first; what is older than that is left out."""
LONGEST_LINE = 4 << 20


class JournalRebuild:
    """Reads what a journal holds when it is made; start() begins, close() ends early."""

    def __init__(self, path: Path, calls: RecentCalls, keep_s: float) -> None:
        """keep_s: files that were last written longer ago are left out."""
        self._path, self._calls, self._keep_s = path, calls, keep_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="call history", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """End early."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def join(self) -> None:
        """Wait until all was read."""
        self._thread.join()

    def _run(self) -> None:
        try:
            with journal_files.opened(self._path) as found:
                recent = self._recent([file for _, file in found])
                for file, size in recent:
                    self._read(file, size)
        except OSError:
            pass  # gone or unreadable: nothing is known of former calls then
        self._calls.settle_former()

    def _recent(self, opened: list[BinaryIO]) -> list[tuple[BinaryIO, int]]:
        """Return the files to read, the oldest first, and their sizes now: what comes later is of this run."""
        oldest, room, found = time.time() - self._keep_s, MOST_BYTES, []
        for file in reversed(opened):
            status = os.fstat(file.fileno())
            if status.st_mtime < oldest or status.st_size > room:
                break
            room -= status.st_size
            found.append((file, status.st_size))
        return found[::-1]

    def _read(self, file: BinaryIO, size: int) -> None:
        batch: list[Event] = []
        for event in _events(file, size):
            batch.append(event)
            if len(batch) == LINES:
                self._calls.add_former(batch)
                batch = []
                if self._stopping.wait(PAUSE_S):
                    return
        self._calls.add_former(batch)


def _events(file: BinaryIO, size: int) -> Iterator[Event]:
    """Yield the events of calls in the first bytes of a file; damaged lines are passed over."""
    left = size
    while left > 0:
        line = file.readline(min(left, LONGEST_LINE))
        if not line:
            return
        left -= len(line)
        if line.startswith((chain.SEALED, b'{"type":"health","call":""')):
            continue
        try:
            yield wire.decode(line).event
        except (BadInputError, TypeError, AttributeError, OverflowError):
            continue
