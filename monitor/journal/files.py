"""The files of a journal: PATH is being written, PATH.000001, PATH.000002 ... were before it, the oldest first."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NUMBERED = re.compile(r"\.([0-9]{6})\Z")


def older(path: Path) -> list[Path]:
    """Those that were rotated away, the oldest first."""
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    return sorted(
        path.with_name(name)
        for name in names
        if name.startswith(path.name) and _NUMBERED.fullmatch(name, len(path.name))
    )


def all_files(path: Path) -> list[Path]:
    """The older ones and the one being written, as far as they are there."""
    return [*older(path), *([path] if path.exists() else [])]


def next_name(path: Path) -> Path:
    """What the file being written is to be called from now on."""
    taken = older(path)
    last = int(taken[-1].name[-6:]) if taken else 0
    return path.with_name(f"{path.name}.{last + 1:06d}")


def pread(fd: int, count: int, offset: int) -> bytes:
    """As os.pread, which not every system has; moves the descriptor's position."""
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, count)
