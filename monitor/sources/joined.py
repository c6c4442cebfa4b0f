"""Recordings joined end to end in one file, as `cat` does: each has a header of its own, which ends the one before.

container_ends.py says where each ends, ogg.py where the streams of Ogg do. MP3, AAC and the like are streams, which
FFmpeg reads through.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO

from monitor.sources.container_ends import WALKED, end_of
from monitor.sources.container_kinds import HEAD, kind_of, read_at
from monitor.sources.ogg import CAPTURE, ogg_links

_MOST_PARTS = 10_000
_LEAST_LEFT = 512
_TAGS = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3", b"\0\0\0\0")
"""How that begins which may stand behind a recording and is no sound; zeros fill up blocks."""
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
        begin = _behind_tags(file, at)
        head = read_at(file, begin, HEAD)
        kind = kind_of(head)
        if head.startswith(CAPTURE):
            links, end = ogg_links(file, begin, size)
            parts += links
            cut = "page" if end > size else ""
        else:
            end = end_of(file, begin, size)
            # FFmpeg does not always look behind a tag; it knows that of an MP3.
            parts.append((at if kind is None else begin, size if end is None else min(end, size)))
            cut = "block" if end is not None and end > size and kind in WALKED else ""
        if end is None or not at < end < size:
            break
        behind = read_at(file, end, HEAD)
        if kind_of(behind) is None:
            if kind != "wav" and size - end >= _LEAST_LEFT and not behind.startswith(_TAGS):
                left = size - end
            break
        at = end
    if parts and not left:
        parts[-1] = parts[-1][0], size
    file.seek(0)
    return Joined(tuple(parts), cut, left)


def _behind_tags(file: IO[bytes], at: int) -> int:
    """Return where a recording begins behind the tags before it (ID3v2, section 3.1)."""
    while kind_of(head := read_at(file, at, HEAD)) == "id3":
        length = 0
        for byte in head[6:10]:
            length = length << 7 | byte
        at += 10 + length + (10 if head[5] & 0x10 else 0)
    return at
