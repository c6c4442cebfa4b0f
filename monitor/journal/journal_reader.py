"""Ranges of numbers out of the files of a journal that somebody else is writing.

Runs of the publisher (epochs) follow each other, and numbers grow within one: a mark every STRIDE bytes, and one where
an epoch begins, is all that a search needs. Marks belong to an inode, so that they survive a rotation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import BadInputError
from monitor.events import wire
from monitor.journal import chain, journal_files

STRIDE = 1 << 16
READ_BYTES = 8 << 20
"""Looked through for one answer, so that an answer takes some 50 ms at most."""


@dataclass(frozen=True, slots=True)
class SeekMark:
    """A line at `offset` has this number."""

    offset: int
    epoch: str
    seq: int


Marked = tuple[tuple[int, int] | None, list[SeekMark]]
"""Size and time of the last change of a file when its marks were made, and they."""


@dataclass
class JournalRange:
    """Part of an epoch. lines: events under the topics, as they stand in the journal. missing: (first, last) of those
    that it does not have. until: the newest number that this accounts for. end: the epoch has nothing after it.
    next: the epoch that follows, "" while there is none. known: whether the journal has the epoch at all.
    """

    lines: list[bytes] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)
    until: int = 0
    end: bool = False
    next: str = ""
    known: bool = False


@dataclass(frozen=True, slots=True)
class _AnswerLimit:
    """Limits of an answer: the topics of its events, their number, and their bytes."""

    topics: Sequence[str]
    events: int
    size: int


class JournalReader:
    """Remembers where to look. One thread may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._marks: dict[tuple[int, int], Marked] = {}

    def read(
        self, epoch: str, first: int, last: int | None, topics: Sequence[str], most: int, most_bytes: int
    ) -> JournalRange:
        """Return events first to last (None: to the end), up to the given number and bytes. Raises OSError."""
        most_of = _AnswerLimit(topics, most, most_bytes)
        found = self._read(epoch, first, last, most_of, pass_over=False)
        if found is None:  # a line that the writer took back while it was read, for want of room, or one for good
            found = self._read(epoch, first, last, most_of, pass_over=True)
        return found or JournalRange(until=first - 1)

    def _read(
        self, epoch: str, first: int, last: int | None, most: _AnswerLimit, *, pass_over: bool
    ) -> JournalRange | None:
        """Return None where a line is none of the journal's, unless such lines are passed over."""
        found = JournalRange(until=first - 1)
        looked = size = 0
        for line in self._lines_from(epoch, first):
            looked += len(line)
            if line.startswith(chain.SEALED):
                continue
            at = chain.number(line)
            if at is None:
                if not pass_over:
                    return None
                continue
            if at[0] != epoch:
                found.end, found.next = True, at[0]
                break
            found.known = True
            if at[1] < first:
                continue
            beyond = last is not None and at[1] > last
            if beyond or len(found.lines) >= most.events or size >= most.size or looked >= READ_BYTES:
                _account(found, last if beyond and last is not None else at[1] - 1)
                return found
            _account(found, at[1] - 1)
            found.until = at[1]
            if under(line, most.topics):
                found.lines.append(line)
                size += len(line)
        found.end = found.known
        return found

    def _lines_from(self, epoch: str, first: int) -> Iterator[bytes]:
        """Yield the lines from a little before the number on, through all files, past the end of the epoch."""
        with journal_files.opened(self.path) as found:
            descriptors = [file.fileno() for _, file in found]
            marked = self._refresh(descriptors)
            places = [(n, mark) for n, marks in enumerate(marked) for mark in marks if mark.epoch == epoch]
            before = [place for place in places if place[1].seq <= first]
            if not places:
                return
            begin, mark = before[-1] if before else places[0]
            yield from _lines(descriptors[begin], mark.offset)
            for fd in descriptors[begin + 1 :]:
                yield from _lines(fd, 0)

    def _refresh(self, descriptors: Sequence[int]) -> list[list[SeekMark]]:
        """Return the marks of every file, brought up to date."""
        seen: dict[tuple[int, int], Marked] = {}
        for fd in descriptors:
            status = os.fstat(fd)
            key, now = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
            before, marks = self._marks.get(key, (None, []))
            # Most files are written no more: looking through the ends of a thousand of them takes a second.
            seen[key] = (now, marks if before == now else _extended(fd, status.st_size, marks))
        self._marks = seen
        return [marks for _, marks in seen.values()]


def under(line: bytes, topics: Sequence[str]) -> bool:
    """Return whether an event's topic begins with one of the prefixes."""
    if "" in topics:
        return True
    try:
        return wire.decode(line).topic.startswith(tuple(topics))
    except BadInputError:
        return False


def _account(found: JournalRange, until: int) -> None:
    """Count what the journal passes over as missing."""
    if until > found.until:
        found.missing.append((found.until + 1, until))
        found.until = until


def _extended(fd: int, size: int, marks: list[SeekMark]) -> list[SeekMark]:
    """Return the marks of a file that may have grown; the part behind the last of them is looked through again."""
    marks = list(marks)
    if marks and size < marks[-1].offset:  # cut back or written anew
        marks = []
    start = marks[-1].offset if marks else 0
    while True:
        ahead = start + STRIDE
        beyond = next(_marked(fd, _line_after(fd, ahead)), None) if ahead < size else None
        if beyond is not None and marks and beyond.epoch == marks[-1].epoch:
            marks.append(beyond)
        else:
            for mark in _marked(fd, start):
                if beyond is not None and mark.offset >= beyond.offset:
                    break
                if not marks or mark.epoch != marks[-1].epoch:
                    marks.append(mark)
            if beyond is None:
                return marks
            if not marks or beyond.offset > marks[-1].offset:
                marks.append(beyond)
        start = beyond.offset


def _marked(fd: int, offset: int) -> Iterator[SeekMark]:
    for at, line in _numbered(fd, offset):
        if found := chain.number(line):
            yield SeekMark(at, *found)


def _line_after(fd: int, offset: int) -> int:
    """Return where the first line begins that begins behind the offset."""
    for at, line in _numbered(fd, offset):
        return at + len(line)
    return offset


def _lines(fd: int, offset: int) -> Iterator[bytes]:
    return (line for _, line in _numbered(fd, offset))


def _numbered(fd: int, offset: int) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line with its end) of each whole line."""
    rest = b""
    while block := journal_files.pread(fd, STRIDE, offset + len(rest)):
        rest += block
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield offset, line + b"\n"
            offset += len(line) + 1
