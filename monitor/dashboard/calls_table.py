"""The table of a server: a row a call, running ones or those that have ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from rich.segment import Segment

from monitor.audio import Audio
from monitor.dashboard import palette, widgets, words
from monitor.dashboard.canvas import Click, Row, ScreenFrame, cells, clean, cut, fit, piece, sized, spread, squeezed
from monitor.dashboard.plain import status_words
from monitor.dashboard.render import PROGRAM, KeyState, below_rows, footer, rows_below
from monitor.dashboard.table_state import CallsTable, Column, TableState, call_label
from monitor.views import CallRow, ServerStatus

WIDE = 100
"""Cells from which on a row has a timeline, or says why its call ended."""
LOOKS_BACK_S = 60.0
HEAD_ROWS = 2
_STATE_WIDTH, _FAKE_WIDTH, _SPEECH_WIDTH, _LENGTH_WIDTH, _ENDED_WIDTH = 12, 6, 9, 9, 10
_FIGURES_WIDTH = 2 + _STATE_WIDTH + _FAKE_WIDTH + 2 + _SPEECH_WIDTH + _LENGTH_WIDTH
_REST_WIDTH = 17
"""Cells for what the audio of a channel is."""


def render_calls(table: CallsTable, width: int, height: int, keys: KeyState) -> ScreenFrame:
    """Return the screen in exactly width x height cells, and what a click on it means; pure."""
    below = rows_below(height)
    room = max(0, height - HEAD_ROWS - 1 - below)
    titles, clicks = _titles(table.state, width)
    shown, first = _visible(table, room)
    body = [_row(table, row, width) for row in shown]
    hidden = len(table.rows) - len(shown)
    if not table.rows:
        body = [fit([piece(f"  {_nothing(table)}", palette.DIM)], width)]
    elif hidden:
        body.append(fit([piece(f"  and {hidden} more" + (f", {first} above" if first else ""), palette.DIM)], width))
    rows = [_header(table, width), titles, *sized(body, width, room)]
    names = {row.call: row.name or row.call for row in (*table.status.past, *table.status.rows)}
    rows += [*below_rows(table.status.whole, width, below, names), _footer(table, width, keys)]
    targets = [Click(HEAD_ROWS + n, 0, width, "call", row.call) for n, row in enumerate(shown)]
    return ScreenFrame(sized(rows, width, height), (*clicks, *targets))


def status_line(status: ServerStatus, width: int) -> Row:
    """Return the whole server in one row."""
    parts: Row = [piece(status_words(status) + "  ", palette.DIM)]
    for row in status.rows[:3]:
        style = palette.STRONG[row.worst.state]
        parts.append(piece(f"{squeezed(clean(row.name or row.call), 20)} {words.percent(row.worst.p_fake)}  ", style))
    return fit(parts, width)


def status_summary(status: ServerStatus) -> Sequence[str]:
    """Return the lines printed after the dashboard has closed."""
    whole = status.whole
    lost = f", {words.lost(whole.lost_s)}" if whole.lost_s > 0 else ""
    refused = f", {status.refused} refused" if status.refused else ""
    alerts = f"{whole.alerts} alert{'s' * (whole.alerts != 1)}"
    return [f"{status.started} calls{refused}: {alerts}{lost}"]


def _header(table: CallsTable, width: int) -> Row:
    """Return how many calls there are and what listens; what has no room is counted, not cut."""
    status = table.status
    if table.state.past:
        calls, gone = f"{len(status.past)} of {status.ended} ended calls", f"  {len(status.rows)} running"
    else:
        calls, gone = f"{len(status.rows)} of {status.max_calls} calls", f"  {status.ended} ended"
    gone += f"  {status.refused} refused" if status.refused else ""
    if table.state.filter_text:
        gone += f"  {len(table.rows)} match"
    head = [piece(calls, palette.BOLD), piece(gone, palette.DIM)]
    named = [piece(f"{PROGRAM}  ", palette.TITLE), *head]
    taps = [clean(tap) for tap in status.taps]
    shards = [words.shard(shard) for shard in status.shards]
    up = f"  {sum(shard.works for shard in status.shards)} of {len(shards)} shards" if shards else ""
    listed, count = "  ".join([*taps, *shards]), f"{len(taps)} tap{'s' * (len(taps) != 1)}{up}"
    candidates = [(named, listed), (named, count), (head, count), (head, "")]
    fitting = (pair for pair in candidates if cells(pair[0]) + cells([piece(pair[1])]) + 2 <= width)
    left, right = next(fitting, (head, ""))
    return spread(left, [piece(right, palette.DIM)] if right else [], width)


def _titles(state: TableState, width: int) -> tuple[Row, Sequence[Click]]:
    """Return the titles of the columns, the one sorted by marked, and what a click on each means."""
    columns: list[tuple[Column | None, str, int, bool]] = [
        ("state", "state", _STATE_WIDTH, False),
        ("fake", "fake", _FAKE_WIDTH, True),
        ("call", "  call", _name_width(state, width) + 2, False),
        (None, _chart_title(state, width), _bar_width(state, width), False),
        ("speech", "speech", _SPEECH_WIDTH, True),
        ("length", "length", _LENGTH_WIDTH, True),
        (None, "" if width < 80 else "  why it ended" if state.past else "  audio", _REST_WIDTH, False),
    ]
    if state.past:
        columns.insert(0, ("ended", "ended", _ENDED_WIDTH, False))
    out: Row = [piece("  ")]
    clicks: list[Click] = []
    at = 2
    for column, title, size, right in columns:
        chosen = column == state.sorted_by
        text = title + (("▴" if state.reverse else "▾") if chosen else "")
        out.append(piece(f"{text:>{size}}" if right else f"{text:<{size}}", palette.KEY if chosen else palette.DIM))
        if column is not None:
            clicks.append(Click(1, at, at + size, "sort", column))
        at += size
    return fit(out, width), clicks


def _chart_title(state: TableState, width: int) -> str:
    return "  likelihood, last minute" if _bar_width(state, width) else ""


def _name_width(state: TableState, width: int) -> int:
    used = _FIGURES_WIDTH + _ENDED_WIDTH * state.past
    rest = _REST_WIDTH if width >= 80 else 0
    return max(12, min(36, width - used - rest if width < WIDE else (width - used) // 2 - 10))


def _bar_width(state: TableState, width: int) -> int:
    """Return the cells for a timeline of running calls."""
    if width < WIDE or state.past:
        return 0
    return max(0, width - _FIGURES_WIDTH - _name_width(state, width) - _REST_WIDTH)


def _visible(table: CallsTable, rows: int) -> tuple[Sequence[CallRow], int]:
    """Return the calls that fit, the one under the cursor among them, and how many are above."""
    shown = table.rows
    if len(shown) <= rows:
        return shown, 0
    at = next((i for i, row in enumerate(shown) if row.call == table.state.cursor), 0)
    first = max(0, min(at - rows + 2, len(shown) - rows + 1)) if at >= rows - 1 else 0
    return shown[first : first + max(0, rows - 1)], first


def _nothing(table: CallsTable) -> str:
    """Return why the table is empty."""
    if table.state.filter_text:
        return f'no call matches "{clean(table.state.filter_text)}"; esc shows all'
    if table.state.past:
        return "no call has ended yet"
    return "no calls now: listening; h shows those that have ended" if table.status.past else "no calls yet: listening"


def _row(table: CallsTable, row: CallRow, width: int) -> Row:
    state, channel = table.state, row.worst
    chosen = row.call == state.cursor
    room = _name_width(state, width)
    name = [piece(squeezed(clean(call_label(row)), room), palette.BOLD if chosen else None)]
    ended = [piece(f"{_local_time(row.ended):<{_ENDED_WIDTH}}", palette.DIM)] if state.past else []
    speech = f"{channel.net_speech_s:.1f} s"
    figures = f"{speech:>{_SPEECH_WIDTH}}{words.clock(row.elapsed_s):>{_LENGTH_WIDTH}}"
    parts = [
        piece("▸ " if chosen else "  ", palette.KEY),
        *ended,
        _outcome(row),
        piece(f"{words.percent(channel.p_fake):>{_FAKE_WIDTH}}  ", palette.STRONG[channel.state]),
        *fit(name, room),
        *_chart(table, row, _bar_width(state, width)),
        piece(figures, palette.DIM),
        *([piece("  "), _last_column(row)] if width >= 80 else []),
    ]
    return fit(parts, width)


def _outcome(row: CallRow) -> Segment:
    """Return the state, or of a call that has ended its outcome."""
    state, counted = row.worst.state, row.ended and row.alerts
    text = f"{row.alerts} ALERT{'S' * (row.alerts > 1)}" if counted else state.value.upper()
    return piece(f" {cut(text, _STATE_WIDTH - 2):<{_STATE_WIDTH - 2}} ", palette.BADGE[state])


def _last_column(row: CallRow) -> Segment:
    if row.ended:
        return piece(clean(row.why), palette.DIM)
    fault = row.worst.fault
    return piece(f"! {clean(fault)}", palette.FAULT) if fault else piece(row.worst.reason.value, palette.DIM)


def _chart(table: CallsTable, row: CallRow, width: int) -> Row:
    """Return the likelihood over the last minute, or nothing where there is no room."""
    room, whole = width - 4, table.status.whole
    if room <= 4:
        return []
    step_s = row.worst.timeline_step_s
    step = max(1, math.ceil(LOOKS_BACK_S / step_s / room))
    values: Audio = widgets.binned(row.worst.timeline, math.ceil(row.elapsed_s / step_s - 1e-6), step, room)
    return [piece("  "), *widgets.sparkline(values, whole.suspicious_p, whole.alert_p, room), piece("  ")]


def _local_time(seconds: float) -> str:
    """seconds: since 1970, UTC."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


def _footer(table: CallsTable, width: int, keys: KeyState) -> Row:
    """Return the keys, or the filter while it is typed."""
    state = table.state
    if state.typing:
        left = [piece("/", palette.KEY), piece(clean(state.filter_text), palette.BOLD), piece("▏   ", palette.KEY)]
        hint = [*left, piece("enter", palette.KEY), piece(" keep   ", palette.DIM), piece("esc", palette.KEY)]
        return fit([*hint, piece(" clear", palette.DIM)], width)
    left = [piece(f"/{clean(state.filter_text)}  ", palette.KEY)] if state.filter_text else []
    extra = (("enter", "open"), ("/", "filter"), ("s", "sort"), ("h", "running" if state.past else "ended"))
    return [*left, *footer(width - cells(left), keys, extra)]
