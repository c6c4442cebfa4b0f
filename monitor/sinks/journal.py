"""The journal: every numbered event as a line of JSON in a file that is whole lines at any moment.

Nothing is buffered in the process, so that a crash of the program loses nothing that was emitted; a power cut may
lose what the operating system had not written yet (there is no fsync for each line).
"""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

from monitor import wire
from monitor.errors import BadInputError, SinkError
from monitor.types import Event

CHECK_S = 1.0
"""Between two looks at whether the file is still the one at its path (logrotate moves it away)."""
BLOCK = 1 << 16
FIRST_BYTES = b'{"type":'
FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class JournalSink:
    """Appends to `path`. repaired: what was mended when the file was opened, to be told to the user, or ""."""

    name = "journal"

    def __init__(self, path: Path | str) -> None:
        """Raises BadInputError when the file cannot be written, is no regular file or has another writer."""
        self.path = Path(path)
        self._fd, self.repaired = _open(self.path)
        self._torn = 0
        self._moved = False
        self._next_check = 0.0

    def emit(self, event: Event) -> None:
        """Append one line; an event without a number (seq 0) is no part of a journal.

        Raises SinkError when the line could not be written whole; nothing of it is then left in the file.
        """
        if not event.seq:
            return
        try:
            self._prepare()
            self._write(wire.encode(event) + b"\n")
        except BadInputError as error:
            raise SinkError(error.message, error.hint) from error
        except OSError as error:
            raise SinkError(f"{self.path}: {error.strerror}") from error

    def tick(self) -> None:
        """Notice within CHECK_S that the file was moved or deleted; the next event then starts a new one."""
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + CHECK_S
        try:
            here = os.stat(self.path)
        except OSError:
            self._moved = True
        else:
            self._moved = not os.path.samestat(here, os.fstat(self._fd))

    def close(self) -> None:
        """Release the file. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _prepare(self) -> None:
        if self._torn:
            self._cut_back()
        if self._moved:
            fd, _ = _open(self.path)
            os.close(self._fd)
            self._fd, self._moved = fd, False

    def _write(self, line: bytes) -> None:
        try:
            while self._torn < len(line):
                self._torn += os.write(self._fd, line[self._torn :])
        except OSError:
            if self._torn:
                self._cut_back()
            raise
        self._torn = 0

    def _cut_back(self) -> None:
        """Remove the beginning of a line whose end did not fit. This process is the file's only writer."""
        os.ftruncate(self._fd, max(0, os.fstat(self._fd).st_size - self._torn))
        self._torn = 0


def _open(path: Path) -> tuple[int, str]:
    """A descriptor at the end of a whole last line, and what had to be mended for that."""
    try:
        fd = os.open(path, FLAGS, 0o644)
        try:
            _must_be_journal(fd, path)
            _lock(fd, path)
            return fd, _mend_tail(fd, path)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        hint = "name a file in a directory that exists and can be written"
        raise BadInputError(f"journal {path}: {error.strerror}", hint) from error


def _must_be_journal(fd: int, path: Path) -> None:
    """Mending cuts a file back, so that somebody's recording named by mistake must not come this far."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise BadInputError(f"journal {path}: not a regular file", "name a file; it is made if need be")
    head = _pread(fd, len(FIRST_BYTES), 0)
    if not FIRST_BYTES.startswith(head):
        raise BadInputError(f"journal {path}: the file holds something else", "name a new file or a journal")


def _lock(fd: int, path: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadInputError(f"journal {path}: another monitor is writing it", "name another file") from error


def _mend_tail(fd: int, path: Path) -> str:
    """Move a last line without its end (a crash, a full disk) to <path>.torn. Returns what was done, or ""."""
    size = os.fstat(fd).st_size
    whole = _end_of_last_line(fd, size)
    if whole == size:
        return ""
    aside = path.with_name(path.name + ".torn")
    with aside.open("ab") as torn:
        torn.write(_pread(fd, size - whole, whole) + b"\n")
    os.ftruncate(fd, whole)
    return f"journal {path}: a torn last line of {size - whole} bytes was moved to {aside}"


def _end_of_last_line(fd: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - BLOCK)
        newline = _pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _pread(fd: int, count: int, offset: int) -> bytes:
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, count)
