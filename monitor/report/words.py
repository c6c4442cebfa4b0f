"""What a report says in words, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Any

from monitor.report.history import figure

CSS = """
:root { --ink: #1d2126; --quiet: #5b636d; --line: #d9dde2; --alarm: #b3261e; --curve: #1f4e79; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink); background: #fff;
  max-width: 56rem; margin: 2.2rem auto; padding: 0 1.2rem; overflow-wrap: break-word; }
header { border-bottom: 2.5px solid var(--ink); padding-bottom: .5rem; margin-bottom: 1rem; }
header p { margin: 0; } .kicker { font-size: .8em; letter-spacing: .08em;
  text-transform: uppercase; color: var(--quiet); }
h1 { font-size: 1.65rem; line-height: 1.2; margin: .1rem 0 .2rem; }
h2 { font-size: 1.35rem; margin: 2.4rem 0 .6rem; border-bottom: 1.5px solid var(--ink); padding-bottom: .15rem; }
h3 { font-size: 1.05rem; margin: 1.7rem 0 .3rem; } h4 { font-size: .95rem; margin: 1.2rem 0 .2rem; }
p { margin: .4rem 0; } .quiet { color: var(--quiet); font-size: .88em; }
code { font-size: .88em; word-break: break-all; }
.verdict { border-left: 5px solid var(--quiet); padding: .5rem .9rem; margin: .9rem 0; background: #f5f6f8;
  font-size: 1.05em; } .verdict.alarm { border-color: var(--alarm); background: #fbefee; }
.note { border: 1px solid var(--line); padding: .45rem .9rem; margin: .9rem 0; font-size: .92em; }
.bad { color: var(--alarm); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .12rem 1.1rem; font-size: .92em; margin: .6rem 0; }
dt { color: var(--quiet); } dd { margin: 0; min-width: 0; }
table { border-collapse: collapse; width: 100%; font-size: .88em; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .25rem 1.1rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; border-bottom: 1.5px solid var(--quiet); }
td.number, th.number { text-align: right; white-space: nowrap; } a { color: var(--curve); }
figure { margin: .5rem 0 .9rem; } figcaption { color: var(--quiet); font-size: .84em; }
svg { display: block; width: 100%; height: auto; font: 10px system-ui, "DejaVu Sans", sans-serif; }
.paper { fill: #f5f6f8; } .unknown { fill: #dfe3e8; } .alarm { fill: #f3c9c5; }
.grid { stroke: #c9ced5; stroke-width: .7; }
.limit { stroke: var(--alarm); stroke-width: .9; stroke-dasharray: 5 4; } .tick { stroke: #5b636d; stroke-width: .8; }
.curve { fill: none; stroke: var(--curve); stroke-width: 1.3; } .under { fill: var(--curve); opacity: .13; }
.spoken { fill: #6b7785; } .hole { fill: #e08a00; } .axis { fill: #5b636d; text-anchor: middle; }
.axis.end { text-anchor: end; } .flag { fill: var(--alarm); font-weight: 600; font-size: 11px; }
.opened, .mark { stroke: var(--alarm); stroke-width: 1.2; } .mark { stroke: #fff; stroke-dasharray: 4 3; }
footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .5rem; }
@media screen and (max-width: 40rem) { table { display: block; overflow-x: auto; } figure { overflow-x: auto; }
  th, td { padding-right: .8rem; white-space: nowrap; } td code { word-break: normal; } svg { min-width: 36rem; } }
@page { size: A4; margin: 15mm 14mm 16mm; }
@media print { body { font-size: 9.6pt; max-width: none; margin: 0; padding: 0; }
  h2 { break-before: page; }
  .first h2 { break-before: auto; } h2, h3, h4 { break-after: avoid; }
  figure, tr, .verdict, .note, .whole, dl { break-inside: avoid; }
  thead { display: table-header-group; } a { color: inherit; text-decoration: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

CAUTION = (
    "<b>A likelihood is not a proof.</b> The figures are the estimate of a statistical detector. Real voices are "
    "sometimes taken for synthetic ones, and synthetic ones for real: bad lines, noise, unusual voices and systems "
    "that the detector never met all matter. Listen to the audio, and weigh this with what else is known."
)

HOW_TO_READ = (
    ("p_fake", "How probable the detector holds it that the recent speech is synthetic, from 0 to 100 %."),
    (
        "llr",
        "The evidence by itself: the logarithm of how much better the sound fits synthetic speech than real speech, "
        "in nats. 0 says nothing either way; +2.3 is about 10 to 1, +4.6 about 100 to 1, negative speaks for a real "
        "voice. It is bounded on purpose, and rests on the detector's own calibration.",
    ),
    (
        "prior",
        "What was assumed before anything was heard. At 50 %, p_fake is the evidence alone. Most calls are genuine: "
        "with a lower prior the same evidence gives a lower p_fake.",
    ),
    ("net speech", "How much usable speech was heard. Pauses, music, tones and lost audio are not evidence."),
    (
        "family",
        "Which kind of synthesis the sound resembles most, were it synthetic. It does not say that the voice is "
        "synthetic, and names no product.",
    ),
    ("alert", "Opens when the evidence stays above the threshold for a set time of speech, and closes as carefully."),
    ("unknown", "No verdict, because there was no usable speech or the input could not be trusted."),
    (
        "checksums",
        "Show that the files are as the monitor wrote them, unless somebody made new checksums too. Only a seal, made "
        "with a key kept elsewhere, excludes that.",
    ),
)


def share(p: float) -> str:
    """A probability, never shown as certainty."""
    return "below 1 %" if p < 0.01 else "above 99 %" if p > 0.99 else f"{p:.0%}".replace("%", " %")


def odds(llr: float) -> str:
    """What a log-likelihood ratio means."""
    if abs(llr) < 0.7:
        return "hardly speaks either way"
    ratio = _rounded(exp(min(abs(llr), 20.0)))
    return f"about {ratio:,} to 1 for {'synthetic' if llr > 0 else 'real'} speech".replace(",", " ")


def _rounded(value: float) -> int:
    """To two digits: more would be a claim."""
    size = 10 ** max(0, len(str(int(value))) - 2)
    return int(round(value / size) * size)


def family(families: Mapping[str, Any] | object) -> str:
    """The most likely kind of synthesis, and its probability among the kinds."""
    if not isinstance(families, Mapping) or not families:
        return "-"
    name, p = max(families.items(), key=lambda item: figure(item[1]))
    return f"{name} ({share(figure(p))} among the kinds it knows)"
