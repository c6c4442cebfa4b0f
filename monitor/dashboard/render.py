"""The whole screen as a function of the view and the size of the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from monitor.dashboard import palette, words
from monitor.dashboard.alert_list import alert_rows
from monitor.dashboard.canvas import (
    Block,
    Row,
    ScreenFrame,
    beside,
    blank,
    cells,
    choose,
    clean,
    cut,
    fit,
    piece,
    rule,
    sized,
    spread,
    squeezed,
)
from monitor.dashboard.panel import compact, panel
from monitor.dashboard.parts import Parts
from monitor.dashboard.system import system_line, system_rows
from monitor.types import WORST_FIRST, State
from monitor.views import ChannelView, View

SMALL_ROWS = 12
"""Terminals lower than this show one line for each channel."""
PROGRAM = "DEEPFAKE SPEECH MONITOR"
GRID_WIDTH = 110
BACK = (("esc", "all calls"),)
STACKED, STACKED_ROWS = 2, 10
"""So many channels stand one above the other where each has so many rows: their charts have one axis of time then."""
SLOW = 0.95
"""A recording scored at less of its own speed is slow."""


@dataclass(slots=True)
class KeyState:
    """State set by keys. missed: alerts that opened while the screen was paused. help_page: from 1; 0 = no help."""

    paused: bool = False
    muted: bool = False
    missed: int = 0
    help_page: int = 0


def render(
    view: View,
    width: int,
    height: int,
    *,
    paused: bool = False,
    muted: bool = False,
    missed: int = 0,
    colour: bool = True,
) -> ScreenFrame:
    """Return the screen in exactly width x height cells; pure.

    missed: alerts that opened while the screen was paused. colour: False draws the spectrogram in shades of a block
    instead of colours; all else reads the same without.
    """
    width, height = max(width, 1), max(height, 1)
    keys = KeyState(paused, muted, missed)
    small = height < SMALL_ROWS
    rows = _small(view, width, height, keys) if small else _full(view, width, height, keys, colour)
    return ScreenFrame(sized(rows, width, height))


def line(view: View, width: int, paused: bool = False) -> Row:
    """Return the whole call in one row."""
    parts: Row = [piece(" PAUSED ", palette.REVERSE), piece(" ")] if paused else []
    parts.append(piece(words.clock(view.elapsed_s) + " ", palette.DIM))
    for channel in view.channels:
        name = cut(clean(channel.name), 16)
        parts += [
            Parts(view, channel, True).badge(),
            piece(f" {words.percent(channel.p_fake)}", palette.STRONG[channel.state]),
            piece(f" {name}  "),
        ]
    if len(view.channels) == 1:
        channel = view.channels[0]
        parts += [piece(f"{words.speech(channel)}  audio: {channel.reason.value}  ", palette.DIM)]
        if channel.fault:
            parts.append(piece(f"! {clean(channel.fault)}", palette.FAULT))
    return fit(parts, width)


def _full(view: View, width: int, height: int, keys: KeyState, colour: bool) -> Block:
    below = rows_below(height)
    room = height - 2 - below
    grid = _grid(view, width, room, colour)
    return [
        _header(view, width),
        *grid,
        *below_rows(view, width, below),
        footer(width, keys, BACK if view.back else ()),
    ]


def _small(view: View, width: int, height: int, keys: KeyState) -> Block:
    """Return one line a channel, and what else there is room for."""
    if height == 1:
        return [line(view, width)]
    head = [_header(view, width)] if height > len(view.channels) + 1 or height > 3 else []
    foot = [footer(width, keys, BACK if view.back else ())] if height > 2 else []
    room = height - len(head) - len(foot)
    rows = _compact(view, width, room, most=1)
    if room - len(rows) > 1 and width >= 36:
        rows.append(system_line(view, width))
    return [*head, *sized([*rows, *alert_rows(view.events, width, room - len(rows))], width, room), *foot]


def rows_below(height: int) -> int:
    """Return the rows for alerts and the state of the system."""
    return next((rows for least, rows in ((34, 8), (24, 6), (18, 4), (14, 2)) if height >= least), 1)


def _grid(view: View, width: int, rows: int, colour: bool) -> Block:
    """Return the channels, as large as they can be."""
    count = len(view.channels)
    if not count:
        return blank(width, rows)
    stacked = count <= STACKED and rows // count >= STACKED_ROWS
    columns = 2 if count > 1 and width >= GRID_WIDTH and not stacked else 1
    lines = -(-count // columns)
    if rows // lines < 4:
        return sized(_compact(view, width, rows, most=2), width, rows)
    out: Block = []
    for number in range(lines):
        height = rows // lines + (number < rows % lines)
        pair = view.channels[number * columns : (number + 1) * columns]
        out += _line_of_panels(view, pair, columns, width, height, colour)
    return out


def _line_of_panels(
    view: View, channels: tuple[ChannelView, ...], columns: int, width: int, height: int, colour: bool
) -> Block:
    if columns == 1:
        return panel(view, channels[0], colour, width, height)
    left_width = (width - 1) // 2
    right_width = left_width
    gap = width - 2 * left_width
    left = panel(view, channels[0], colour, left_width, height)
    right = panel(view, channels[1], colour, right_width, height) if channels[1:] else blank(right_width, height)
    return beside(left, right, gap)


def _compact(view: View, width: int, rows: int, most: int) -> Block:
    """Return one or two rows a channel; where not all have room the worst are shown, and the others counted."""
    shown = view.channels
    if len(shown) > rows:
        worst = sorted(shown, key=lambda channel: WORST_FIRST.index(channel.state))[: max(1, rows - 1)]
        shown = tuple(channel for channel in shown if any(channel is other for other in worst))
    each = min(most, max(1, rows // max(1, len(shown))))
    out: Block = []
    for channel in shown:
        out += compact(view, channel, width, each)
    hidden = len(view.channels) - len(shown)
    if hidden and len(out) < rows:
        out.append(fit([piece(f"and {hidden} more, none worse", palette.DIM)], width))
    return out


def _header(view: View, width: int) -> Row:
    """Return the name of the call and the position in its audio; what has no room is left out, the least telling
    first.
    """
    mode = "FINISHED" if view.finished else ("LIVE" if view.live else "REPLAY")
    total = "" if view.total_s is None else f" / {words.clock(view.total_s)}"
    slow = isfinite(view.speed) and view.speed < SLOW and not view.finished
    lag: Row = [piece(f"{view.speed:.1f} x real time  ", palette.WARN)] if slow else []
    right = [*lag, piece(f"{mode} ", palette.TITLE), piece(f"{words.clock(view.elapsed_s)}{total}", palette.BOLD)]
    call, source = clean(view.name or view.call), clean(view.source)
    room = width - cells(right) - 1
    program = piece(f"{PROGRAM}  ", palette.TITLE)
    alone, names = [piece(call, palette.BOLD)], [piece(call, palette.BOLD), piece(f"  {source}", palette.DIM)]
    shortened = [piece(squeezed(call, max(room, 1)), palette.BOLD)]
    candidates = [[program, *names], names, [program, *alone], alone, shortened]
    return spread(choose(candidates, room) if room > 0 else [], right, width)


def below_rows(view: View, width: int, rows: int, calls: Mapping[str, str] | None = None) -> Block:
    """Draw alerts and the state of the system. calls: see alert_rows()."""
    many = calls is not None
    if rows < 4 or width < 60:
        return sized([*alert_rows(view.events, width, rows - 1, calls), system_line(view, width)], width, rows)
    right_width = (width - 1) // 2 if width >= GRID_WIDTH and not many else max(34, width * 2 // 5)
    left_width = width - right_width - (2 - width % 2 if width >= GRID_WIDTH and not many else 1)
    urgent = any(channel.alert_since_s is not None for channel in view.channels) and not view.finished
    advice = [piece("? what to do ", palette.STRONG[State.ALERT])] if urgent else []
    left = [rule([piece("alerts", palette.TITLE)], advice, left_width, palette.DIM)]
    right = [rule([piece("system", palette.TITLE)], [], right_width, palette.DIM)]
    left += sized(alert_rows(view.events, left_width, rows - 1, calls), left_width, rows - 1)
    right += system_rows(view, right_width, rows - 1)
    return beside(left, right, width - left_width - right_width)


def footer(width: int, keys: KeyState, first: Sequence[tuple[str, str]] = ()) -> Row:
    """Return the keys, as many as there is room for, and what they have done. first: keys of this screen."""
    right: Row = [piece("bell muted ", palette.DIM)] if keys.muted else []
    if keys.paused:
        news = f" {keys.missed} new alert{'s' * (keys.missed > 1)}" if keys.missed else ""
        right += [piece(news + " ", palette.STRONG[State.ALERT]), piece(" PAUSED ", palette.REVERSE)]
    pause = "resume" if keys.paused else "pause"
    common = [("?", "help"), ("q", "quit"), ("p", pause)]
    bell, short = ("ring the bell", "bell") if keys.muted else ("mute the bell", "mute")
    candidates = (
        _keys_row([*first, *common, ("m", bell)], 3),
        _keys_row([*first, *common, ("m", short)], 3),
        _keys_row([*first, *common, ("m", short)], 2),
        _keys_row([*first[:1], *common], 2),
        _keys_row(common, 2),
    )
    return spread(choose(candidates, max(1, width - cells(right) - 1)), right, width)


def _keys_row(keys: Sequence[tuple[str, str]], gap: int) -> Row:
    return [part for key, what in keys for part in (piece(key, palette.KEY), piece(f" {what}{' ' * gap}", palette.DIM))]
