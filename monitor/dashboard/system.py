"""The state of the monitor itself: latency, buffers, losses, model and addresses."""

from __future__ import annotations

from math import isfinite

from monitor.dashboard import palette, words
from monitor.dashboard.canvas import Block, Row, choose, clean, fit, piece, sized, spread
from monitor.views import View

LABEL_WIDTH = 9


def latency(view: View) -> str:
    return f"p50 {words.milliseconds(view.latency_p50_ms)}  p99 {words.milliseconds(view.latency_p99_ms)}"


def speed(view: View) -> str:
    """Return how fast a recording is scored; "" for a live call."""
    return f"{view.speed:.1f} x real time" if isfinite(view.speed) else ""


def system_rows(view: View, width: int, rows: int) -> Block:
    """Draw labels and values, one a row; where there are few rows those that go together share one."""
    model, device = clean(view.model), clean(view.device)
    ring, lost = (
        piece(f"{view.ring_fill_s:.2f} s"),
        piece(words.lost(view.lost_s), palette.WARN if view.lost_s else None),
    )
    head = [
        _row("speed" if speed(view) else "latency", [piece(speed(view) or latency(view))], width),
        _row("buffer", [ring, piece("  "), lost], width),
    ]
    publisher = _row("publisher", [piece(clean(view.publisher) or "off")], width)
    health = max(1, len(view.health))
    if rows >= 5 + health:
        network = [_row("model", [piece(model)], width), _row("device", [piece(device)], width)]
    else:
        network = [_row("model", [piece(f"{model} on {device}")], width)]
    above = [*head, *network, publisher]
    return sized([*above, *_health(view, width, rows - len(above))], width, rows)


def _health(view: View, width: int, rows: int) -> Block:
    """Draw one condition a row; the last row counts those that do not fit."""
    lines = [clean(text) for text in view.health] or ["nothing to report"]
    shown = lines[: max(0, rows)]
    style = palette.WARN if view.health else None
    out = [_row("" if number else "health", [piece(text, style)], width) for number, text in enumerate(shown)]
    hidden = len(lines) - len(shown)
    if hidden and out:
        out[-1] = spread(out[-1], [piece(f"+{hidden}", palette.WARN)], width)
    return out


def system_line(view: View, width: int) -> Row:
    """Return the most telling of it in one row."""
    parts = [
        speed(view) or f"latency {latency(view)}",
        words.lost(view.lost_s),
        f"buffer {view.ring_fill_s:.2f} s",
        clean(view.publisher) or "not published",
        f"{clean(view.model)} on {clean(view.device)}",
    ]
    faults = [piece(f"{clean(view.health[0])}  ·  ", palette.WARN)] if view.health else []
    return choose([[*faults, piece("  ·  ".join(parts[:n]), palette.DIM)] for n in range(len(parts), 0, -1)], width)


def _row(label: str, value: Row, width: int) -> Row:
    return fit([piece(f"{label:<{LABEL_WIDTH}} ", palette.DIM), *value], width)
