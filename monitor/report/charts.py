"""Draws the pictures of a report as SVG. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from monitor.report.call_records import CallRecord, ChannelRecord, EvidenceFolder
from monitor.report.figure_words import clock

WIDTH, LEFT, RIGHT = 720.0, 46.0, 16.0
TOP, CURVE, GAP, STRIP, AXIS = 16.0, 92.0, 9.0, 9.0, 22.0
PICTURE = 150.0
FLAG = 48.0
"""Width of "alert 12"."""
STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


def ticks(first: float, last: float) -> list[float]:
    """Return at most nine round positions (s) on an axis from first to last."""
    step = next((s for s in STEPS_S if (last - first) / s <= 8), (last - first) / 8 or 1.0)
    start = int(first / step + 0.999)
    return [i * step for i in range(start, int(last / step + 1e-6) + 1)]


class _Axis:
    """Maps seconds to positions across the picture."""

    def __init__(self, first: float, last: float) -> None:
        self.first, self.last = first, max(last, first + 0.1)

    def x(self, seconds: float) -> float:
        share = (min(max(seconds, self.first), self.last) - self.first) / (self.last - self.first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def rect(self, start: float, end: float, y: float, height: float, kind: str) -> str:
        width = max(self.x(end) - self.x(start), 0.8)
        return f'<rect class="{kind}" x="{self.x(start)}" y="{y:g}" width="{width:.1f}" height="{height:g}"/>'

    def scale(self, y: float) -> Iterator[str]:
        tenths = self.last - self.first < 8
        for at in ticks(self.first, self.last):
            yield f'<line class="tick" x1="{self.x(at)}" x2="{self.x(at)}" y1="{y:g}" y2="{y + 4:g}"/>'
            yield f'<text class="axis" x="{self.x(at)}" y="{y + 15:g}">{clock(at, tenths=tenths)}</text>'


def _svg(height: float, label: str, parts: Sequence[str]) -> Markup:
    """Wrap parts, which are markup already, in an svg element."""
    opening = f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return Markup(opening + "".join(parts) + "</svg>")


def timeline(call: CallRecord, channel: ChannelRecord, alert_p: float | None) -> Markup:
    """Draw likelihood, speech, unknown states and alerts of a channel over the call. alert_p: the threshold."""
    axis, bottom = _Axis(0.0, call.last_s), TOP + CURVE
    parts = [axis.rect(0.0, call.last_s, TOP, CURVE, "paper")]
    parts += [axis.rect(start, end, TOP, CURVE, "unknown") for start, end in _unknown(channel, call.last_s)]
    alerts = list(channel.alerts.values())
    parts += [axis.rect(a.opened_s, _end(a.closed_s, call), TOP, CURVE, "alarm") for a in alerts]
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        parts.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<text class="axis end" x="{LEFT - 5:g}" y="{y + 3.5:g}">{share * 100:.0f} %</text>')
    if alert_p is not None:
        y = _y(alert_p)
        parts.append(f'<line class="limit" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:g}" y2="{y:g}"/>')
    for run in channel.curve.runs():
        points = " ".join(f"{axis.x(at)},{_y(value):.1f}" for at, value in run)
        shadow = f"{axis.x(run[0][0])},{bottom:g} {points} {axis.x(run[-1][0])},{bottom:g}"
        parts.append(f'<polygon class="under" points="{shadow}"/><polyline class="curve" points="{points}"/>')
    parts += _flags(axis, call, channel, bottom)
    parts.append(axis.rect(0.0, call.last_s, bottom + GAP, STRIP, "paper"))
    parts += [
        axis.rect(start, end, bottom + GAP, STRIP, "speech_stretches")
        for start, end in channel.curve.speech_stretches()
    ]
    parts += [axis.rect(start, start + length, bottom + GAP, STRIP, "hole") for start, length in _holes(call, channel)]
    parts.append(f'<text class="axis end" x="{LEFT - 5:g}" y="{bottom + GAP + STRIP - 1.5:g}">speech</text>')
    parts += axis.scale(bottom + GAP + STRIP)
    return _svg(bottom + GAP + STRIP + AXIS, f"Likelihood that {channel.name} is synthetic, over the call", parts)


def _flags(axis: _Axis, call: CallRecord, channel: ChannelRecord, bottom: float) -> Iterator[str]:
    """Draw where alerts open, numbered as in the page; a number without room is left out."""
    free = 0.0
    for number, alert in enumerate(call.alerts, 1):
        if alert.channel != channel.name:
            continue
        x = axis.x(alert.opened_s)
        yield f'<line class="opened" x1="{x}" x2="{x}" y1="{TOP - 2:g}" y2="{bottom:g}"/>'
        if (left := min(x + 3, WIDTH - FLAG)) >= free:
            yield f'<text class="flag" x="{left:g}" y="{TOP - 4:g}">alert {number}</text>'
            free = left + FLAG


def _y(share: float) -> float:
    return TOP + (1 - share) * CURVE


def _end(closed_s: float | None, call: CallRecord) -> float:
    return call.last_s if closed_s is None else closed_s


def _unknown(channel: ChannelRecord, last_s: float) -> Iterator[tuple[float, float]]:
    """Yield start and end (s) of the stretches whose state was unknown."""
    since: float | None = None
    for at, state, _ in channel.states:
        if state == "unknown":
            since = at if since is None else since
        elif since is not None:
            yield since, at
            since = None
    if since is not None:
        yield since, last_s


def _holes(call: CallRecord, channel: ChannelRecord) -> Iterator[tuple[float, float]]:
    for folder in call.evidence:
        for name, start, length, _ in folder.holes:
            if name == channel.name:
                yield start, length


def spectrogram(folder: EvidenceFolder, channel: str, marks: Sequence[tuple[float, str]]) -> Markup:
    """Draw a channel around an alert, with axes. marks: (seconds, word). Returns nothing where there is no picture."""
    picture = folder.pictures.get(channel)
    if picture is None:
        return Markup()
    axis = _Axis(picture.first_s, picture.last_s)
    data = base64.b64encode(picture.png).decode()
    parts = [
        f'<image href="data:image/png;base64,{data}" x="{LEFT:g}" y="{TOP:g}" width="{WIDTH - LEFT - RIGHT:g}" '
        f'height="{PICTURE:g}" preserveAspectRatio="none"/>'
    ]
    for khz in (0, 2, 4, 6, 8):
        y = TOP + PICTURE * (1 - khz / 8)
        parts.append(f'<text class="axis end" x="{LEFT - 5:g}" y="{y + 3.5:g}">{khz} kHz</text>')
        parts.append(f'<line class="tick" x1="{LEFT - 3:g}" x2="{LEFT:g}" y1="{y:g}" y2="{y:g}"/>')
    for at, word in marks:
        if axis.first <= at <= axis.last:
            x = axis.x(at)
            parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP - 2:g}" y2="{TOP + PICTURE:g}"/>')
            parts.append(f'<text class="flag" x="{x + 3:g}" y="{TOP - 4:g}">{escape(word)}</text>')
    parts += axis.scale(TOP + PICTURE)
    return _svg(TOP + PICTURE + AXIS, f"Spectrogram of {channel}", parts)
