"""Shares the rows of a column among its sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.dashboard.canvas import Block, blank, sized


@dataclass(frozen=True, slots=True)
class ColumnSection:
    """A part of a column. rank: 0 is shown first when room is short. least, most: rows. build: rows to block."""

    rank: int
    least: int
    most: int
    build: Callable[[int], Block]


def stack(sections: Sequence[ColumnSection], width: int, rows: int) -> Block:
    """Return the sections, in their order, in exactly `rows`: the least of each by rank, then growth in turn, then
    gaps."""
    given = _share(sections, rows)
    blocks = [sections[number].build(given[number]) for number in sorted(given)]
    spare = rows - sum(given.values())
    out: Block = []
    for number, block in enumerate(blocks):
        if number and spare > 0:
            gap = -(-spare // (len(blocks) - number)) if spare > len(blocks) else 1
            out.extend(blank(width, gap))
            spare -= gap
        out.extend(block)
    return sized(out, width, rows)


def _share(sections: Sequence[ColumnSection], rows: int) -> dict[int, int]:
    by_rank = sorted(range(len(sections)), key=lambda number: sections[number].rank)
    given: dict[int, int] = {}
    for number in by_rank:
        if sections[number].least <= rows:
            given[number] = sections[number].least
            rows -= sections[number].least
    growing = [number for number in by_rank if number in given]
    while rows and (growing := [number for number in growing if given[number] < sections[number].most]):
        for number in growing[:rows]:
            given[number] += 1
        rows -= len(growing[:rows])
    return given
