"""The screen as a picture."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.style import Style

from monitor.dashboard.canvas import Row, ScreenFrame, clean, piece
from monitor.dashboard.render import PROGRAM, render
from monitor.disk.private import write_private
from monitor.views import View


def export_svg(view: View, path: str | Path, width: int = 120, height: int = 40) -> None:
    """Write the screen as a picture. Raises OSError where the file cannot be written."""
    console = Console(
        record=True, width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(ScreenFrame([_filled(row) for row in render(view, width, height).rows]))
    svg = console.export_svg(title=f"{PROGRAM.capitalize()}: {clean(view.call)}", unique_id="dashboard")
    write_private(Path(path), svg.encode())


def _filled(row: Row) -> Row:
    """Draw full blocks as coloured spaces: in a picture the glyphs of neighbouring cells leave seams."""
    out: Row = []
    for text, style, _ in row:
        for part in re.findall("█+|[^█]+", text):
            fill = style.color if style is not None and part[0] == "█" else None
            out.append(piece(part, style) if fill is None else piece(" " * len(part), Style(bgcolor=fill)))
    return out
