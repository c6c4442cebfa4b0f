"""Gauge, level meter, timeline and spectrogram: from numbers to rows of exact width."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style

from monitor.audio import Audio
from monitor.dashboard import palette, words
from monitor.dashboard.canvas import Block, Row, fit, piece
from monitor.types import State

_LEFT_EIGHTHS = " ▏▎▍▌▋▊▉"
_LOWER_EIGHTHS = " ▁▂▃▄▅▆▇█"
_NOTHING, _CROSSING = "·", "┄"
_SHADES = " ░▒▓█"
_LOWEST_DBFS = -60.0
_HIGH_DBFS, _OVER_DBFS = -12.0, -3.0
_SPAN_DB = 60.0
_SPECTROGRAM_COLUMNS = 256
"""Columns that fill the width of a spectrogram, whatever it is: 5.1 s."""


def state_of(p: float, suspicious_p: float, alert_p: float) -> State:
    """Return the state whose colour a likelihood has; it is not the verdict, which also holds and waits: a low
    number by itself is no evidence for a person.
    """
    if p >= alert_p:
        return State.ALERT
    return State.SUSPICIOUS if p >= suspicious_p else State.UNDECIDED


def _column(p: float, width: int) -> int:
    return min(max(int(p * width), 0), width - 1)


def gauge(p: float, suspicious_p: float, alert_p: float, style: Style, width: int, thin: bool = False) -> Row:
    """Return a bar from 0 to 1 that carries the two thresholds. thin: it leaves the lower half of the row free."""
    filled = 0.0 if math.isnan(p) else min(max(p, 0.0), 1.0) * width
    whole = int(filled)
    ends, full = (" ▘", "▀") if thin else (_LEFT_EIGHTHS, "█")
    bar = full * whole + ends[int((filled - whole) * len(ends))].strip()
    cells = list(bar.ljust(width, "─"))
    out: Row = []
    start = 0
    for mark in sorted({_column(suspicious_p, width), _column(alert_p, width)}):
        out.extend(_bar_part(cells[start:mark], style))
        crossed = mark < whole and not thin
        out.append(piece("│", Style(bgcolor=style.color) + palette.ON_BAR if crossed else palette.DIM))
        start = mark + 1
    return [*out, *_bar_part(cells[start:], style)]


def _bar_part(cells: Sequence[str], style: Style) -> Row:
    text = "".join(cells)
    bar = text.rstrip("─")
    return [piece(bar, style), piece(text[len(bar) :], palette.DIM)]


def scale(suspicious_p: float, alert_p: float, width: int) -> Row:
    """Return the row above a gauge: names and values of the thresholds, as long as there is room."""
    first, second = _column(suspicious_p, width), _column(alert_p, width)
    one = _mark("suspicious", suspicious_p, State.SUSPICIOUS, first)
    two = _mark("alert", alert_p, State.ALERT, second - first - 1)
    return fit([*one, *two], width)


def _mark(name: str, p: float, state: State, room: int) -> Row:
    """Return a label that ends in a mark `room` cells further right; shorter forms where the long one does not fit."""
    if room < 0:
        return []
    value = words.percent(p)
    label = next((text for text in (f" {name} {value} ", f" {name} ", f" {value} ", "") if len(text) <= room), "")
    return [piece(" " * (room - len(label))), piece(label, palette.DIM), piece("▼", palette.STRONG[state])]


def meter(level_dbfs: float, peak_dbfs: float, width: int) -> Row:
    """Return a bar from -60 to 0 dBFS with a tick at the peak."""
    halves = round(_loudness(level_dbfs) * width * 2)
    bar = ("▄" * (halves // 2) + "▖" * (halves % 2)).ljust(width)
    style = _level_style(level_dbfs)
    tick = _column(_loudness(peak_dbfs), width)
    if not math.isfinite(peak_dbfs) or tick < len(bar.rstrip()):
        return [piece(bar, style)]
    return [piece(bar[:tick], style), piece("│", _level_style(peak_dbfs)), piece(bar[tick + 1 :])]


def _loudness(dbfs: float) -> float:
    return min(max(1.0 - dbfs / _LOWEST_DBFS, 0.0), 1.0) if math.isfinite(dbfs) else 0.0


def _level_style(dbfs: float) -> Style:
    if dbfs >= _OVER_DBFS:
        return palette.LEVEL_OVER
    return palette.LEVEL_HIGH if dbfs >= _HIGH_DBFS else palette.LEVEL_OK


def binned(values: Audio, before: int, step: int, width: int) -> Audio:
    """Return the highest of every `step` values, the newest `width` of them; NaN where there are none.

    before: values since the start, so that a bin keeps its values while it moves left.
    """
    if step == 1:
        return values[-width:]
    newest = before % step or step
    wanted = (width - 1) * step + newest
    last = values[-wanted:]
    padded = np.full(width * step, -1.0, dtype=np.float32)
    end = width * step - step + newest
    padded[end - len(last) : end] = np.nan_to_num(last, nan=-1.0)
    highest = padded.reshape(width, step).max(axis=1)
    return np.where(highest < 0, np.float32(np.nan), highest)


def timeline(values: Audio, suspicious_p: float, alert_p: float, width: int, rows: int) -> Block:
    """Return the newest `width` likelihoods as columns of `rows` cells, thresholds as dotted lines.

    values: float32 (n,), NaN where there was no evidence.
    """
    newest = values[-width:].astype(np.float64)
    p = np.full(width, np.nan)
    p[width - len(newest) :] = newest
    known = ~np.isnan(p)
    eighths = np.zeros(width, dtype=np.int64)
    eighths[known] = np.clip(np.ceil(p[known] * rows * 8), 1, rows * 8)
    kind = np.where(known, (p >= suspicious_p).astype(np.int64) + (p >= alert_p), 3)
    lines = {_column(suspicious_p, rows): State.SUSPICIOUS} | {_column(alert_p, rows): State.ALERT}
    return [
        _timeline_row(np.clip(eighths - 8 * row, 0, 8), kind, lines.get(row), row == 0, row < rows - 1)
        for row in reversed(range(rows))
    ]


_KINDS = (State.UNDECIDED, State.SUSPICIOUS, State.ALERT)


def _timeline_row(
    eighths: NDArray[np.int64], kind: NDArray[np.int64], line: State | None, lowest: bool, crossed: bool
) -> Row:
    """Return one row of cells. eighths: 0 to 8 filled. kind: colour of each column, 3 where nothing is known.

    crossed: the line also runs through full cells.
    """
    out: Row = []
    key = np.where(eighths > 0, kind, 3) * 2 + (eighths == 8)
    for start, end in _runs(key):
        size, colour, full = end - start, int(key[start]) // 2, int(key[start]) % 2
        if colour == 3:
            out.extend(_empty(kind[start:end] == 3, line, lowest, size))
        elif full and crossed and line is not None:
            out.append(piece(_CROSSING * size, palette.CROSSED[_KINDS[colour]]))
        else:
            text = "".join(_LOWER_EIGHTHS[n] for n in eighths[start:end].tolist())
            out.append(piece(text, palette.TONE[_KINDS[colour]]))
    return out


def _empty(unknown: NDArray[np.bool_], line: State | None, lowest: bool, size: int) -> Row:
    if line is not None and not lowest:
        return [piece(_CROSSING * size, palette.TONE[line])]
    if not lowest:
        return [piece(" " * size)]
    return [piece("".join(_NOTHING if flag else " " for flag in unknown.tolist()), palette.DIM)]


def sparkline(values: Audio, suspicious_p: float, alert_p: float, width: int) -> Row:
    """Return a timeline of one row."""
    return timeline(values, suspicious_p, alert_p, width, 1)[0]


def columns_a_cell(width: int) -> int:
    """Return the columns of 20 ms in one cell of a spectrogram of that width."""
    return max(1, _SPECTROGRAM_COLUMNS // width)


def spectrogram(bands: Audio, columns_before: int, width: int, rows: int, colour: bool) -> Block:
    """Draw the loudness of bands (upwards) over time (to the right), two bands a cell.

    bands: float32 (n, 24) dB. columns_before: columns since the start of the call, so that a cell keeps the columns it
    has while it moves left. Without colour, one band a cell in shades of a block.
    """
    shades = palette.SHADES if colour else len(_SHADES)
    bins = rows * 2 if colour else rows
    levels = _shades(_cells(bands, columns_before, width, bins), shades)
    if not colour:
        return [[piece("".join(_SHADES[n] for n in row))] for row in levels[::-1].tolist()]
    pairs = levels[1::2].astype(np.int64) * shades + levels[0::2]
    return [[_heat(shade, size) for shade, size in _lengths(row)] for row in pairs[::-1]]


@lru_cache(maxsize=8192)
def _heat(shade: int, size: int) -> Segment:
    """Return cells of one colour; there are a thousand on a screen, and most have been there before."""
    return Segment("▀" * size, palette.HEAT[shade])


def _cells(bands: Audio, columns_before: int, width: int, bins: int) -> Audio:
    """Return the loudest value of each cell: float32 (bins, width), lowest band first; -inf where there is none."""
    step = columns_a_cell(width)
    newest = columns_before % step or step
    wanted = (width - 1) * step + newest
    last = bands[-wanted:]
    columns = np.full((width * step, bands.shape[1]), -np.inf, dtype=np.float32)
    end = width * step - step + newest
    columns[end - len(last) : end] = last
    edges = np.arange(bins) * bands.shape[1] // bins
    grouped = np.maximum.reduceat(columns.reshape(width, step, -1).max(axis=1), edges, axis=1)
    return np.ascontiguousarray(grouped.T)


def _shades(levels: Audio, shades: int) -> NDArray[np.int64]:
    """Return shades 0 to shades - 1 over 60 dB below the loudest, in steps of 10 dB so that colours stay."""
    finite = np.nan_to_num(levels, nan=-200.0, posinf=0.0, neginf=-200.0)
    top = min(max(math.ceil(float(finite.max(initial=-200.0)) / 10.0) * 10.0, -40.0), 0.0)
    scaled = (finite - (top - _SPAN_DB)) * (shades / _SPAN_DB)
    shade: NDArray[np.int64] = np.clip(scaled, 0, shades - 1).astype(np.int64)
    return shade


def _runs(values: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Return the first and one past the last index of each run of equal values."""
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    return pairwise([0, *edges.tolist(), len(values)])


def _lengths(values: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Return the value and length of each run of equal values."""
    listed = values.tolist()
    return ((listed[first], end - first) for first, end in _runs(values))


def families(items: Sequence[tuple[str, float]], sensible: bool, state: State, width: int, rows: int) -> Block:
    """Return the most likely synthesis families, one a row with a bar; dim while they say nothing."""
    name_width = min(max((len(name) for name, _ in items), default=0), width - 6)
    bar_width = width - name_width - 7
    out: Block = []
    for name, p in items[:rows]:
        bar = "━" * round(min(max(p, 0.0), 1.0) * bar_width) if bar_width > 2 else ""
        style = palette.TONE[state] if sensible else palette.DIM
        text = palette.PLAIN if sensible else palette.DIM
        label = fit([piece(name, text)], name_width)
        out.append(fit([*label, piece(f" {words.percent(p):>4}  ", text), Segment(bar, style)], width))
    return out
