"""Recordings joined end to end in one file, as `cat` does: each has a header of its own, which ends the one before.

container_ends.py says where each ends, ogg.py where the streams of Ogg do. MP3, AAC and the like are streams, which
FFmpeg reads through.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO

from monitor.sources.container_ends import end_of
from monitor.sources.container_kinds import HEAD, kind_of, read_at
from monitor.sources.ogg import CAPTURE, ogg_links

_MOST_PARTS = 10_000
_LEAST_LEFT = 512
_TAGS = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3", b"\0\0\0\0")
"""How that begins which may stand behind a recording and is no sound; zeros fill up blocks."""
_READ_ON = ("wav", "au")
"""Kinds whose samples go on behind the end that a header gives: it was written before the recording ended."""
Bounds = tuple[int, int]
"""First byte, and the byte behind the last."""


@dataclass(frozen=True, slots=True)
class Joined:
    """parts: bounds of the recordings in a file, mostly one, all of it. cut: in the middle of what the file ends, or
    "". left: bytes behind the last recording of which nothing can be made.
    """

    parts: tuple[Bounds, ...]
    cut: str = ""
    left: int = 0


def joined_parts(file: IO[bytes]) -> Joined:
    """Look through a file. Moves its position to the beginning."""
    size, at, parts = file.seek(0, os.SEEK_END), 0, list[Bounds]()
    cut, left = "", 0
    end: int | None
    while len(parts) < _MOST_PARTS:
        head = read_at(file, at, HEAD)
        kind = kind_of(head)
        if head.startswith(CAPTURE):
            links, end = ogg_links(file, at, size)
            parts += links
            cut = "page" if end > size else ""
        else:
            end = end_of(file, at, size)
            parts.append((at, size if end is None else end))
        if end is None or not at < end < size:
            break
        behind = read_at(file, end, HEAD)
        if kind_of(behind) is None:
            if kind not in _READ_ON and size - end >= _LEAST_LEFT and not behind.startswith(_TAGS):
                left = size - end
            break
        at = end
    if parts and not left:
        parts[-1] = parts[-1][0], size
    if len(parts) == 1 and _ends_inside_caf(file, size):
        cut = "chunk"
    file.seek(0)
    return Joined(tuple(parts), cut, left)


def _ends_inside_caf(file: IO[bytes], size: int) -> bool:
    """Return whether a CAF file ends inside a chunk; others say so elsewhere."""
    at = 8
    while kind_of(read_at(file, 0, HEAD)) == "caf" and at + 12 <= size:
        length = int.from_bytes(read_at(file, at + 4, 8), signed=True)
        if length < 0:
            break
        at += 12 + length
    return at > size > 12
