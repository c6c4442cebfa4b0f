"""The help screen: keys, what the states mean, what to do at an alert. Pure."""

from __future__ import annotations

from monitor.advice import AT_AN_ALERT, STATES
from monitor.dashboard import palette
from monitor.dashboard.canvas import Block, Row, ScreenFrame, blank, boxed, fit, piece, sized, wrapped

KEYS = (
    ("?", "this help", False),
    ("q", "quit", False),
    ("p", "pause the screen; the monitor goes on", False),
    ("m", "mute the bell, or ring it again", False),
    ("↑ ↓", "move to a call; a click or the wheel does, too", True),
    ("enter", "open the call; a second click does, too", True),
    ("esc", "back to all calls", True),
    ("/", "show only calls with these words: a name, a number, a state", True),
    ("s  r", "sort by the next column; the other way round", True),
    ("h", "calls that have ended, and back", True),
)
"""Key, what it does, whether it belongs to a table of calls."""
NUMBERS = (
    "percent: how likely the voice is synthetic, given the odds that were set before (evenly, by default)",
    "evidence 20 to 1: this speech is 20 times as likely if synthetic as if human; +3.0 is the same in nats",
    "net speech: seconds of speech without pauses, tones and music; only they count",
)
_KEY_WIDTH = 7
_STATE_WIDTH = 13


def help_pages(width: int, height: int, table: bool) -> int:
    """Return how many pages the help takes on a screen of that size."""
    return len(_pages(max(1, width - 4), max(1, height - 2), table))


def render_help(width: int, height: int, table: bool, page: int) -> ScreenFrame:
    """Return a page of the help, from 1, in exactly width x height cells. table: there is a table of calls."""
    if width < 40 or height < 8:
        return ScreenFrame(sized([fit([piece("help needs a larger screen", palette.DIM)], width)], width, height))
    pages = _pages(width - 4, height - 2, table)
    page = min(page, len(pages))
    keys = "? or esc closes" if page == len(pages) else "? more, esc closes"
    right = [piece(f"{page} of {len(pages)}: {keys} ", palette.DIM)]
    rows = sized(pages[page - 1], width - 4, height - 2)
    return ScreenFrame(boxed(rows, [piece("help", palette.TITLE)], right, width, palette.DIM))


def _pages(width: int, rows: int, table: bool) -> list[Block]:
    """Return the sections, whole ones on each page."""
    pages: list[Block] = [[]]
    for title, lines in (
        ("at an alert", _points(AT_AN_ALERT, width)),
        ("states", _states(width)),
        ("keys", _keys(width, table)),
        ("numbers", _points(NUMBERS, width)),
    ):
        section = [fit([piece(title, palette.TITLE)], width), *lines]
        if pages[-1] and len(pages[-1]) + 1 + len(section) > rows:
            pages.append([])
        pages[-1] += [*(blank(width, 1) if pages[-1] else []), *section]
    return pages


def _points(texts: tuple[str, ...], width: int) -> Block:
    """Return each text behind a dot, wrapped."""
    out: Block = []
    for text in texts:
        for number, part in enumerate(wrapped(text, width - 4, 3)):
            out.append(fit([piece("    " if number else "  · ", palette.DIM), piece(part)], width))
    return out


def _states(width: int) -> Block:
    out: Block = []
    for state, text in STATES.items():
        badge = piece(f" {state.value.upper():<{_STATE_WIDTH - 3}} ", palette.BADGE[state])
        for number, part in enumerate(wrapped(text, width - _STATE_WIDTH - 2, 3)):
            lead: Row = [piece(" " * (_STATE_WIDTH - 1))] if number else [badge]
            out.append(fit([piece("  "), *lead, piece(" " + part)], width))
    return out


def _keys(width: int, table: bool) -> Block:
    shown = [(key, text) for key, text, of_table in KEYS if table or not of_table]
    return [fit([piece(f"  {key:<{_KEY_WIDTH}}", palette.KEY), piece(text)], width) for key, text in shown]
