"""Big digits: a font of 3 x 5 pixels, drawn with blocks."""

from __future__ import annotations

from functools import lru_cache

_GLYPHS = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# .#. .#.",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "%": "#.# ..# .#. #.. #.#",
    "<": "..# .#. #.. .#. ..#",
    ">": "#.. .#. ..# .#. #..",
    "-": "... ... ### ... ...",
}
PIXELS_HIGH = 5
LARGE_ROWS = PIXELS_HIGH
SMALL_ROWS = 3
_HALVES = {("#", "#"): "█", ("#", "."): "▀", (".", "#"): "▄", (".", "."): " "}


def _pixels(text: str) -> list[str]:
    """Return the rows of "#" and "."; one empty column between glyphs."""
    glyphs = [_GLYPHS[char].split() for char in text]
    return [".".join(glyph[row] for glyph in glyphs) for row in range(PIXELS_HIGH)]


@lru_cache(maxsize=256)
def large(text: str) -> tuple[str, ...]:
    """Draw text in five rows, two cells a pixel: 8 cells a glyph less 2. text: digits and % < > -."""
    return tuple(row.replace(".", "  ").replace("#", "██") for row in _pixels(text))


@lru_cache(maxsize=256)
def small(text: str) -> tuple[str, ...]:
    """Draw text in three rows, two pixels a cell: 4 cells a glyph less 1."""
    rows = [*_pixels(text), "." * (4 * len(text) - 1)]
    pairs = zip(rows[0::2], rows[1::2], strict=True)
    return tuple("".join(_HALVES[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs)
