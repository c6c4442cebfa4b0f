"""Snapshots of the calls for the page, as JSON values. Pure.

A probability is a number from 0 to 1 or null. A timeline holds whole percents, -1 where there was no evidence.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict

import numpy as np

from monitor.audio import Audio
from monitor.types import SAMPLE_RATE, Event
from monitor.views import CallRow, ChannelView, ServerStatus, View

MOST_ROWS = 300
MOST_EVENTS = 40
ROW_LOOKS_BACK_S = 60.0
NO_EVIDENCE = -1

Json = dict[str, object]


def table(status: ServerStatus) -> Json:
    """Return all calls, the worst MOST_ROWS of them in full."""
    whole = status.whole
    return {
        "calls": [_row(row) for row in status.rows[:MOST_ROWS]],
        "count": len(status.rows),
        "states": Counter(row.worst.state.value for row in status.rows),
        "max_calls": status.max_calls,
        "started": status.started,
        "ended": status.ended,
        "refused": status.refused,
        "taps": list(status.taps),
        "shards": [asdict(shard) for shard in status.shards],
        "alerts": whole.alerts,
        "suspicious_p": round(whole.suspicious_p, 4),
        "alert_p": round(whole.alert_p, 4),
        **_system(whole),
        "events": _events(whole),
    }


def lines(status: ServerStatus, calls: frozenset[str]) -> dict[str, Json]:
    """Return the recent likelihood of those calls that are wanted, by their names."""
    return {row.call: _line(row.worst, ROW_LOOKS_BACK_S) for row in status.rows[:MOST_ROWS] if row.call in calls}


def details(view: View) -> Json:
    """Return one call with its channels and all that is remembered of them."""
    return {
        "id": view.id,
        "call": view.call,
        "name": view.name or view.call,
        "origin": view.source,
        "elapsed_s": round(view.elapsed_s, 1),
        "lost_s": round(view.lost_s, 2),
        "channels": [_channel(channel) for channel in view.channels],
        "model": view.model,
        "device": view.device,
        "events": _events(view),
    }


def _row(row: CallRow) -> Json:
    channel = row.worst
    family, share = channel.families[0] if channel.families else ("", math.nan)
    return {
        "id": row.id,
        "call": row.call,
        "name": row.name or row.call,
        "origin": row.origin,
        "started": round(row.started, 1),
        "party": channel.name if row.channels > 1 else "",
        "elapsed_s": int(row.elapsed_s),
        "family": family,
        "family_p": _rounded(share, 2),
        **_verdict(channel),
    }


def _verdict(channel: ChannelView) -> Json:
    return {
        "state": channel.state.value,
        "p": _rounded(channel.p_fake, 4),
        "reason": channel.reason.value,
        "fault": channel.fault,
        "impairment": channel.impairment,
        "net_s": round(channel.net_speech_s, 1),
        "needed_s": channel.needed_speech_s,
        "lost_s": round(channel.lost_s, 2),
    }


def _channel(channel: ChannelView) -> Json:
    return {
        "name": channel.name,
        **_verdict(channel),
        "llr": _rounded(channel.llr, 2),
        "families": [[name, round(p, 2)] for name, p in channel.families],
        "level": _rounded(channel.level_dbfs, 1),
        "peak": _rounded(channel.peak_dbfs, 1),
        "bandwidth": channel.bandwidth,
        "alert_since_s": channel.alert_since_s,
        "alerts": channel.alerts,
        "line": _line(channel, math.inf),
    }


def _line(channel: ChannelView, looks_back_s: float) -> Json:
    step_s = channel.timeline_step_s
    newest = channel.timeline if math.isinf(looks_back_s) else channel.timeline[-round(looks_back_s / step_s) :]
    return {"step_s": step_s, "points": _percents(newest)}


def _percents(p_fake: Audio) -> list[int]:
    whole = np.where(np.isnan(p_fake), NO_EVIDENCE, np.rint(p_fake * 100))
    return [int(value) for value in whole.tolist()]


def _system(view: View) -> Json:
    return {
        "health": list(view.health),
        "latency_p50_ms": _rounded(view.latency_p50_ms, 1),
        "latency_p99_ms": _rounded(view.latency_p99_ms, 1),
        "lost_s": round(view.lost_s, 2),
        "model": view.model,
        "device": view.device,
        "publisher": view.publisher,
    }


def _events(view: View) -> list[Json]:
    """Return events, newest first."""
    return [_event(event) for event in reversed(view.events[-MOST_EVENTS:])]


def _event(event: Event) -> Json:
    said = {
        key: event.data[key] for key in ("state", "code", "detail", "why", "usable", "kind", "by") if key in event.data
    }
    p_fake = event.data.get("p_fake")
    return {
        "seq": event.seq,
        "type": event.type,
        "call": event.call,
        "channel": event.channel,
        "at_s": round(event.sample / SAMPLE_RATE, 1),
        "time": event.time,
        "p": _rounded(p_fake, 4) if isinstance(p_fake, float) else None,
        **said,
    }


def _rounded(value: float, digits: int) -> float | None:
    """Return None for what is no number, which JSON does not know."""
    return round(value, digits) if math.isfinite(value) else None
