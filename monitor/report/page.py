"""Renders the page: one file of HTML that needs no script and nothing from elsewhere.

The templates decide what it says. Jinja2 escapes every value, since names come from callers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from model.config import SAMPLE_RATE
from monitor.advice import AT_AN_ALERT
from monitor.engine.evidence import posterior
from monitor.report.call_records import AlertRecord, CallRecord, CallRecords, ChannelRecord, number
from monitor.report.charts import spectrogram, timeline
from monitor.report.collect import VerifiedSource
from monitor.report.figure_words import clock, family, moment, odds, readable_name, share, span
from monitor.report.rules import explained, rules
from monitor.report.segment_table import MOST_ROWS, segments

MOST_CALLS = 50
"""Calls that are shown at length, the most suspicious first; the index names all."""
MOST_HEALTH = 200
MOST_HOLES = 100


def page(records: CallRecords, sources: Sequence[VerifiedSource], made: str) -> str:
    """Render the page. made: when and by what it was made."""
    calls = sorted(records.calls.values(), key=lambda call: (-len(call.alerts), -call.highest_p, call.name))
    first = min((call.first_time for call in calls if call.first_time), default="")
    shown = min(len(calls), MOST_CALLS)
    template = _environment().get_template("page.html")
    return template.render(calls=calls, shown=shown, sources=sources, first_time=first, made=made) + "\n"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("monitor.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for text in (clock, family, moment, number, odds, readable_name, share, span):
        made.filters[text.__name__] = text
    made.filters |= {"health": _health, "marks": _marks, "program": _program, "side": _side, "threshold": _threshold}
    made.filters |= {"explained": explained, "known_settings": _settings, "rules": rules, "segments": segments}
    made.globals |= {"side_columns": _side_columns, "spectrograms": _spectrograms, "timeline": timeline}
    made.globals |= {"advice": AT_AN_ALERT, "clips": _clips, "most_segments": MOST_ROWS}
    return made


def _program(call: CallRecord) -> str:
    versions = next((k.manifest.get("versions") for k in call.evidence), None)
    if not isinstance(versions, Mapping):
        return "not recorded in a journal; keep evidence to have it here"
    others = ", ".join(
        f"{name} {versions[name]}" for name in ("onnxruntime", "torch", "numpy", "python") if name in versions
    )
    return f"deepfake-speech-monitor {versions.get('deepfake-speech-monitor', '?')} ({others})"


def _marks(call: CallRecord) -> list[str]:
    """Return what the recording carries about its own origin, a line each."""
    found = call.started.data.get("provenance") if call.started else None
    return [
        str(mark.get("detail", "")) for mark in (found if isinstance(found, list) else ()) if isinstance(mark, dict)
    ]


def _side_columns(call: CallRecord) -> list[str]:
    over = "whole call" if call.ended else "at the end"
    return ["side", "net speech", f"p_fake, {over}", f"llr, {over}", "highest p_fake", "alerts", "last state"]


def _side(channel: ChannelRecord) -> list[str]:
    last = channel.last
    net, llr = number(last.get("net_speech_s")), number(last.get("llr"))
    return [
        channel.name,
        f"{net:.1f} s",
        share(number(last.get("p_fake"))) if net > 0 else "-",
        f"{llr:+.1f}" if net > 0 else "-",
        share(channel.highest_p) if channel.highest_p else "-",
        str(len(channel.alerts)),
        str(last.get("state", "-")),
    ]


def _settings(call: CallRecord) -> Mapping[str, Any]:
    """Return the settings of the run, which evidence holds and a journal does not."""
    return next((folder.settings for folder in call.evidence if folder.settings), {})


def _clips(call: CallRecord, alert: AlertRecord) -> Iterator[tuple[str, float, Markup]]:
    """Yield name, first second and player of the audio of each channel, the channel of the alert first."""
    if alert.evidence is None:
        return
    for name in sorted(call.channels, key=lambda name: name != alert.channel):
        if name in alert.evidence.clips:
            data, first_s = alert.evidence.clips[name]
            text = base64.b64encode(data).decode()
            yield name, first_s, Markup(f'<audio controls preload="none" src="data:audio/flac;base64,{text}"></audio>')


def _threshold(call: CallRecord) -> float | None:
    """Return the p_fake at which an alert opens, if evidence holds the settings."""
    for folder in call.evidence:
        llr, prior = folder.settings.get("alerts.alert_llr"), folder.settings.get("evidence.prior")
        if isinstance(llr, int | float) and isinstance(prior, int | float) and 0 < prior < 1:
            import numpy as np

            return float(posterior(np.array([float(llr)]), float(prior))[0])
    return None


def _spectrograms(call: CallRecord, alert: AlertRecord) -> Iterator[tuple[str, Markup]]:
    """Yield names and pictures of the channels, the channel of the alert first."""
    if alert.evidence is None:
        return
    marks = [(alert.opened_s, "alert")] + ([(alert.closed_s, "closed")] if alert.closed_s is not None else [])
    for name in sorted(call.channels, key=lambda name: name != alert.channel):
        if picture := spectrogram(alert.evidence, name, marks if name == alert.channel else []):
            yield name, picture


def _health(call: CallRecord) -> list[list[str]]:
    rows = []
    for event in [event for event in call.health if event.data.get("code") != "provenance"][:MOST_HEALTH]:
        unusable = "" if event.data.get("usable") else " (no verdict until it recovered)"
        what, detail = str(event.data.get("code")), str(event.data.get("detail"))
        rows.append([clock(event.sample / SAMPLE_RATE), event.channel or "all", what, detail + unusable])
    rows += [
        [clock(start), name, f"{why} audio", f"{length:.2f} s without audio; silence in the file"]
        for folder in call.evidence
        for name, start, length, why in folder.holes[:MOST_HOLES]
    ]
    return rows
