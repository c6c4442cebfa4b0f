"""The list of alerts, newest first; an alert that is updated keeps its one row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from rich.style import Style

from monitor.dashboard import palette, words
from monitor.dashboard.canvas import Block, Row, cells, clean, fit, piece, squeezed
from monitor.types import Event, State

WIDE = 56
"""Cells from which on rows need no abbreviation."""
_STYLES = {"alert.opened": palette.STRONG[State.ALERT], "alert.updated": palette.TONE[State.ALERT]}


def alert_rows(events: Sequence[Event], width: int, rows: int, calls: Mapping[str, str] | None = None) -> Block:
    """List alerts, the newest first; other events are shown where alerts leave room.

    calls: of several calls the names that people read, by those in events; each call has an audio time of its own, so
    that the time of day is given.
    """
    if rows < 1:
        return []
    newest = list(_merged(events))
    alerts = [number for number, event in enumerate(newest) if event.type.startswith("alert.")]
    others = [number for number, event in enumerate(newest) if not event.type.startswith("alert.")]
    shown = sorted((alerts + others)[: rows if alerts else rows - 1])
    out = [_row(newest[number], width, calls) for number in shown]
    return out if alerts else [fit([piece("no alert so far", palette.DIM)], width), *out]


def _merged(events: Sequence[Event]) -> Iterable[Event]:
    """Return events newest first, without scores, and with only the newest update of each alert."""
    seen: set[tuple[str, object]] = set()
    for event in reversed(events):
        if event.type == "score":
            continue
        if event.type == "alert.updated":
            key = (event.call, event.data.get("alert"))
            if key in seen:
                continue
            seen.add(key)
        yield event


def _row(event: Event, width: int, calls: Mapping[str, str] | None) -> Row:
    wide = width >= WIDE
    kind = event.type.partition(".")[0]
    what = f"{event.type.replace('.', ' ') if kind in ('alert', 'call') else kind} "
    if wide or kind == "alert":
        what = f"{what:<14}"
    elif kind == "state":
        what = ""
    alone = calls is None
    call = "" if calls is None else calls.get(event.call, event.call)
    who = " ".join(part for part in (call, event.channel) if part)
    time = piece(f"{words.event_time(event) if alone else words.local_time(event):>7} ", palette.DIM)
    head, detail = [time, piece(what, _style(event))], _detail(event, wide and alone)
    room = max(8, width - cells(head) - cells(detail) - 1) if kind == "alert" else 24 if wide else 12
    name = f"{squeezed(clean(who), room)} " if who else ""
    return fit([*head, piece(name), *detail], width)


def _style(event: Event) -> Style:
    """Return whether a closed alert is good news; one that closes because the call ended is not."""
    if event.type == "alert.closed":
        return palette.TONE.get(_state(event), palette.DIM)
    return _STYLES.get(event.type, palette.DIM)


def _state(event: Event) -> State:
    state = event.data.get("state")
    return State(str(state)) if state in set(State) else State.CLEAR


def _detail(event: Event, wide: bool) -> Row:
    """Summarise the data of an event in a few words."""
    data = event.data
    if event.type.startswith("alert."):
        p, duration = words.data_number(event, "p_fake"), words.data_number(event, "duration_s")
        timed = event.type != "alert.opened" and not math.isnan(duration)
        after = f" {'after ' if wide else '+'}{duration:.0f} s" if timed else ""
        return [piece(f"{'likelihood ' * wide}{words.percent(p)}{after}")]
    if event.type.startswith("state"):
        return [piece(f"{data.get('from', '?')} → {data.get('state', '?')}", palette.DIM)]
    if event.type == "health":
        style = palette.DIM if data.get("usable", True) else palette.FAULT
        return [piece(clean(f"{data.get('code', '')}: {data.get('detail', '')}"), style)]
    return [piece(clean(str(data.get("why", ""))), palette.DIM)]
