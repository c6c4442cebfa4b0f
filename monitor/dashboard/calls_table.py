"""The table of a server: a row a call, the worst first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.audio import Audio
from monitor.dashboard import palette, widgets, words
from monitor.dashboard.canvas import Block, Row, ScreenFrame, cells, clean, cut, fit, piece, sized, spread, squeezed
from monitor.dashboard.plain import board_words
from monitor.dashboard.render import PROGRAM, KeyState, below_rows, footer, rows_below
from monitor.views import Board, CallRow

WIDE = 100
"""Cells from which on a row has a timeline."""
LOOKS_BACK_S = 60.0


def render_board(board: Board, width: int, height: int, keys: KeyState) -> ScreenFrame:
    """Return the screen in exactly width x height cells; pure."""
    below = rows_below(height)
    room = height - 3 - below
    rows = [_header(board, width), _titles(width), *_table(board, width, max(0, room))]
    rows += [*below_rows(board.whole, width, below), _footer(board, width, keys)]
    return ScreenFrame(sized(rows, width, height))


def board_line(board: Board, width: int) -> Row:
    """Return the whole server in one row."""
    parts: Row = [piece(board_words(board) + "  ", palette.DIM)]
    for row in board.rows[:3]:
        style = palette.STRONG[row.worst.state]
        parts.append(piece(f"{squeezed(clean(row.call), 20)} {words.percent(row.worst.p_fake)}  ", style))
    return fit(parts, width)


def board_summary(board: Board) -> Sequence[str]:
    """Return the lines printed after the dashboard has closed."""
    whole = board.whole
    lost = f", lost {whole.lost_s:.2f} s" if whole.lost_s > 0 else ""
    refused = f", {board.refused} refused" if board.refused else ""
    alerts = f"{whole.alerts} alert{'s' * (whole.alerts != 1)}"
    return [f"{board.started} calls{refused}: {alerts}{lost}"]


def _header(board: Board, width: int) -> Row:
    calls = f"{len(board.rows)} of {board.max_calls} calls"
    gone = f"  {board.ended} ended" + (f"  {board.refused} refused" if board.refused else "")
    left = [piece(f"{PROGRAM}  ", palette.TITLE), piece(calls, palette.BOLD), piece(gone, palette.DIM)]
    taps = "  ".join(clean(tap) for tap in board.taps)
    room = width - cells(left) - 2
    return spread(left, [piece(cut(taps, room), palette.DIM)] if room > 10 else [], width)


def _titles(width: int) -> Row:
    tail = f"{'speech':>8} {'length':>8}  "
    bars = ("  likelihood" if width >= WIDE else "").ljust(_bar_width(width))
    head = f"  {'state':<12}{'fake':>6}  {'call':<{_name_width(width)}}"
    return fit([piece(head + bars + tail + ("hears" if width >= 80 else ""), palette.DIM)], width)


def _name_width(width: int) -> int:
    return max(12, min(36, width - 58 if width < WIDE else (width - 40) // 2 - 10))


def _bar_width(width: int) -> int:
    return max(0, width - 22 - _name_width(width) - 18 - 17) if width >= WIDE else 0


def _table(board: Board, width: int, rows: int) -> Block:
    """Draw the calls that fit; the one under the cursor is always among them."""
    if not board.rows:
        return sized([fit([piece("  no calls yet: listening", palette.DIM)], width)], width, rows)
    shown = list(board.rows)
    if len(shown) > rows:
        at = next((i for i, row in enumerate(shown) if row.call == board.cursor), 0)
        first = max(0, min(at - rows + 2, len(shown) - rows + 1)) if at >= rows - 1 else 0
        hidden = len(shown) - (rows - 1)
        shown = shown[first : first + rows - 1]
        more = [fit([piece(f"  and {hidden} more", palette.DIM)], width)]
    else:
        more = []
    return sized([*(_row(board, row, width) for row in shown), *more], width, rows)


def _row(board: Board, row: CallRow, width: int) -> Row:
    channel = row.worst
    chosen = row.call == board.cursor
    mark = piece("▸ " if chosen else "  ", palette.KEY)
    badge = piece(f" {channel.state.value.upper():<10} ", palette.BADGE[channel.state])
    fake = piece(f"{words.percent(channel.p_fake):>5}  ", palette.STRONG[channel.state])
    who = clean(row.call) + (f" · {clean(channel.name)}" if row.channels > 1 else "")
    room = _name_width(width)
    name = fit([piece(squeezed(who, room), palette.BOLD if chosen else None)], room)
    bar = _bar_width(width)
    marks = board.whole.suspicious_p, board.whole.alert_p
    chart = [piece("  "), *widgets.sparkline(_binned(row, bar - 4), *marks, bar - 4), piece("  ")] if bar > 8 else []
    figures = piece(f"{channel.net_speech_s:>6.1f} s {words.clock(row.elapsed_s):>8}  ", palette.DIM)
    fault = channel.fault
    hears = piece(f"! {clean(fault)}" if fault else channel.reason.value, palette.FAULT if fault else palette.DIM)
    return fit([mark, badge, fake, *name, *chart, figures, *([hears] if width >= 80 else [])], width)


def _binned(row: CallRow, width: int) -> Audio:
    """Return the likelihood over the last minute and more."""
    step_s = row.worst.timeline_step_s
    step = max(1, math.ceil(LOOKS_BACK_S / step_s / width))
    return widgets.binned(row.worst.timeline, math.ceil(row.elapsed_s / step_s - 1e-6), step, width)


def _footer(board: Board, width: int, keys: KeyState) -> Row:
    left = [piece("↑↓ enter", palette.KEY), piece(" open a call   ", palette.DIM)] if board.rows else []
    return [*left, *footer(width - cells(left), keys)]
