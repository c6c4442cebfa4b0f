"""The parts of a channel's panel: big digits, facts, gauge, level, families and the two charts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rich.segment import Segment
from rich.style import Style

from monitor.dashboard import axes, digits, palette, widgets, words
from monitor.dashboard.canvas import Block, Row, choose, clean, fit, piece, sized, wrapped
from monitor.types import UNKNOWN_FAMILY, Reason, State
from monitor.views import ChannelView, View

GUTTER = 5
"""Cells for the values at the left of a chart."""
FACTS_WIDTH = 23
LARGE_WIDTH, SMALL_WIDTH = 32, 16
"""Cells of the widest likelihood in big digits, ">99%", and a gap."""
TITLED_ROWS = 5
"""Rows from which on a chart has a title."""
TIMED_ROWS = 4
"""Rows from which on the likelihood has times below it."""
TIMELINE_S = 30.0
"""A timeline looks back at least so far."""
COLUMN_S = 0.02
NO_FAMILY = "no known kind"
_NATS = ((", ", " nats"), (" (", ")"))
JUDGED = (State.SUSPICIOUS, State.ALERT)


@dataclass(frozen=True, slots=True)
class Parts:
    """A channel and what is needed to draw it; each part comes in the width and the rows that are asked for."""

    view: View
    channel: ChannelView
    colour: bool

    @property
    def past(self) -> bool:
        """Return whether the call has ended, so that of its spectrum and level nothing is left."""
        return self.view.finished and not len(self.channel.spectrogram)

    def badge(self) -> Segment:
        """Return the state as a word, reversed."""
        return piece(f" {self.channel.state.value.upper()} ", palette.BADGE[self.channel.state])

    def number(self, rows: int) -> Block:
        """Return the likelihood in big digits, of digits.LARGE_ROWS or digits.SMALL_ROWS."""
        text, style = words.percent(self.channel.p_fake), self.likelihood_style()
        large = rows == digits.LARGE_ROWS
        drawn = digits.large(text) if large else digits.small(text)
        return [fit([piece(line, style)], LARGE_WIDTH if large else SMALL_WIDTH) for line in drawn]

    def likelihood_style(self) -> Style:
        """Return the style of the likelihood, dim where it is no verdict."""
        channel, view = self.channel, self.view
        if math.isnan(channel.p_fake) or channel.state in (State.LISTENING, State.UNKNOWN):
            return palette.DIM
        if channel.state is State.UNDECIDED:
            return palette.STRONG[channel.state]
        return palette.STRONG[widgets.state_of(channel.p_fake, view.suspicious_p, view.alert_p)]

    def facts(self, width: int, rows: int) -> Block:
        """Return short lines, the most important first."""
        channel, since = self.channel, self.channel.alert_since_s
        evidence = self._evidence(width)
        lines = [
            [piece(words.speech(channel), palette.BOLD if channel.state is State.LISTENING else None)],
            *([] if self.past else [self._newest_block(width)]),
            evidence,
            [piece("alerts ", palette.DIM), piece(str(channel.alerts))],
            [piece(words.lost(channel.lost_s), palette.WARN if channel.lost_s else palette.DIM)],
        ]
        if since is not None:
            opened = [piece(f"alert since {words.clock(since)}", palette.STRONG[State.ALERT])]
            lines[2:4] = [opened, evidence]
        return sized([fit(line, width) for line in lines], width, rows)

    def _newest_block(self, width: int) -> Row:
        """Name the kind of the newest block, and the bandwidth of the speech once it is known; or what makes it hard
        to judge.
        """
        if self.channel.impairment:
            return choose([[piece("hard: ", palette.DIM), piece(self.channel.impairment, palette.WARN)]], width)
        channel, start = self.channel, piece("audio ", palette.DIM)
        heard = [[start, piece(channel.reason.value)]]
        if channel.reason is Reason.SPEECH and channel.bandwidth != "unknown":
            heard.insert(0, [start, piece(f"{channel.reason.value}, {channel.bandwidth}")])
        return choose(heard, width)

    def _evidence(self, width: int) -> Row:
        """Return the evidence as odds, and in nats where there is room."""
        start, llr = piece("evidence ", palette.DIM), self.channel.llr
        odds = piece(words.evidence(llr))
        if not math.isfinite(llr):
            return [start, odds]
        candidates = [[start, odds, piece(f"{lead}{llr:+.1f}{end}", palette.DIM)] for lead, end in _NATS]
        return choose([*candidates, [start, odds]], width)

    def gauge(self, width: int, rows: int, thin: bool = False) -> Block:
        """Return a bar, with the thresholds above it if there are two rows."""
        view, p = self.view, self.channel.p_fake
        bar = widgets.gauge(p, view.suspicious_p, view.alert_p, self.likelihood_style(), width, thin)
        return [widgets.scale(view.suspicious_p, view.alert_p, width), bar][-rows:]

    def fault(self, width: int, rows: int) -> Block:
        """Return why the input cannot be trusted."""
        lines = wrapped(f"! {clean(self.channel.fault)}", width, rows)
        return sized([fit([piece(line, palette.FAULT)], width) for line in lines], width, rows)

    def fault_rows(self, width: int) -> int:
        """Return the rows that the fault fills, at most 2."""
        return len(wrapped(f"! {clean(self.channel.fault)}", width, 2)) if self.channel.fault else 0

    def level(self, width: int) -> Row:
        """Draw the level meter with numbers."""
        channel = self.channel
        level, peak = words.level(channel.level_dbfs), words.level(channel.peak_dbfs)
        text = f" {level:>3} dBFS peak {peak:>3}"
        room = width - GUTTER - 1 - len(text)
        meter = widgets.meter(channel.level_dbfs, channel.peak_dbfs, room)
        return [piece("level ", palette.DIM), *fit(meter, room), piece(text)]

    def families(self, width: int, rows: int) -> Block:
        """Return one row of text, or a title with a row for each family; dim while there is nothing to explain."""
        items = [(clean(name), p) for name, p in self.channel.families]
        judged = self.channel.state in JUDGED
        if rows > 1:
            titles = ["most likely synthesis", "if synthetic"] if judged else ["if it were synthetic", "if synthetic"]
            if items and items[0][0] == UNKNOWN_FAMILY:
                none = words.percent(items.pop(0)[1])
                titles = [f"{titles[0]}, {none} none of these", f"{none} none of these"]
            title = choose([[piece(text, palette.DIM)] for text in titles], width)
            bars = widgets.families(items, judged, self.channel.state, width, rows - 1)
            return sized([title, *bars], width, rows)
        texts = [f"{NO_FAMILY if name == UNKNOWN_FAMILY else name} {words.percent(p)}" for name, p in items]
        start, style = piece("type ", palette.DIM), palette.PLAIN if judged else palette.DIM
        candidates = [[start, piece(" · ".join(texts[:n]), style)] for n in range(len(texts), 0, -1)]
        return [choose(candidates, width)][:rows]

    def timeline(self, width: int, rows: int) -> Block:
        """Draw the likelihood over time, with the thresholds at its left and the time below it. The right edge is the
        newest moment of the call, for each of its channels.
        """
        view, channel = self.view, self.channel
        titled, timed = rows >= TITLED_ROWS, rows >= TIMED_ROWS
        room, height = width - GUTTER, rows - titled - timed
        step_s = channel.timeline_step_s
        span_s = max(TIMELINE_S, view.elapsed_s) if self.past else TIMELINE_S
        step = max(1, math.ceil(span_s / step_s / room))
        before = math.ceil(view.elapsed_s / step_s - 1e-6)
        behind = 0 if math.isnan(channel.scored_s) else before - math.ceil(channel.scored_s / step_s - 1e-6)
        known = np.concatenate([channel.timeline, np.full(max(0, behind), np.nan, np.float32)])
        values = widgets.binned(known, before, step, room)
        chart = widgets.timeline(values, view.suspicious_p, view.alert_p, room, height)
        labels = self._scale_labels(height)
        out = [[labels.get(height - 1 - n, _gutter("")), *row] for n, row in enumerate(chart)]
        if timed:
            end_s = math.ceil(before / step) * step * step_s
            out.append([_gutter(""), *axes.time_axis(end_s, step * step_s, room)])
        title = "likelihood, the whole call" if self.past else f"likelihood, last {room * step * step_s:.0f} s"
        return [_title(title, width), *out] if titled else out

    def _scale_labels(self, height: int) -> dict[int, Segment]:
        """Draw probabilities at the left of the timeline, by row from below."""
        marks = ((self.view.suspicious_p, State.SUSPICIOUS), (self.view.alert_p, State.ALERT))
        labels = {height - 1: _gutter("100%"), 0: _gutter("0%")} if height > 2 else {}
        for p, state in marks:
            labels[min(int(p * height), height - 1)] = _gutter(f"{p * 100:.0f}%", palette.TONE[state])
        return labels

    def spectrogram(self, width: int, rows: int) -> Block:
        """Draw the spectrum over time, with its frequencies in kHz."""
        titled = rows >= TITLED_ROWS
        room, height = width - GUTTER, rows - titled
        labels = axes.kilohertz_labels(height)
        out = [[_gutter(labels.get(n, "")), *row] for n, row in enumerate(self.spectrum(room, height))]
        seconds = room * widgets.columns_a_cell(room) * COLUMN_S
        return [_title(f"spectrum, last {seconds:.0f} s", width, "kHz"), *out] if titled else out

    def spectrum(self, width: int, rows: int) -> Block:
        """Return the spectrogram alone."""
        before = round(self.view.elapsed_s / COLUMN_S)
        return widgets.spectrogram(self.channel.spectrogram, before, width, rows, self.colour)


def _gutter(text: str, style: Style = palette.DIM) -> Segment:
    return piece(f"{text:>{GUTTER - 1}} ", style)


def _title(name: str, width: int, unit: str = "") -> Row:
    """Name a chart, and the unit of the values at its left."""
    return fit([_gutter(unit), piece(name, palette.DIM)], width)
