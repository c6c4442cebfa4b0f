"""The HTML page of an evaluation: one file, pictures inside, made to be read and to be printed."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluate.comparison import BASELINE
from training.evaluate.figures import ALL, Estimate, Group, Part
from training.evaluate.results import headline

if TYPE_CHECKING:
    from training.evaluate.report import Report

CSS = """
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1c1c1c; max-width: 64rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; } .quiet { color: #5c5c5c; font-size: .87em; } code { font-size: .9em; }
table { border-collapse: collapse; width: 100%; font-size: .84em; font-variant-numeric: tabular-nums;
  margin: .6rem 0; }
th, td { padding: .22rem .5rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th { border-bottom: 1.5px solid #999; vertical-align: bottom; }
td.name, th.name { text-align: left; white-space: normal; min-width: 6rem; }
td small { color: #6a6a6a; font-size: .92em; } tr.first td { border-top: 1.5px solid #bbb; }
figure { margin: .8rem 0; } img { max-width: 100%; height: auto; } figcaption { color: #5c5c5c; font-size: .87em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .87em; }
dt { font-weight: 600; } dd { margin: 0; }
@page { size: A4; margin: 14mm; }
@media print { body { font-size: 9.5pt; max-width: none; margin: 0; padding: 0; } table { font-size: 7.4pt; }
  th, td { padding: .1rem .3rem; } tr, figure { break-inside: avoid; }
  h2, h3 { break-after: avoid; } thead { display: table-header-group; } }
"""

TERMS = {
    "EER": "equal error rate: the threshold at which as many fakes are missed as bona fide clips are called fake",
    "AUC": "probability that a fake scores higher than a bona fide clip",
    "minDCF, actDCF": "detection cost at the best threshold, and at the one that the calibration calls for; 1 = "
    "deciding without listening (prior of a fake 5 %, a miss costs 10 false alarms)",
    "Cllr": "cost of the log-likelihood ratios in bits: 0 perfect, 1 useless",
    "in brackets": "95 % bootstrap interval over clips; clips of one speaker or system are alike: the truth is wider",
}

CAPTIONS = {
    "histograms": "Scores of bona fide and synthetic clips. Right of the dotted line a fake is the likelier one.",
    "det": "Missed fakes against false alarms; the dashed line is where both are equal.",
    "roc": "Detected fakes against false alarms.",
    "over-time": "Error rate after so much net speech, from the scores of the blocks of 20 ms. A clip that has less "
    "enters with all it has; the band is the 95 % interval in the first channel.",
    "families": "The fakes of a family against all bona fide clips of the part; number of fakes in brackets.",
    "systems": "The fakes of a system against all bona fide clips of the part, in the first channel; number of fakes "
    "in brackets. The dotted line is the whole part. Few clips: look at the intervals.",
    "confusion": "What the family head calls the fakes, in the first channel; clips. Shades are shares of a row.",
    "matrix": "Error rate by codec and share of lost packets, which are concealed by repetition; no band of errors is "
    "drawn: neighbouring cells differ by chance, too.",
    "noise": "Error rate against the level of many talkers in the background; bands are 95 % intervals.",
    "embedding": "Each clip by the mean and deviation of the network's hidden state over its speech; near means alike.",
    "calls": "Simulated calls, decided for every threshold: how soon and how many fakes, at how many false alarms.",
    "reliability": "Above: of the clips with such a p_fake, the share that are fakes, both classes weighed alike; a "
    "calibrated detector stays on the diagonal. Below: how many clips are so, in the first channel.",
}

Row = Sequence[str]


def _picture(files: Mapping[str, Path], name: str) -> str:
    if name not in files:
        return ""
    data = base64.b64encode(files[name].read_bytes()).decode()
    text = escape(CAPTIONS[name])
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _table(head: Row, rows: Sequence[Row], names: int = 1, first: Sequence[int] = ()) -> str:
    """An HTML table; the first `names` columns are text, rows numbered in `first` begin a group."""

    def cells(row: Row, tag: str) -> str:
        return "".join(f"<{tag}{' class=name' if i < names else ''}>{c}</{tag}>" for i, c in enumerate(row))

    body = "".join(f"<tr{' class=first' if i in first else ''}>{cells(row, 'td')}</tr>\n" for i, row in enumerate(rows))
    return f"<table><thead><tr>{cells(head, 'th')}</tr></thead>\n<tbody>{body}</tbody></table>"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.0f} %"


def _estimate(e: Estimate, scale: float = 1.0, digits: int = 3) -> str:
    if math.isnan(e.value):
        return "-"
    low, high = f"{scale * e.low:.{digits}f}", f"{scale * e.high:.{digits}f}"
    return f"{scale * e.value:.{digits}f} <small>({low} to {high})</small>"


def _headline(report: Report) -> str:
    rows: list[Row] = []
    first = []
    for channel, parts in report.figures.items():
        first.append(len(rows))
        for name, part in parts.items():
            f = part.whole.figures
            counts = [str(part.whole.bonafide), str(part.whole.spoof)]
            spread = [_estimate(f["eer"], 100, 1), _estimate(f["auc"])]
            others = [f"{f[k].value:.3f}" for k in ("min_dcf", "act_dcf", "cllr")]
            title = escape(channel) if len(rows) == first[-1] else ""
            rows.append([title, escape(name), *counts, *spread, *others])
    head = ["channel", "part", "bona fide", "fakes", "EER %", "AUC", "minDCF", "actDCF", "Cllr"]
    return _table(head, rows, 2, first)


def _groups(report: Report, part: str, pick: Callable[[Part], Sequence[Group]], *, both: bool = False) -> str:
    """A row a group, the error rate in every channel; then shares at llr = 0 in the first channel."""
    columns = [{g.name: g for g in pick(parts[part])} for parts in report.figures.values()]
    rows = []
    for name, group in columns[0].items():
        rates = [_estimate(column[name].figures["eer"], 100, 1) for column in columns]
        counts = [str(group.bonafide), str(group.spoof)] if both else [str(group.spoof)]
        shares = [_share(group.missed), *([_share(group.false_alarms)] if both else [])]
        rows.append([escape(name or "not named"), *counts, *rates, *shares])
    counts = ["bona fide", "fakes"] if both else ["fakes"]
    shares = ["missed at<br>llr 0", *(["false alarms<br>at llr 0"] if both else [])]
    return _table([escape(part), *counts, *(f"EER %<br>{escape(c)}" for c in report.figures), *shares], rows)


def _learned(training: Mapping[str, Any]) -> list[str]:
    """Hours, speakers and steps of a training; of each where the weights are made of several."""
    members = [member for kind in ("mean of", "side by side") for member in training.get(kind, ())]
    lineage = training.get("lineage", {})
    trainings = [lineage.get(member, {}) for member in members] or [training]
    facts = [[f"{held[k]} {k}" for k in ("hours", "speakers", "steps") if k in held] for held in trainings]
    return [", ".join(some) for some in facts if some]


def _facts(report: Report) -> str:
    trials = next(iter(report.trials.values()))
    facts = {
        "Weights": f"<code>{escape(report.weights.name)}</code>, SHA-256 <code>{report.weights_hash[:16]}</code>",
        "Learned from": "; ".join(_learned(report.training)) or "not recorded",
        "Speech": f"split <b>{escape(report.split)}</b> of {escape(', '.join(p.name for p in report.corpora))}: "
        f"{len(trials.label)} clips, {int(trials.label.sum())} of them synthetic, median net speech "
        f"{np.median(trials.net_speech_s):.1f} s",
        "Channels": escape(", ".join(report.figures)),
        "Path": "every clip streamed in blocks of 20 ms from a cold state, by the code that scores live calls",
    }
    if report.split == "dev":
        facts["Beware"] = (
            "the calibration was fitted on this split: actDCF, Cllr and reliability are a little flattered"
        )
    return "<dl>" + "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in facts.items()) + "</dl>"


def _clips(report: Report) -> str:
    return f"<p class=quiet>Over {report.conditions.clips} clips.</p>" if report.conditions else ""


def _result(report: Report, name: str) -> str:
    """The figures of another measurement, and whether it was one of these weights."""
    result: Mapping[str, Any] | None = getattr(report.results, name)
    if result is None:
        return ""
    same = result.get("weights_sha256") == report.weights_hash
    note = "" if same else "<p><b>Beware:</b> measured with other weights than this report.</p>"
    return note + _table(["figure", "value"], [[escape(k), escape(v)] for k, v in headline(result)])


def _beside(report: Report) -> str:
    """An offline network over the same clips, row by row under this one."""
    found = report.beside
    if found is None:
        return ""
    rows: list[Row] = []
    first = []
    for channel, parts in found.figures.items():
        for part, networks in parts.items():
            first.append(len(rows))
            for name, f in networks.items():
                title = [escape(channel), escape(part)] if len(rows) == first[-1] else ["", ""]
                spread = [_estimate(f.eer, 100, 1), _estimate(f.auc)]
                shares = ["-" if v is None else f"{100 * v:.1f}" for v in (f.accuracy, f.balanced, f.named)]
                rows.append([*title, escape(name), *spread, *shares])
    note = (
        f"<p>{BASELINE}, <code>{escape(found.weights.name)}</code>, SHA-256 <code>{found.weights_hash[:16]}</code>: a "
        f"bidirectional LSTM and a softmax over {len(found.classes)} classes. It hears each file whole, to its end, "
        "before it says anything, and cannot stream: on a call it would speak once the call is over. The streamed "
        "figures are those of the weights of this report, block by block. Right: clips on the right side of even odds; "
        "balanced: both labels weighed alike; named: clips whose class is named, among those of a class it knows.</p>"
    )
    head = ["channel", "part", "network", "EER %", "AUC", "right %", "balanced %", "named %"]
    return note + _table(head, rows, 3, first)


def _terms() -> str:
    return "<dl class=quiet>" + "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in TERMS.items()) + "</dl>"


def page(report: Report, pictures: Mapping[str, Path]) -> str:
    """The whole page."""
    parts = [p for p in next(iter(report.figures.values())) if p != ALL] or [ALL]

    def tables(pick: Callable[[Part], Sequence[Group]], *, both: bool = False) -> str:
        return "".join(_groups(report, part, pick, both=both) for part in parts)

    sections = {
        "In short": _headline(report) + _terms(),
        "Scores": _picture(pictures, "histograms"),
        "Errors against each other": _picture(pictures, "det") + _picture(pictures, "roc"),
        "How soon": _picture(pictures, "over-time"),
        "Families of synthesis": _picture(pictures, "families") + tables(lambda p: p.families),
        "Naming the family": _picture(pictures, "confusion"),
        "Languages": tables(lambda p: p.languages, both=True),
        "Calibration": _picture(pictures, "reliability"),
        "Codecs and lost packets": _picture(pictures, "matrix") + _clips(report),
        "Noise": _picture(pictures, "noise"),
        "Hidden state": _picture(pictures, "embedding"),
        "Time to detect": _picture(pictures, "calls") + _result(report, "calls"),
        "An hour in one state": _result(report, "drift"),
        "Beside an offline network": _beside(report),
        "Systems": _picture(pictures, "systems") + tables(lambda p: p.systems),
    }
    title = f"Evaluation of {escape(report.weights.name)}"
    body = "".join(f"<section><h2>{name}</h2>{text}</section>\n" for name, text in sections.items() if text)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{CSS}</style></head>\n'
        f"<body><h1>{title}</h1>{_facts(report)}\n{body}</body></html>\n"
    )
