"""The page: one file of HTML that needs no script and nothing from elsewhere.

The templates decide what it says. Jinja2 escapes every value, since names come from callers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from model.config import SAMPLE_RATE
from monitor.engine.evidence import posterior
from monitor.report.charts import spectrogram, timeline
from monitor.report.collect import Source
from monitor.report.history import Alert, Call, Channel, Story, figure
from monitor.report.words import clock, family, moment, odds, share, span

MOST_CALLS = 50
"""Calls that are told at length, the gravest first; the index names all."""
MOST_HEALTH = 200
MOST_HOLES = 100


def page(story: Story, sources: Sequence[Source], made: str) -> str:
    """made: when and by what, in words."""
    calls = sorted(story.calls.values(), key=lambda call: (-len(call.alerts), -call.gravest_p, call.name))
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
    for text in (clock, family, figure, moment, odds, share, span):
        made.filters[text.__name__] = text
    made.filters |= {"health": _health, "program": _program, "side": _side, "threshold": _threshold}
    made.globals |= {"side_columns": _side_columns, "spectrograms": _spectrograms, "timeline": timeline}
    return made


def _program(call: Call) -> str:
    versions = next((k.manifest.get("versions") for k in call.kept), None)
    if not isinstance(versions, Mapping):
        return "not recorded in a journal; keep evidence to have it here"
    others = ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy", "python") if name in versions)
    return f"deepfake-speech-monitor {versions.get('deepfake-speech-monitor', '?')} ({others})"


def _side_columns(call: Call) -> list[str]:
    over = "whole call" if call.ended else "at the end"
    return ["side", "net speech", f"p_fake, {over}", f"llr, {over}", "highest p_fake", "alerts", "last state"]


def _side(channel: Channel) -> list[str]:
    last = channel.last
    net, llr = figure(last.get("net_speech_s")), figure(last.get("llr"))
    return [
        channel.name,
        f"{net:.1f} s",
        share(figure(last.get("p_fake"))) if net > 0 else "-",
        f"{llr:+.1f}" if net > 0 else "-",
        share(channel.gravest_p) if channel.gravest_p else "-",
        str(len(channel.alerts)),
        str(last.get("state", "-")),
    ]


def _threshold(call: Call) -> float | None:
    """p_fake at which an alert opens, where evidence holds the settings."""
    for kept in call.kept:
        llr, prior = kept.settings.get("alerts.alert_llr"), kept.settings.get("evidence.prior")
        if isinstance(llr, int | float) and isinstance(prior, int | float) and 0 < prior < 1:
            import numpy as np

            return float(posterior(np.array([float(llr)]), float(prior))[0])
    return None


def _spectrograms(call: Call, alert: Alert) -> Iterator[tuple[str, Markup]]:
    """Names and pictures of the sides of the call, the side of the alert first."""
    if alert.kept is None:
        return
    marks = [(alert.opened_s, "alert")] + ([(alert.closed_s, "closed")] if alert.closed_s is not None else [])
    for name in sorted(call.channels, key=lambda name: name != alert.channel):
        if picture := spectrogram(alert.kept, name, marks if name == alert.channel else []):
            yield name, picture


def _health(call: Call) -> list[list[str]]:
    rows = []
    for event in call.health[:MOST_HEALTH]:
        unusable = "" if event.data.get("usable") else " (no verdict until it recovered)"
        what, detail = str(event.data.get("code")), str(event.data.get("detail"))
        rows.append([clock(event.sample / SAMPLE_RATE), event.channel or "all", what, detail + unusable])
    rows += [
        [clock(start), name, f"{why} audio", f"{length:.2f} s without audio; silence in the file"]
        for kept in call.kept
        for name, start, length, why in kept.holes[:MOST_HOLES]
    ]
    return rows
