"""The links of a chained Ogg file (RFC 3533, section 4): streams one after the other, each with headers of its own.

FFmpeg reads on across them only where the codec stays and it likes the new headers; so each link is given to it alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_CAPTURE, _HEADER = b"OggS", 27
_BEGINS = 2
_SEARCHED = 1 << 16
_MOST_LINKS = 10_000
"""Further ones are read as part of the last."""


@dataclass(frozen=True)
class OggLinks:
    """bounds: first byte, and the byte behind the last, of each link. cut: the file ends inside a page."""

    bounds: tuple[tuple[int, int], ...]
    cut: bool


def ogg_links(file: IO[bytes]) -> OggLinks | None:
    """Look through the pages of a file; None where it is no Ogg file. Moves its position to the beginning."""
    size, begins, was_beginning, ends = file.seek(0, os.SEEK_END), list[int](), False, 0
    file.seek(0)
    if file.read(len(_CAPTURE)) != _CAPTURE:
        file.seek(0)
        return None
    for at, flags, end in _pages(file, size):
        is_beginning, ends = bool(flags & _BEGINS), end
        if is_beginning and not was_beginning and len(begins) < _MOST_LINKS:
            begins.append(at)
        was_beginning = is_beginning
    file.seek(0)
    if not begins:
        return OggLinks(((0, size),), ends > size)
    return OggLinks(tuple(zip([0, *begins[1:]], [*begins[1:], size], strict=True)), ends > size)


def _pages(file: IO[bytes], size: int) -> Iterator[tuple[int, int, int]]:
    """Yield each page: where it begins, its flags, and where it says that it ends; what is no page is passed over."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(_HEADER + 255)
        if head.startswith(_CAPTURE) and len(head) >= _HEADER + 1:
            table = head[_HEADER : _HEADER + head[26]]
            end = at + _HEADER + head[26] + sum(table)
            yield at, head[5], end
            at = end
            continue
        at = _next(file, at + 1)


def _next(file: IO[bytes], at: int) -> int:
    """Return where the next page begins behind a place, or the end of the file."""
    while True:
        file.seek(at)
        block = file.read(_SEARCHED)
        found = block.find(_CAPTURE)
        if found >= 0:
            return at + found
        if len(block) < len(_CAPTURE):
            return at + len(block)
        at += len(block) - len(_CAPTURE) + 1
