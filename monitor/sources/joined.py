"""Recordings joined end to end in one file, as `cat` does: each has a header of its own, which ends the one before.

container_ends.py says where each ends. Ogg is in ogg.py. MP3, AAC, FLAC and the like are streams, which FFmpeg reads
through.
"""

from __future__ import annotations

import os
from typing import IO

from monitor.sources.container_ends import end_of, kind_of, read_at

_MOST_PARTS = 1000
Bounds = tuple[int, int]
"""First byte, and the byte behind the last."""


def joined_parts(file: IO[bytes]) -> list[Bounds]:
    """Return the bounds of the recordings in a file: mostly one, all of it. Moves its position to the beginning."""
    size, at, parts = file.seek(0, os.SEEK_END), 0, list[Bounds]()
    while len(parts) < _MOST_PARTS:
        end = end_of(file, at, size)
        if end is None or not at < end < size or kind_of(read_at(file, end, 32)) is None:
            break
        parts.append((at, end))
        at = end
    file.seek(0)
    return [*parts, (at, size)]


def ends_inside(file: IO[bytes]) -> bool:
    """Return whether a CAF file ends inside a chunk; others say so elsewhere. Moves its position to the beginning."""
    size, at = file.seek(0, os.SEEK_END), 8
    while kind_of(read_at(file, 0, 32)) == "caf" and at + 12 <= size:
        length = int.from_bytes(read_at(file, at + 4, 8), signed=True)
        if length < 0:
            break
        at += 12 + length
    file.seek(0)
    return at > size > 12
