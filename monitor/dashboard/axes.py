"""Ticks and labels of the two charts: times below them, frequencies beside them."""

from __future__ import annotations

import math

from monitor.dashboard import palette
from monitor.dashboard.canvas import Row, piece
from monitor.dashboard.words import clock
from monitor.views import SPECTRUM_HZ

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_APART = 9
"""Cells between two ticks at least: room for "1:02:03" and a gap."""
_KILOHERTZ = (8.0, 4.0, 2.0, 1.0, 0.5, 0.2)


def time_axis(end_s: float, cell_s: float, width: int) -> Row:
    """Return the row below a chart: a mark and the audio time at round seconds, right to the last cell.

    end_s: time at the right edge. cell_s: of one cell. Times before the start have no mark.
    """
    step = next((s for s in _STEPS_S if s / cell_s >= _APART), _STEPS_S[-1])
    cells = [" "] * width
    free_from = 0
    for number in range(max(0, math.ceil((end_s - width * cell_s) / step)), math.floor(end_s / step) + 1):
        at = width - round((end_s - number * step) / cell_s)
        label = "╵" + clock(number * step)
        if at >= free_from and at + len(label) <= width:
            cells[at : at + len(label)] = label
            free_from = at + len(label) + 1
    return [piece("".join(cells), palette.DIM)]


def kilohertz_labels(rows: int) -> dict[int, str]:
    """Return frequencies in kHz by row, 0 = the highest, for a spectrogram of so many rows."""
    labels: dict[int, str] = {}
    lowest, highest = (_mel(hz) for hz in SPECTRUM_HZ)
    for kilohertz in _KILOHERTZ:
        share = (_mel(kilohertz * 1000) - lowest) / (highest - lowest)
        row = min(max(rows - 1 - int(share * rows), 0), rows - 1)
        labels.setdefault(row, f"{kilohertz:g}")
    return labels


def _mel(hz: float) -> float:
    """Return the scale of ETSI ES 201 108."""
    return 2595 * math.log10(1 + hz / 700)
