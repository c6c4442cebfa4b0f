"""The links of a chained Ogg file (RFC 3533, section 4): streams one after the other, each with headers of its own.

FFmpeg reads on across them only where the codec stays and it likes the new headers; so each link is given to it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from monitor.sources.container_kinds import kind_of, read_at

CAPTURE, _HEADER = b"OggS", 27
_BEGINS = 2
_SEARCHED = 1 << 16
_MOST_LINKS = 10_000
"""Further ones are read as part of the last."""


def ogg_links(file: IO[bytes], begin: int, size: int) -> tuple[list[tuple[int, int]], int]:
    """Look through the pages that begin at a place of a file of that size.

    Returns the first byte, and the byte behind the last, of each link; and where the last page says that it ends, which
    is behind the file where it is cut off.
    """
    begins, was_beginning, end = [begin], True, begin
    for at, flags, page_end in _pages(file, begin, size):
        is_beginning, end = bool(flags & _BEGINS), page_end
        if is_beginning and not was_beginning and len(begins) < _MOST_LINKS:
            begins.append(at)
        was_beginning = is_beginning
    return list(zip(begins, [*begins[1:], min(end, size)], strict=True)), end


def _pages(file: IO[bytes], at: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield each page: where it begins, its flags, and where it says that it ends; what is no page is passed over, up
    to a recording of another kind.
    """
    while at < size:
        head = read_at(file, at, _HEADER + 255)
        if head.startswith(CAPTURE) and len(head) >= _HEADER + 1:
            table = head[_HEADER : _HEADER + head[26]]
            end = at + _HEADER + head[26] + sum(table)
            yield at, head[5], end
            at = end
        elif kind_of(head) is not None:
            return
        else:
            at = _next(file, at + 1)


def _next(file: IO[bytes], at: int) -> int:
    """Return where the next page begins behind a place, or the end of the file."""
    while True:
        block = read_at(file, at, _SEARCHED)
        found = block.find(CAPTURE)
        if found >= 0:
            return at + found
        if len(block) < len(CAPTURE):
            return at + len(block)
        at += len(block) - len(CAPTURE) + 1
