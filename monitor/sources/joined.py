"""Recordings joined end to end in one file, as `cat` does: each has a header of its own, which ends the one before.

RIFF and AIFF say in their first bytes how long they are, and so do AU and CAF; an MP4 begins again with ftyp. Ogg is in
ogg.py. MP3, AAC, FLAC and the like are streams, which FFmpeg reads through.
"""

from __future__ import annotations

import os
from typing import IO

_MOST_PARTS, _MOST_BOXES = 1000, 100_000
Bounds = tuple[int, int]
"""First byte, and the byte behind the last."""


def joined_parts(file: IO[bytes]) -> list[Bounds]:
    """Return the bounds of the recordings in a file: mostly one, all of it. Moves its position to the beginning."""
    size, at, parts = file.seek(0, os.SEEK_END), 0, list[Bounds]()
    while len(parts) < _MOST_PARTS:
        end = _end(file, at, size)
        if end is None or not at < end < size or _kind(_read(file, end, 12)) is None:
            break
        parts.append((at, end))
        at = end
    file.seek(0)
    return [*parts, (at, size)]


def ends_inside(file: IO[bytes]) -> bool:
    """Return whether a CAF file ends inside a chunk; others say so elsewhere. Moves its position to the beginning."""
    size, at = file.seek(0, os.SEEK_END), 8
    while _kind(_read(file, 0, 12)) == "caf" and at + 12 <= size:
        length = int.from_bytes(_read(file, at + 4, 8), signed=True)
        if length < 0:
            break
        at += 12 + length
    file.seek(0)
    return at > size > 12


def _read(file: IO[bytes], at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _kind(head: bytes) -> str | None:
    """Name the container that begins so."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return "aiff"
    names = {b".snd": "au", b"caff": "caf"}
    return "mp4" if head[4:8] == b"ftyp" else names.get(head[:4])


def _end(file: IO[bytes], at: int, size: int) -> int | None:
    """Return where the recording that begins there says that it ends."""
    head = _read(file, at, 12)
    kind = _kind(head)
    if kind == "wav":
        length = int.from_bytes(head[4:8], "little")
        return at + 8 + length + (length & 1)
    if kind == "aiff":
        return at + 8 + int.from_bytes(head[4:8])
    if kind == "au":
        return at + int.from_bytes(head[4:8]) + int.from_bytes(head[8:12])
    if kind == "caf":
        return _walk(file, at + 8, size, b"caff")
    return _walk(file, at, size, b"ftyp") if kind == "mp4" else None


def _walk(file: IO[bytes], at: int, size: int, first: bytes) -> int | None:
    """Return where the chunks of a CAF or the boxes of an MP4 begin anew."""
    begin, is_caf = at, first == b"caff"
    for _ in range(_MOST_BOXES):
        head = _read(file, at, 16)
        if at >= size or len(head) < 8:
            return None
        if at > begin and first in (head[:4], head[4:8]):
            return at
        if is_caf:
            length = 12 + int.from_bytes(head[4:12], signed=True)
        else:
            length = int.from_bytes(head[:4])
            length = int.from_bytes(head[8:16]) if length == 1 else length
        if length < 8:
            return None
        at += length
    return None
