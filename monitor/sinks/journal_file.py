"""The file of a journal that is written to: opened, locked, its last line whole."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from monitor.disk.private import append_private, open_private
from monitor.errors import BadInputError
from monitor.journal import journal_files

BLOCK = 1 << 16
FIRST_BYTES = b'{"type":'
FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)


def open_journal(path: Path) -> tuple[int, str]:
    """Return a descriptor at the end of a whole last line, and what had to be done for that."""
    try:
        fd = open_private(path, FLAGS)
        try:
            _must_be_journal(fd, path)
            _lock(fd, path)
            return fd, _move_torn_line(fd, path)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        hint = "name a file in a directory that exists and can be written"
        raise BadInputError(f"journal {path}: {error.strerror}", hint) from error


def _must_be_journal(fd: int, path: Path) -> None:
    """Raise BadInputError for another file: what follows cuts files back, and must not do so with a recording."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise BadInputError(f"journal {path}: not a regular file", "name a file; it is made if need be")
    head = journal_files.pread(fd, len(FIRST_BYTES), 0)
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


def _move_torn_line(fd: int, path: Path) -> str:
    """Move a last line without its end (a crash, a full disk) to <path>.torn. Returns what was done, or ""."""
    size = os.fstat(fd).st_size
    whole = _end_of_last_line(fd, size)
    if whole == size:
        return ""
    aside = path.with_name(path.name + ".torn")
    append_private(aside, journal_files.pread(fd, size - whole, whole) + b"\n")
    os.ftruncate(fd, whole)
    return f"journal {path}: a torn last line of {size - whole} bytes was moved to {aside}"


def last_line(fd: int) -> bytes:
    """Return the last whole line, without its end; b"" where there is none."""
    end = _end_of_last_line(fd, os.fstat(fd).st_size)
    start = _end_of_last_line(fd, max(0, end - 1))
    return journal_files.pread(fd, max(0, end - 1 - start), start)


def _end_of_last_line(fd: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - BLOCK)
        newline = journal_files.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
