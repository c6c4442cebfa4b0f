"""The page: one file of HTML that needs no script and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from model.config import SAMPLE_RATE
from monitor.engine.evidence import posterior
from monitor.report.charts import clock, spectrogram, timeline
from monitor.report.collect import Source
from monitor.report.history import Alert, Call, Story, figure
from monitor.report.parts import facts, moment, span, table
from monitor.report.words import CAUTION, CSS, HOW_TO_READ, family, odds, share

MOST_CALLS = 50
"""Calls that are told at length, the gravest first; the index names all."""


def page(story: Story, sources: Sequence[Source], made: str) -> str:
    """made: when and by what, in words."""
    calls = sorted(story.calls.values(), key=_gravity)
    shown = calls[:MOST_CALLS]
    title = calls[0].name if len(calls) == 1 else f"{len(calls)} calls"
    body = [_header(title, calls, made), f'<div class="note">{CAUTION}</div>']
    if len(calls) > 1:
        body.append(_index(calls, len(shown)))
    body += [_call(call, number, single=len(calls) == 1) for number, call in enumerate(shown, 1)]
    body += [_verification(sources), _reading(made)]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - speech report</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<style>{CSS}</style></head>\n<body>{''.join(body)}</body></html>\n"
    )


def _gravity(call: Call) -> tuple[int, float, str]:
    return -len(call.alerts), -max((c.gravest_p for c in call.channels.values()), default=0.0), call.name


def _header(title: str, calls: Sequence[Call], made: str) -> str:
    first = min((call.first_time for call in calls if call.first_time), default="")
    when = f"heard from {moment(first)}; " if first else ""
    kicker = f'<p class="kicker">Synthetic speech report{" on the call" if len(calls) == 1 else ""}</p>'
    return f'<header>{kicker}<h1>{escape(title)}</h1><p class="quiet">{when}{escape(made)}</p></header>'


def _index(calls: Sequence[Call], shown: int) -> str:
    rows = []
    for number, call in enumerate(calls, 1):
        name = escape(call.name)
        link = f'<a href="#call-{number}">{name}</a>' if number <= shown else name
        highest = max((c.gravest_p for c in call.channels.values()), default=0.0)
        rows.append(
            [link, moment(call.first_time), clock(call.last_s, tenths=False), share(highest), str(len(call.alerts))]
        )
    left = f'<p class="quiet">The {shown} gravest are told below; --call NAME tells another one.</p>'
    head = ["call", "began", "length", "highest p_fake", "alerts"]
    return f"<section><h3>Calls</h3>{table(head, rows, (2, 3, 4))}{left if shown < len(calls) else ''}</section>"


def _call(call: Call, number: int, *, single: bool) -> str:
    heading = "" if single else f"<h2>{escape(call.name)}</h2>"
    parts = [heading, _verdict(call), _about(call), "<h3>Each side of the call</h3>", _sides(call), _timelines(call)]
    parts += [_alert(call, alert, n) for n, alert in enumerate(call.alerts, 1)]
    parts.append(_health(call))
    return f'<section id="call-{number}"{" class=first" if single else ""}>{"".join(parts)}</section>'


def _verdict(call: Call) -> str:
    alerts = call.alerts
    if not alerts:
        judged = any(figure(c.last.get("net_speech_s")) > 0 for c in call.channels.values())
        text = "No alert was raised." if judged else "No alert was raised; there was no speech to judge."
        return f'<p class="verdict">{text} That does not prove the voices real.</p>'
    sides = ", ".join(escape(name) for name in dict.fromkeys(a.channel for a in alerts))
    peak = max(figure(a.data.get("peak_llr")) for a in alerts)
    count = "1 alert was" if len(alerts) == 1 else f"{len(alerts)} alerts were"
    times = ", ".join(span(a) for a in alerts[:6]) + (" ..." if len(alerts) > 6 else "")
    return (
        f'<div class="verdict alarm"><b>{count} raised on {sides}</b>, at {times}. At its highest the evidence was '
        f"{odds(peak)}, by the detector's own calibration (llr {peak:+.1f}).</div>"
    )


def _about(call: Call) -> str:
    started, ended = call.started, call.ended
    data: Mapping[str, Any] = started.data if started else {}
    details = data.get("details")
    versions = next((k.manifest.get("versions") for k in call.kept), None)
    program = ""
    if isinstance(versions, Mapping):
        own = f"deepfake-speech-monitor {versions.get('deepfake-speech-monitor', '?')}"
        others = ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy", "python") if name in versions)
        program = escape(f"{own} ({others})")
    lost = figure(ended.data.get("lost_s")) if ended else 0.0
    return facts(
        {
            "Source": escape(str(data.get("source", ""))),
            "Details": escape(", ".join(f"{k}: {v}" for k, v in details.items())) if isinstance(details, dict) else "",
            "Began": moment(started.time) if started else "before this record",
            "Length": clock(call.last_s) + (f", ended: {escape(str(ended.data.get('why', '')))}" if ended else ""),
            "Record": "" if ended else "ends before the call does",
            "Lost audio": f"{lost:.1f} s" if ended else "",
            "Prior": share(figure(data["prior"])) if "prior" in data else "",
            "Model": f"<code>{escape(call.model)}</code>" if call.model else "",
            "Program": program or "not recorded in a journal; keep evidence to have it here",
            "Run": f"<code>{escape(call.epoch)}</code>" if call.epoch else "",
        }
    )


def _sides(call: Call) -> str:
    whole = call.ended is not None
    rows = []
    for channel in call.channels.values():
        last = channel.last
        net, llr = figure(last.get("net_speech_s")), figure(last.get("llr"))
        judged = net > 0
        rows.append(
            [
                escape(channel.name),
                f"{net:.1f} s",
                share(figure(last.get("p_fake"))) if judged else "-",
                f"{llr:+.1f}" if judged else "-",
                share(channel.gravest_p) if channel.gravest_p else "-",
                str(len(channel.alerts)),
                escape(str(last.get("state", "-"))),
            ]
        )
    over = "whole call" if whole else "at the end"
    head = ["side", "net speech", f"p_fake, {over}", f"llr, {over}", "highest p_fake", "alerts", "last state"]
    return table(head, rows, (1, 2, 3, 4, 5))


def _threshold(call: Call) -> float | None:
    """p_fake at which an alert opens, where evidence holds the settings."""
    for kept in call.kept:
        llr, prior = kept.settings.get("alerts.alert_llr"), kept.settings.get("evidence.prior")
        if isinstance(llr, int | float) and isinstance(prior, int | float) and 0 < prior < 1:
            import numpy as np

            return float(posterior(np.array([float(llr)]), float(prior))[0])
    return None


def _timelines(call: Call) -> str:
    threshold = _threshold(call)
    figures = []
    for channel in call.channels.values():
        figures.append(f"<figure><h4>{escape(channel.name)}</h4>{timeline(call, channel, threshold)}</figure>")
    limit = " Dashed: where an alert opens." if threshold is not None else ""
    lost = " Orange: lost or missing audio." if any(k.holes for k in call.kept) else ""
    key = (
        f"Blue: p_fake of the recent speech, the highest of each step.{limit} Red: an alert is open. Grey field: no "
        f"verdict. Grey bar below: speech.{lost} Time since the call began."
    )
    return f'<h3>Over the call</h3><p class="quiet">{key}</p>{"".join(figures)}'


def _alert(call: Call, alert: Alert, number: int) -> str:
    opened, data = alert.opened, alert.data
    llr, peak = figure(opened.get("llr")), figure(data.get("peak_llr"))
    said = {
        "From": clock(alert.opened_s) + (f" into the call ({moment(alert.time)})" if alert.time else ""),
        "To": _closed(alert),
        "When it opened": f"p_fake {share(figure(opened.get('p_fake')))}, llr {llr:+.1f}: {odds(llr)}",
        "At its peak": f"llr {peak:+.1f}: {odds(peak)}",
        "Speech heard": f"{figure(opened.get('net_speech_s')):.1f} s before it opened",
        "Resembles most": escape(family(opened.get("families"))),
        "Why it opened": escape(str(opened.get("why", ""))),
        "Evidence": _of_evidence(alert),
    }
    first, *more = [*_pictures(call, alert), ""]
    head = f"<h3>Alert {number}: {escape(alert.channel)}, {span(alert)}</h3>{facts(said)}"
    return f"<div class=whole>{head}{first}</div>{''.join(more)}"


def _closed(alert: Alert) -> str:
    if alert.closed_s is None:
        return "not closed in this record"
    return f"{clock(alert.closed_s)}: {escape(str(alert.data.get('why', '')))}"


def _of_evidence(alert: Alert) -> str:
    if alert.kept is None:
        return "none was given to this report"
    state = (
        f'<span class="bad">{escape(alert.kept.difference)}</span>'
        if alert.kept.difference
        else f"verified, {alert.kept.seal}"
    )
    return f"<code>{escape(alert.kept.name)}</code> ({state})"


def _pictures(call: Call, alert: Alert) -> Iterator[str]:
    if alert.kept is None:
        return
    marks = [(alert.opened_s, "alert")] + ([(alert.closed_s, "closed")] if alert.closed_s is not None else [])
    names = sorted(call.channels, key=lambda name: name != alert.channel)
    for name in names:
        if picture := spectrogram(alert.kept, name, marks if name == alert.channel else []):
            what = "the side of the alert" if name == alert.channel else "the other side at that time"
            caption = f"Spectrogram of {escape(name)}, {what}. Bright is loud."
            yield f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _health(call: Call) -> str:
    rows = [
        [
            clock(e.sample / SAMPLE_RATE),
            escape(e.channel or "all"),
            escape(str(e.data.get("code"))),
            escape(str(e.data.get("detail"))) + ("" if e.data.get("usable") else " (no verdict until it recovered)"),
        ]
        for e in call.health[:200]
    ]
    rows += [
        [clock(start), escape(name), f"{escape(why)} audio", f"{length:.2f} s without audio; silence in the file"]
        for kept in call.kept
        for name, start, length, why in kept.holes[:100]
    ]
    if not rows:
        return "<h3>Losses and health</h3><p>Nothing was reported: no fault of the input, no lost audio.</p>"
    return f"<h3>Losses and health</h3>{table(['at', 'side', 'what', 'detail'], rows)}"


def _verification(sources: Sequence[Source]) -> str:
    rows = []
    for source in sources:
        mark = escape(source.result) if source.sound else f'<span class="bad">{escape(source.result)}</span>'
        more = f"; {source.skipped} lines are no events" if source.skipped else ""
        rows.append([f"<code>{escape(source.path)}</code>", source.kind, mark + more])
    files = table(["file", "kind", "verification"], rows)
    return f"<section class=whole><h3>What this rests on</h3>{files}</section>"


def _reading(made: str) -> str:
    """The footer in it, or it might stand alone on the last sheet."""
    footer = f'<footer class="quiet">{escape(made)}</footer>'
    return f"<section class=whole><h3>How to read it</h3>{facts(dict(HOW_TO_READ))}{footer}</section>"
