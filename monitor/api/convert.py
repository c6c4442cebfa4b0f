"""From the calls that are kept to what the API says of them. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from math import inf, isfinite
from typing import Any

from monitor.api.models import (
    Alert,
    Call,
    CallDetails,
    Channel,
    Evidence,
    EvidenceAudio,
    Mark,
    MarksOfCall,
    Segment,
    Timeline,
)
from monitor.call_history.kept_call import CallMark, KeptAlert, KeptCall
from monitor.call_history.kept_channel import KeptChannel, KeptSegment
from monitor.events import wire
from monitor.limits.json_text import read_json
from monitor.scores import severity
from monitor.store.evidence_index import IndexedEvidence
from monitor.types import SAMPLE_RATE, Event


def rounded(value: float, digits: int) -> float | None:
    """Return None for what is no number."""
    return round(value, digits) if isfinite(value) else None


def _facts(call: KeptCall) -> dict[str, Any]:
    caller, callee = call.parties
    return {
        "id": call.id,
        "call": call.call,
        "name": call.name,
        "from": caller,
        "to": callee,
        "tap": call.tap,
        "address": call.address,
        "started": call.started or call.newest_time,
        "ended": call.ended,
        "duration_s": round(call.last_s, 2),
        "state": call.state,
        "outcome": call.outcome,
        "highest_llr": rounded(call.highest_llr, 3),
        "highest_p": rounded(call.highest_p, 4),
        "speech_s": round(call.speech_s, 2),
    }


def call_row(call: KeptCall) -> Call:
    """Return a call as it stands in the list."""
    marks = MarksOfCall(
        acknowledged=any(mark.kind == "acknowledged" for mark in call.marks),
        verdict=call.verdict,
        notes=sum(bool(mark.note) for mark in call.marks),
    )
    return Call.model_validate({**_facts(call), "alerts": call.alert_count, "marks": marks})


def call_details(call: KeptCall, evidence: Sequence[Evidence]) -> CallDetails:
    """Return a call with all that is kept of it."""
    return CallDetails.model_validate(
        {
            **_facts(call),
            "details": dict(call.details),
            "provenance": call.provenance,
            "epoch": call.epoch,
            "model": call.model,
            "why": call.why,
            "lost_s": round(call.lost_s, 2),
            "channels": [_channel(channel) for channel in call.channels.values()],
            "segments": [_segment(*found) for found in call.segments()],
            "alerts": [_alert(call, alert) for alert in call.alerts.values()],
            "marks": [mark_of(mark) for mark in call.marks],
            "evidence": list(evidence),
        }
    )


def _channel(channel: KeptChannel) -> Channel:
    return Channel(
        channel=channel.name,
        state=channel.state,
        net_speech_s=round(channel.net_speech_s, 2),
        p_fake=rounded(channel.p_fake, 4),
        llr=rounded(channel.llr, 3),
        highest_llr=rounded(channel.highest_llr, 3),
        families=dict(channel.families),
    )


def _segment(channel: str, segment: KeptSegment, end_s: float) -> Segment:
    return Segment(
        channel=channel,
        start_s=round(segment.start_s, 2),
        end_s=round(end_s, 2),
        state=segment.state,
        p_fake=rounded(segment.p_fake, 4),
        llr=rounded(segment.llr, 3),
        reason=segment.reason,
    )


def _alert(call: KeptCall, alert: KeptAlert) -> Alert:
    verdicts = [m.kind for m in call.marks if m.kind in ("false_alarm", "confirmed") and m.alert in (None, alert.id)]
    return Alert(
        id=alert.id,
        channel=alert.channel,
        opened_s=round(alert.opened_s, 2),
        closed_s=None if alert.closed_s is None else round(alert.closed_s, 2),
        time=alert.time,
        peak_llr=rounded(alert.peak_llr, 3),
        p_fake=rounded(alert.p_fake, 4),
        reason=alert.why,
        verdict=verdicts[-1] if verdicts else None,
    )


def mark_of(mark: CallMark) -> Mark:
    """Return a mark as the API says it."""
    return Mark(id=mark.id, kind=mark.kind, alert=mark.alert, note=mark.note, by=mark.by, key=mark.key, time=mark.time)


def evidence_of(found: IndexedEvidence) -> Evidence:
    """Return a folder of evidence as the API says it."""
    return Evidence(
        id=found.id,
        kind="alert" if found.alert else "call",
        alert=found.alert or None,
        channel=found.channel or None,
        time=found.time,
        audio=[
            EvidenceAudio(
                channel=audio.channel,
                start_s=round(audio.start / SAMPLE_RATE, 3),
                end_s=round((audio.start + audio.samples) / SAMPLE_RATE, 3),
                missing_s=round(audio.missing / SAMPLE_RATE, 3),
                spectrogram=bool(audio.picture),
            )
            for audio in found.audio
        ],
    )


def timeline(channel: KeptChannel) -> Timeline:
    """Return the likelihood over the call."""
    line = channel.timeline
    return Timeline(
        channel=channel.name,
        step_s=line.step_s,
        start_s=0.0,
        p_fake=[rounded(p, 4) for p in line.p_fake],
        llr=[rounded(llr, 3) for llr in line.llr],
    )


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event as one flat object, as on every other way."""
    found: dict[str, Any] = read_json(wire.encode(event))
    return found


Key = Callable[[KeptCall], Any]


def _highest(call: KeptCall) -> float:
    return call.highest_llr if isfinite(call.highest_llr) else -inf


SORTS: dict[str, Key] = {
    "started": lambda call: call.started,
    "ended": lambda call: call.ended or "~",
    "name": lambda call: call.name.casefold(),
    "outcome": lambda call: severity(call.outcome),
    "worst": lambda call: (severity(call.outcome), _highest(call)),
    "highest_llr": _highest,
    "speech_s": lambda call: call.speech_s,
    "duration_s": lambda call: call.last_s,
    "alerts": lambda call: call.alert_count,
}
"""Sort keys by the word of the query; a "-" before it turns the order round. A running call ends after all others."""


def in_order(calls: Iterable[KeptCall], sort: str) -> list[KeptCall]:
    """Return the calls in an order in which equals stand by their ids."""
    key = SORTS[sort.removeprefix("-")]
    by_id = sorted(calls, key=lambda call: call.id)
    return sorted(by_id, key=key, reverse=sort.startswith("-"))


def holds_text(call: KeptCall, text: str) -> bool:
    """Return whether a call has a text in its names, address, details or notes, in letters of any case."""
    notes = (f"{mark.note} {mark.by}" for mark in call.marks)
    places = (call.name, call.call, call.tap, call.address, *call.details.values(), *call.channels, *notes)
    wanted = text.casefold()
    return any(wanted in place.casefold() for place in places)


def cursor_of(call: KeptCall) -> str:
    """Return the text that names the place after a call."""
    return base64.urlsafe_b64encode(call.id.encode()).decode().rstrip("=")


def after_cursor(calls: Sequence[KeptCall], cursor: str) -> Sequence[KeptCall]:
    """Return the calls behind a cursor. Raises ValueError for one that names no call that is kept."""
    try:
        identity = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise ValueError("no cursor") from error
    for place, call in enumerate(calls):
        if call.id == identity:
            return calls[place + 1 :]
    raise ValueError("no such place")
