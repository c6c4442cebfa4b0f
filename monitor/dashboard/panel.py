"""One channel: its verdict large, its likelihood and its spectrum over time, and what its audio is."""

from __future__ import annotations

from monitor.dashboard import digits, palette, widgets, words
from monitor.dashboard.canvas import Block, Row, beside, boxed, cells, clean, cut, fit, piece, rule, sized
from monitor.dashboard.parts import FACTS_WIDTH, LARGE_WIDTH, SMALL_WIDTH, Parts
from monitor.dashboard.row_layout import ColumnSection, stack
from monitor.views import ChannelView, View

LABEL = "likelihood synthetic"
LEAST_WIDTH, LEAST_ROWS = 44, 4
"""Below, a channel is one or two rows."""
BOX_WIDTH, BOX_ROWS = 56, 10
TWO_COLUMNS_WIDTH, WIDE_WIDTH = 72, 100
LARGE_DIGITS_ROWS = 18
LOW_ROWS = 10
LEFT_WIDTH = 40


def panel(view: View, channel: ChannelView, colour: bool, width: int, rows: int) -> Block:
    """Return the channel in exactly width x rows cells."""
    if rows < LEAST_ROWS or width < LEAST_WIDTH:
        return compact(view, channel, width, rows)
    parts = Parts(view, channel, colour)
    box = rows >= BOX_ROWS and width >= BOX_WIDTH
    inner, room = (width - 4, rows - 2) if box else (width, rows - 1)
    if inner < TWO_COLUMNS_WIDTH or (inner >= WIDE_WIDTH and room >= LARGE_DIGITS_ROWS):
        block = _one_column(parts, inner, room)
    else:
        block = _two_columns(parts, inner, room)
    style = palette.TONE[channel.state]
    if box:
        return boxed(block, *_titles(parts, width - 2), width, style)
    return [rule(*_titles(parts, width), width, style), *block]


def _titles(parts: Parts, width: int) -> tuple[Row, Row]:
    """Name at the left, likelihood and state at the right."""
    name = [piece(cut(clean(parts.channel.name), max(6, width // 3)), palette.BOLD)]
    p = f"{words.percent(parts.channel.p_fake)}  "
    labels = [[piece(text), parts.badge()] for text in (f"{LABEL} {p}", f"synthetic {p}")]
    room = width - cells(name) - 8
    return name, next((label for label in labels if cells(label) <= room), [parts.badge()])


def _one_column(parts: Parts, width: int, rows: int) -> Block:
    """Return all parts one below the other."""
    large = rows >= LARGE_DIGITS_ROWS and width >= LARGE_WIDTH + FACTS_WIDTH
    beside_number = width - (LARGE_WIDTH if large else SMALL_WIDTH) - FACTS_WIDTH - 2
    low, wide = rows < LOW_ROWS and beside_number >= 8, large and beside_number >= 40
    number_rows = digits.LARGE_ROWS if large else digits.SMALL_ROWS
    fault_rows = parts.fault_rows(width) if rows >= LOW_ROWS else bool(parts.channel.fault)
    families = len(parts.channel.families)
    sections = [
        ColumnSection(0, number_rows, number_rows, lambda n: _head(parts, width, n, low, wide)),
        ColumnSection(1, 1, 2, lambda n: parts.gauge(width, n, not large)),
        *([ColumnSection(2, fault_rows, fault_rows, lambda n: parts.fault(width, n))] if fault_rows else ()),
        ColumnSection(3, 2, 20 if parts.past else 12, lambda n: parts.timeline(width, n)),
        *([] if low or parts.past else [ColumnSection(4, 2, 13, lambda n: parts.spectrogram(width, n))]),
        *([] if parts.past else [ColumnSection(5, 1, 1, lambda _: [parts.level(width)])]),
        *(
            [ColumnSection(6, 1, min(4, 1 + families), lambda n: parts.families(width, n))]
            if families and not wide
            else ()
        ),
    ]
    return stack(sections, width, rows)


def _head(parts: Parts, width: int, rows: int, low: bool, wide: bool) -> Block:
    """Draw big digits and facts; right of them the spectrum of a low panel, or the families of a wide one."""
    number = parts.number(rows)
    room = width - cells(number[0])
    if low or wide:
        rest = room - FACTS_WIDTH - 2
        right = parts.spectrum(rest, rows) if low else parts.families(rest, rows)
        return beside(beside(number, parts.facts(FACTS_WIDTH, rows), 0), right, 2)
    return beside(number, parts.facts(room, rows), 0)


def _two_columns(parts: Parts, width: int, rows: int) -> Block:
    """Draw charts at the right of the rest."""
    fault_rows = min(parts.fault_rows(width), 2 if rows >= LOW_ROWS else 1)
    left_width = LEFT_WIDTH if width < WIDE_WIDTH else LEFT_WIDTH + 4
    right_width = width - left_width - 2
    charts = [
        ColumnSection(0, 2, 60, lambda n: parts.timeline(right_width, n)),
        *([] if parts.past else [ColumnSection(1, 2, 13, lambda n: parts.spectrogram(right_width, n))]),
    ]
    room = rows - fault_rows
    block = beside(_left(parts, left_width, room), stack(charts, right_width, room), 2)
    return [*block, *(parts.fault(width, fault_rows) if fault_rows else ())]


def _left(parts: Parts, width: int, rows: int) -> Block:
    large = rows >= 12
    number_rows = digits.LARGE_ROWS if large else digits.SMALL_ROWS
    families = len(parts.channel.families)
    sections = [
        ColumnSection(0, number_rows, number_rows, lambda n: _left_head(parts, width, n)),
        ColumnSection(1, 1, 2, lambda n: parts.gauge(width, n)),
        *([ColumnSection(2, 3, 5, lambda n: parts.facts(width, n))] if large else ()),
        *([] if parts.past else [ColumnSection(3, 1, 1, lambda _: [parts.level(width)])]),
        *([ColumnSection(4, 1, 1 + families, lambda n: parts.families(width, n))] if families else ()),
    ]
    return stack(sections, width, rows)


def _left_head(parts: Parts, width: int, rows: int) -> Block:
    number = parts.number(rows)
    if rows == digits.LARGE_ROWS:
        return [fit(row, width) for row in number]
    return beside(number, parts.facts(width - SMALL_WIDTH, rows), 0)


def compact(view: View, channel: ChannelView, width: int, rows: int) -> Block:
    """Return one row, or two with a timeline; never more, so that many channels stand close together."""
    if rows < 2 or width < 24:
        return sized([_summary(view, channel, width, spark=True)], width, rows)
    first = _summary(view, channel, width, spark=False)
    if channel.fault:
        return sized([first, fit([piece(f"  ! {clean(channel.fault)}", palette.FAULT)], width)], width, rows)
    label = piece(f"  {words.speech(channel):<24}" if width >= 70 else "  ", palette.DIM)
    room = width - cells([label])
    spark = widgets.sparkline(channel.timeline, view.suspicious_p, view.alert_p, room)
    return sized([first, [label, *spark]], width, rows)


def _summary(view: View, channel: ChannelView, width: int, spark: bool) -> Row:
    """Return state, likelihood, name, and what fits of a gauge or a sparkline, reason and level."""
    style = palette.STRONG[channel.state]
    state = f"{channel.state.value.upper():<10}"
    badge = piece(state, style) if width < 24 else piece(f" {state} ", palette.BADGE[channel.state])
    head = [badge, piece(f"{words.percent(channel.p_fake):>5} ", style)]
    room = width - cells(head)
    if room < 30:
        return fit([*head, piece(clean(channel.name), palette.BOLD)], width)
    name = fit([piece(" " + clean(channel.name), palette.BOLD)], min(22, room // 3))
    if spark and channel.fault:
        # There is no second row for it, and a likelihood of what cannot be trusted helps nobody.
        return fit([*head, *name, piece(f" ! {clean(channel.fault)}", palette.FAULT)], width)
    heard = f"{channel.reason.value:<15} {words.level(channel.level_dbfs):>4} dBFS"
    tail = [piece(heard, palette.DIM)] if room >= 50 else []
    bar = room - cells(name) - cells(tail) - 2
    marks = view.suspicious_p, view.alert_p
    if spark:
        chart = widgets.sparkline(channel.timeline, *marks, bar)
    else:
        chart = widgets.gauge(channel.p_fake, *marks, style, bar)
    return fit([*head, *name, piece(" "), *chart, piece(" "), *tail], width)
