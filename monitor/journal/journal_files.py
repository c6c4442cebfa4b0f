"""The files of a journal: PATH is being written, PATH.000001, PATH.000002 ... were before it, the oldest first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

_NUMBERED = re.compile(r"\.([0-9]{6})\Z")


def rotated_files(path: Path) -> list[Path]:
    """Return the files that were rotated away, the oldest first."""
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    return sorted(
        path.with_name(name)
        for name in names
        if name.startswith(path.name) and _NUMBERED.fullmatch(name, len(path.name))
    )


@contextmanager
def opened(path: Path) -> Iterator[list[tuple[Path, BinaryIO]]]:
    """Open all files, the oldest first, each once and none left out, whatever is rotated or deleted meanwhile.

    The newest is opened before the names of the others are read: rotated in between, it is found among them too; the
    other way round it would be missing. Raises OSError for a file that is there and cannot be opened.
    """
    with ExitStack() as stack:
        newest = _open(path, stack)
        found = [(name, file) for name in rotated_files(path) if (file := _open(name, stack))]
        if newest and not any(_same(newest, file) for _, file in found):
            found.append((path, newest))
        yield found


def _open(path: Path, stack: ExitStack) -> BinaryIO | None:
    try:
        return stack.enter_context(path.open("rb"))
    except FileNotFoundError:  # rotated away or deleted since its name was read
        return None


def _same(one: BinaryIO, other: BinaryIO) -> bool:
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))


def next_name(path: Path) -> Path:
    """Return what the file being written is to be called from now on."""
    taken = rotated_files(path)
    last = int(taken[-1].name[-6:]) if taken else 0
    return path.with_name(f"{path.name}.{last + 1:06d}")


def pread(fd: int, count: int, offset: int) -> bytes:
    """Read as os.pread does, which not every system has; move the descriptor's position."""
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, count)
