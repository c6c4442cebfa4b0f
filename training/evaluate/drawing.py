"""The look of every picture: colours, fonts, panels; drawn with matplotlib's Agg, which needs no display."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

BONA_FIDE, SPOOF = "#0072B2", "#D55E00"
COLOURS = ("#222222", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Colours that stay apart for colour-blind readers and in print (Okabe and Ito, 2008)."""

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
    "figure.constrained_layout.use": True,
}


def panels(rows: int, columns: int, width: float, height: float, **sharing: Any) -> tuple[Any, Any]:
    """Return a figure and its axes (rows, columns), each panel width x height inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **sharing)


def save_all(pictures: Mapping[str, Callable[[], Any]], out: Path) -> dict[str, Path]:
    """Draw and write NAME.png for each picture that is not None; returns the files by name."""
    import matplotlib as mpl

    files = {}
    with mpl.rc_context(STYLE):
        for name, picture in pictures.items():
            figure = picture()
            if figure is not None:
                files[name] = out / f"{name}.png"
                figure.savefig(files[name], metadata={"Software": None})
    return files
