"""Writes figures and times as words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import exp
from typing import Any

from monitor.call_names import call_name
from monitor.report.call_records import AlertRecord, CallRecord, number
from monitor.types import UNKNOWN_FAMILY


def readable_name(call: CallRecord) -> str:
    """Return the name of a call for people: of a live one its parties, or tap, number and time, else that in events."""
    if call.started is None or not isinstance(details := call.started.data.get("details"), Mapping) or not details:
        return call.name
    try:
        begun = datetime.fromisoformat(call.started.time).astimezone()
    except ValueError:
        return call.name
    known = {str(key): str(value) for key, value in details.items()}
    return call_name(str(call.started.data.get("source", "")), known, begun, call.name)


def share(p: float) -> str:
    """Write a probability, never as certainty."""
    return "below 1 %" if p < 0.01 else "above 99 %" if p > 0.99 else f"{p:.0%}".replace("%", " %")


def odds(llr: float) -> str:
    """Explain a log-likelihood ratio (nats)."""
    if abs(llr) < 0.7:
        return "hardly speaks either way"
    ratio = _rounded(exp(min(abs(llr), 20.0)))
    return f"about {ratio:,} to 1 for {'synthetic' if llr > 0 else 'real'} speech".replace(",", " ")


def _rounded(value: float) -> int:
    """Round to two digits: more would be a claim."""
    size = 10 ** max(0, len(str(int(value))) - 2)
    return int(round(value / size) * size)


def family(families: Mapping[str, Any] | object) -> str:
    """Name the most likely kind of synthesis and its probability among the kinds."""
    if not isinstance(families, Mapping) or not families:
        return "-"
    name, p = max(families.items(), key=lambda item: number(item[1]))
    if name == UNKNOWN_FAMILY:
        return f"none of the kinds it knows ({share(number(p))})"
    return f"{name} ({share(number(p))} among the kinds it knows)"


def moment(time: str) -> str:
    """Write an ISO 8601 time in UTC as 2026-01-31 12:00:00 UTC, with the local time beside it where that differs; other
    text stays as it is.
    """
    try:
        there = datetime.fromisoformat(time)
    except ValueError:
        return time
    here = there.astimezone()
    utc = f"{time[:10]} {time[11:19]} UTC"
    if there.tzinfo is None or here.utcoffset() == there.utcoffset():
        return utc
    day = "" if here.date() == there.date() else f"{here:%Y-%m-%d} "
    offset = here.strftime("%z")
    return f"{utc} ({day}{here:%H:%M:%S}, UTC{offset[:3]}:{offset[3:5]})"


def clock(seconds: float, *, tenths: bool = True) -> str:
    """Write seconds as 1:05.3, or as 1:02:05.3 from an hour on."""
    whole = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(whole, 600)
    last = f"{rest // 10:02d}.{rest % 10}" if tenths else f"{rest // 10:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{last}" if minutes >= 60 else f"{minutes}:{last}"


def span(alert: AlertRecord) -> str:
    """Write when an alert was open, in the time of the call."""
    if alert.closed_s is None:
        return f"{clock(alert.opened_s)} (open when the record ends)"
    return f"{clock(alert.opened_s)} to {clock(alert.closed_s)}"
