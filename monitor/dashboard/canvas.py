"""Rows of exact width, and the few ways to put them together.

A frame is built from segments directly: every row is made once, at its final width, and rich only writes it out.
Tables, panels and layouts measure and wrap again on each draw, which costs ten times as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style

Row = list[Segment]
Block = list[Row]
"""Rows of one width."""

ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Click:
    """The meaning of a click on some cells of a row. first, end: cells, the last one not included."""

    row: int
    first: int
    end: int
    action: Literal["call", "sort"]
    value: str


class ScreenFrame:
    """A whole screen as a renderable: rows that already have the width of the screen."""

    def __init__(self, rows: Block, clicks: Sequence[Click] = ()) -> None:
        self.rows, self.clicks = rows, clicks

    def clicked(self, column: int, row: int) -> Click | None:
        """Return what a click on a cell means, or None."""
        return next((c for c in self.clicks if c.row == row and c.first <= column < c.end), None)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        line = Segment.line()
        for number, row in enumerate(self.rows):
            if number:
                yield line
            yield from row


def clean(text: str) -> str:
    """Make text from outside safe for a terminal: control, bidirectional and undecodable characters become "?"."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def cut(text: str, width: int) -> str:
    """Return the text, or its beginning and an ellipsis, in at most `width` cells."""
    if cell_len(text) <= width:
        return text
    if width < 1:
        return ""
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def squeezed(text: str, width: int) -> str:
    """Return the text, or its two ends with an ellipsis between them, in at most `width` cells: the names of calls
    differ at their ends, where the name of the party stands, too.
    """
    if cell_len(text) <= width or width < 8:
        return cut(text, width)
    head = set_cell_size(text, width // 3).rstrip()
    tail = text
    while cell_len(tail) > width - cell_len(head) - 1:
        tail = tail[1:]
    return head + ELLIPSIS + tail


def wrapped(text: str, width: int, rows: int) -> list[str]:
    """Return the text in at most `rows` lines, broken at spaces; what does not fit is cut with an ellipsis."""
    lines: list[str] = []
    while text and len(lines) < rows - 1 and cell_len(text) > width:
        head = set_cell_size(text, width + 1)
        end = head.rfind(" ")
        end = end if end > 0 else len(head) - 1
        lines.append(text[:end])
        text = text[end:].lstrip()
    return [*lines, cut(text, width)] if text else lines


def piece(text: str, style: Style | None = None) -> Segment:
    return Segment(text, style)


def cells(row: Sequence[Segment]) -> int:
    """Return the width of the row in terminal cells."""
    return sum(cell_len(segment.text) for segment in row)


def fit(row: Sequence[Segment], width: int) -> Row:
    """Return the row cut with an ellipsis, or padded with spaces, to exactly `width` cells."""
    room = width
    out: Row = []
    for segment in row:
        size = cell_len(segment.text)
        if size > room:
            text = cut(segment.text, room)
            out.append(Segment(text, segment.style))
            room -= cell_len(text)
            break
        out.append(segment)
        room -= size
    if room:
        out.append(Segment(" " * room))
    return out


def spread(left: Sequence[Segment], right: Sequence[Segment], width: int) -> Row:
    """Return both in one row, the second at the right edge; where there is no room for both the first is cut."""
    size = cells(right)
    if size + 1 >= width:
        return fit(right, width)
    return [*fit(left, width - size - 1), Segment(" "), *right]


def choose(candidates: Sequence[Sequence[Segment]], width: int) -> Row:
    """Return the first candidate that fits whole; the last one cut if none does."""
    for candidate in candidates:
        if cells(candidate) <= width:
            return fit(candidate, width)
    return fit(candidates[-1] if candidates else (), width)


def blank(width: int, rows: int) -> Block:
    """Return empty rows."""
    return [[Segment(" " * width)] for _ in range(rows)]


def sized(block: Block, width: int, rows: int) -> Block:
    """Return the block cut or filled with empty rows to exactly `rows`."""
    return block[:rows] + blank(width, rows - len(block))


def beside(left: Block, right: Block, gap: int = 1) -> Block:
    """Return two blocks of equally many rows side by side."""
    space = Segment(" " * gap)
    return [[*a, space, *b] for a, b in zip(left, right, strict=True)]


def rule(left: Sequence[Segment], right: Sequence[Segment], width: int, style: Style | None) -> Row:
    """Return a horizontal line that carries a title on its left and a mark on its right."""
    size = cells(right)
    head = fit(left, min(cells(left), max(0, width - size - 8)))
    middle = width - cells(head) - size - (7 if right else 4)
    if middle < 0:
        return fit([*right, piece(" "), *left], width)
    tail = [piece(" "), *right, piece("──", style)] if right else []
    return [piece("── ", style), *head, piece(" " + "─" * middle, style), *tail]


def boxed(block: Block, left: Sequence[Segment], right: Sequence[Segment], width: int, style: Style | None) -> Block:
    """Return the block (of width - 4 cells) in a round box with titles in its upper edge."""
    inner = rule(left, right, width - 2, style)
    top = [piece("╭", style), *inner, piece("╮", style)]
    bottom = [piece("╰" + "─" * (width - 2) + "╯", style)]
    edge, wall = piece("│ ", style), piece(" │", style)
    return [top, *([edge, *row, wall] for row in block), bottom]
