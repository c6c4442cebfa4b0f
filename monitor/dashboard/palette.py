"""Colours. Those of text are of medium lightness, so that they can be read on black and on white alike."""

from __future__ import annotations

from rich.color import Color
from rich.style import Style

from monitor.types import State

GREEN, AMBER, RED, BLUE, PURPLE, GREY = "#2da44e", "#c98a00", "#e5484d", "#3b8eea", "#a371f7", "#848d97"

STATE_COLOURS = {
    State.LISTENING: BLUE,
    State.CLEAR: GREEN,
    State.SUSPICIOUS: AMBER,
    State.ALERT: RED,
    State.UNKNOWN: PURPLE,
    State.UNDECIDED: GREY,
}

PLAIN = Style()
BOLD = Style(bold=True)
DIM = Style(dim=True)
REVERSE = Style(reverse=True, bold=True)
TITLE = Style(color=BLUE, bold=True)
KEY = Style(bold=True, color=BLUE)
WARN = Style(color=AMBER, bold=True)
FAULT = Style(color=PURPLE, bold=True)

TONE = {state: Style(color=colour) for state, colour in STATE_COLOURS.items()}
STRONG = {state: Style(color=colour, bold=True) for state, colour in STATE_COLOURS.items()}
# Reversed: with colours the terminal's own background becomes the text, without them the word still stands out.
BADGE = {state: Style(color=colour, bold=True, reverse=True) for state, colour in STATE_COLOURS.items()}
ON_BAR = Style(color="#1a1a1a")
# A threshold where it runs through a filled part of the timeline.
CROSSED = {state: ON_BAR + Style(bgcolor=colour) for state, colour in STATE_COLOURS.items()}

LEVEL_OK, LEVEL_HIGH, LEVEL_OVER = (Style(color=colour) for colour in (GREEN, AMBER, RED))

# Anchors of "magma" (matplotlib, CC0), from silence to loud; its order of lightness survives any colour blindness.
_MAGMA = (
    (10, 8, 22),
    (28, 16, 68),
    (79, 18, 123),
    (129, 37, 129),
    (181, 54, 122),
    (229, 80, 100),
    (251, 135, 97),
    (254, 194, 135),
    (252, 253, 191),
)
SHADES = 12
"""Steps of the spectrogram: fewer steps make longer runs of one colour, which are cheaper to draw."""


def _magma(position: float) -> Color:
    """position: 0 to 1."""
    scaled = position * (len(_MAGMA) - 1)
    low = min(int(scaled), len(_MAGMA) - 2)
    part = scaled - low
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_MAGMA[low], _MAGMA[low + 1], strict=True))
    return Color.from_rgb(red, green, blue)


_COLOURS = tuple(_magma(step / (SHADES - 1)) for step in range(SHADES))
HEAT = tuple(Style.from_color(_COLOURS[upper], _COLOURS[lower]) for upper in range(SHADES) for lower in range(SHADES))
"""Style of a half block by upper shade * SHADES + lower shade."""
