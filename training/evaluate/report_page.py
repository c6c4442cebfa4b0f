"""The HTML page of an evaluation: one file, pictures inside, made to be read and to be printed.

The templates decide what it says. Jinja2 escapes every value, since names come from corpora.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from training.evaluate.benchmark_results import headline
from training.evaluate.comparison import BASELINE
from training.evaluate.part_figures import ALL, SpoofGroup

if TYPE_CHECKING:
    from training.evaluate.report_files import Report

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


def page(report: Report, pictures: Mapping[str, Path]) -> str:
    """Return the whole page. pictures: PNG files by name; those that are not there are left out."""
    trials = next(iter(report.trials.values()))
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            trials=trials,
            parts=[part for part in next(iter(report.figures.values())) if part != ALL] or [ALL],
            median_s=float(np.median(trials.net_speech_s)),
            files=pictures,
            captions=CAPTIONS,
            baseline=BASELINE,
        )
    )


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__name__.rpartition(".")[0]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"base64": _base64, "by_name": _by_name, "headline": headline, "learned": _learned, "share": _share}
    return made


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _by_name(groups: Sequence[SpoofGroup]) -> dict[str, SpoofGroup]:
    return {group.name: group for group in groups}


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.0f} %"


def _learned(training: Mapping[str, Any]) -> list[str]:
    """Return the hours, speakers and steps of a training; of each where the weights are made of several."""
    members = [member for kind in ("mean of", "side by side") for member in training.get(kind, ())]
    lineage = training.get("lineage", {})
    trainings = [lineage.get(member, {}) for member in members] or [training]
    facts = [[f"{held[k]} {k}" for k in ("hours", "speakers", "steps") if k in held] for held in trainings]
    return [", ".join(some) for some in facts if some]
