"""Writes an evaluation down: report.json, score files, pictures, and one HTML page that holds everything."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluate import plots_conditions
from training.evaluate.benchmark_results import BenchmarkResults, draw_calls
from training.evaluate.comparison import OfflineComparison
from training.evaluate.conditions import Conditions
from training.evaluate.drawing import save_all
from training.evaluate.part_figures import Estimate, PartFigures, Trials
from training.evaluate.plots import draw
from training.evaluate.plots_classes import scatter
from training.evaluate.report_page import page


@dataclass(frozen=True)
class EmbeddingMap:
    """places (n, 2) of clips by the network's hidden state; names (n,) of their families."""

    places: NDArray[np.float32]
    names: NDArray[np.str_]


@dataclass(frozen=True)
class Report:
    """weights, their hash and what they learned from; trials by channel; figures by channel and part; where they were
    asked for, error rates by conditions, results of other measurements, and an offline network beside this one.
    """

    weights: Path
    weights_hash: str
    training: Mapping[str, Any]
    split: str
    corpora: Sequence[Path]
    trials: Mapping[str, Trials]
    figures: Mapping[str, Mapping[str, PartFigures]]
    conditions: Conditions | None = None
    map: EmbeddingMap | None = None
    results: BenchmarkResults = field(default_factory=BenchmarkResults)
    beside: OfflineComparison | None = None


def plain(value: Any) -> Any:
    """Return a value as JSON has it: dataclasses as objects, NaN as null, five digits after the point."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def percent(e: Estimate) -> str:
    """Return an estimate in percent with its interval, such as 12.3 (9.8 to 14.9)."""
    if math.isnan(e.value):
        return "-"
    return f"{100 * e.value:.1f} ({100 * e.low:.1f} to {100 * e.high:.1f})"


def table(report: Report) -> list[str]:
    """Return the headline figures as lines of text."""
    lines = [
        f"{'channel':<16}{'part':<10}{'bona fide':>9}{'fake':>6}   {'EER % (95 %)':<22}{'AUC':>6}{'minDCF':>8}"
        f"{'actDCF':>8}{'Cllr':>7}"
    ]
    for channel, parts in report.figures.items():
        for name, part in parts.items():
            w = part.whole
            rest = [w.figures[k].value for k in ("auc", "min_dcf", "act_dcf", "cllr")]
            lines.append(
                f"{channel:<16}{name:<10}{w.bonafide:>9}{w.spoof:>6}   {percent(w.figures['eer']):<22}"
                f"{rest[0]:>6.3f}{rest[1]:>8.3f}{rest[2]:>8.3f}{rest[3]:>7.3f}"
            )
    return [*lines, *_beside(report.beside)] if report.beside else lines


def _beside(found: OfflineComparison) -> list[str]:
    lines = [f"{'channel':<16}{'part':<10}{'network':<13}{'EER % (95 %)':<22}{'AUC':>6}{'right %':>9}{'named %':>9}"]
    for channel, parts in found.figures.items():
        for part, networks in parts.items():
            for name, f in networks.items():
                named = "-" if f.named is None else f"{100 * f.named:.1f}"
                lines.append(
                    f"{channel:<16}{part:<10}{name:<13}{percent(f.eer):<22}{f.auc.value:>6.3f}{100 * f.accuracy:>9.1f}"
                    f"{named:>9}"
                )
    return lines


def write_scores(trials: Trials, roots: Sequence[Path], path: Path) -> None:
    """Write a line a clip: its path in the corpus, and the log-likelihood ratio; higher is synthetic."""
    folders = [root if root.is_dir() else root.parent for root in roots]

    def utterance(clip: Path) -> str:
        inside = [f for f in folders if clip.is_relative_to(f)]
        return Path(os.path.relpath(clip, inside[0])).as_posix() if inside else clip.as_posix()

    lines = [f"{utterance(c.path)} {s:.6f}\n" for c, s in zip(trials.clips, trials.llr.tolist(), strict=True)]
    path.write_text("".join(lines), encoding="utf-8")


def write_report(report: Report, out: Path) -> None:
    """Write report.json, report.html, a score file a channel (scores.txt is the first) and the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    for i, (channel, trials) in enumerate(report.trials.items()):
        write_scores(trials, report.corpora, out / ("scores.txt" if i == 0 else f"scores-{channel}.txt"))
    summary = {
        "weights": report.weights,
        "weights_sha256": report.weights_hash,
        "training": report.training,
        "split": report.split,
        "corpora": list(report.corpora),
        "channels": report.figures,
        "conditions": report.conditions,
        "calls": report.results.calls,
        "drift": report.results.drift,
        "beside": report.beside,
    }
    (out / "report.json").write_text(json.dumps(plain(summary), indent=1) + "\n", encoding="utf-8")
    pictures = draw(report.trials, report.figures, out) | save_all(_more_pictures(report), out)
    (out / "report.html").write_text(page(report, pictures), encoding="utf-8")


def _more_pictures(report: Report) -> dict[str, Callable[[], Any]]:
    found, places, calls = report.conditions, report.map, report.results.calls
    return {
        "matrix": lambda: plots_conditions.matrix(found) if found else None,
        "noise": lambda: plots_conditions.noise(found) if found else None,
        "embedding": lambda: scatter(places.places, places.names) if places else None,
        "calls": lambda: draw_calls(calls) if calls else None,
    }
