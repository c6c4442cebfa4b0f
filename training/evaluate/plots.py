"""Pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluate.detection_metrics import error_rates
from training.evaluate.drawing import BONA_FIDE, COLOURS, SPOOF, panels, save_all
from training.evaluate.part_figures import ALL, PartFigures, SpoofGroup, Trials, of_part
from training.evaluate.plots_classes import counts_matrix

Figures = Mapping[str, Mapping[str, PartFigures]]
Scored = Mapping[str, Trials]
Picture = Callable[[Scored, Figures], Any]

DET_TICKS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
SYSTEMS_A_COLUMN = 30


def _parts(figures: Figures, *, together: bool = True) -> list[str]:
    """Return the names of the parts; together: with the one that holds all of them."""
    names = list(next(iter(figures.values())))
    return names if together or names == [ALL] else [name for name in names if name != ALL]


def histograms(trials: Scored, figures: Figures) -> Any:
    """Return scores of both classes, a row a channel, a column a part."""
    parts = _parts(figures)
    figure, axes = panels(len(trials), len(parts), 3.2, 1.7, sharex=True)
    everything = np.concatenate([t.llr for t in trials.values()])
    low, high = np.quantile(everything, [0.002, 0.998]) if len(everything) else (-1.0, 1.0)
    bins = np.linspace(min(low, -1.0), max(high, 1.0), 41)
    for row, (channel, scored) in enumerate(trials.items()):
        for column, part in enumerate(parts):
            axis, some = axes[row, column], of_part(scored, part)
            for label, colour, name in ((0, BONA_FIDE, "bona fide"), (1, SPOOF, "synthetic")):
                values = np.clip(some.llr[some.label == label], bins[0], bins[-1])
                weights = np.full(len(values), 100.0 / max(len(values), 1))
                axis.hist(values, bins, weights=weights, color=colour, alpha=0.55, label=name)
            axis.axvline(0.0, color="#444444", linewidth=0.8, linestyle=":")
            axis.set_title(f"{part}, {channel}")
            if column == 0:
                axis.set_ylabel("% of clips")
            if row == len(trials) - 1:
                axis.set_xlabel("log-likelihood ratio (nats)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def det(trials: Scored, figures: Figures) -> Any:
    """Draw missed fakes against false alarms on normal-deviate axes (Martin et al., Eurospeech 1997)."""
    from scipy.stats import norm

    parts = _parts(figures)
    figure, axes = panels(1, len(parts), 3.4, 3.5, sharey=True)
    ticks = norm.ppf(DET_TICKS)
    for axis, part in zip(axes[0], parts, strict=True):
        axis.plot([ticks[0], ticks[-1]], [ticks[0], ticks[-1]], color="#bbbbbb", linewidth=0.8, linestyle="--")
        for colour, (channel, scored) in zip(cycle(COLOURS), trials.items(), strict=False):
            some = of_part(scored, part)
            _, miss, false_alarm = error_rates(some.llr, some.label)
            rates = [norm.ppf(np.clip(rate, 5e-4, 1 - 5e-4)) for rate in (false_alarm, miss)]
            equal = figures[channel][part].whole.figures["eer"].value
            axis.plot(*rates, color=colour, label=f"{channel}, EER {100 * equal:.1f} %", drawstyle="steps-post")
        for which in ("x", "y"):
            getattr(axis, f"set_{which}ticks")(ticks, [f"{100 * t:g}" for t in DET_TICKS])
            getattr(axis, f"set_{which}lim")(ticks[0], ticks[-1])
        axis.set_title(part)
        axis.set_xlabel("false alarms (% of bona fide)")
        axis.legend(fontsize=7, loc="best")
    axes[0, 0].set_ylabel("missed (% of synthetic)")
    return figure


def roc(trials: Scored, figures: Figures) -> Any:
    """Draw detected fakes against false alarms."""
    parts = _parts(figures)
    figure, axes = panels(1, len(parts), 3.4, 3.4, sharey=True)
    for axis, part in zip(axes[0], parts, strict=True):
        axis.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=0.8, linestyle="--")
        for colour, (channel, scored) in zip(cycle(COLOURS), trials.items(), strict=False):
            some = of_part(scored, part)
            _, miss, false_alarm = error_rates(some.llr, some.label)
            area = figures[channel][part].whole.figures["auc"].value
            axis.plot(100 * false_alarm, 100 * (1 - miss), color=colour, label=f"{channel}, AUC {area:.3f}")
        axis.set(title=part, xlabel="false alarms (% of bona fide)", xlim=(0, 100), ylim=(0, 100))
        axis.legend(fontsize=7, loc="lower right")
    axes[0, 0].set_ylabel("detected (% of synthetic)")
    return figure


def over_time(trials: Scored, figures: Figures) -> Any:
    """Draw the error rate against net speech; the band is the interval in the first channel."""
    del trials
    parts = _parts(figures)
    figure, axes = panels(1, len(parts), 3.4, 2.9, sharey=True)
    for axis, part in zip(axes[0], parts, strict=True):
        for place, (colour, (channel, found)) in enumerate(zip(cycle(COLOURS), figures.items(), strict=False)):
            moments = found[part].over_time
            seconds = [m.seconds for m in moments]
            axis.plot(seconds, [100 * m.eer.value for m in moments], color=colour, label=channel, marker="o", ms=3)
            if place == 0:
                low, high = [100 * m.eer.low for m in moments], [100 * m.eer.high for m in moments]
                axis.fill_between(seconds, low, high, color=colour, alpha=0.12, linewidth=0)
        axis.set(title=part, xlabel="net speech heard (s)")
    axes[0, 0].set_ylim(bottom=0)  # once all are drawn: it ends the scaling of the axis that they share
    axes[0, 0].set_ylabel("EER (%)")
    axes[0, 0].legend(fontsize=7, loc="best")
    return figure


def reliability(trials: Scored, figures: Figures) -> Any:
    """Draw the share of spoofs against p_fake, at equal priors, and how often each p_fake is given."""
    parts = _parts(figures)
    figure, axes = panels(2, len(parts), 3.4, 2.1, sharex=True, height_ratios=(2.4, 1))
    for column, part in enumerate(parts):
        upper, lower = axes[:, column]
        upper.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8, linestyle="--")
        for colour, (channel, found) in zip(cycle(COLOURS), figures.items(), strict=False):
            bins = found[part].reliability
            upper.plot(
                [b.predicted for b in bins], [b.observed for b in bins], color=colour, marker="o", ms=3, label=channel
            )
        some = of_part(next(iter(trials.values())), part)
        for label, colour in ((0, BONA_FIDE), (1, SPOOF)):
            p = 1.0 / (1.0 + np.exp(-some.llr[some.label == label]))
            lower.hist(p, np.linspace(0, 1, 21), color=colour, alpha=0.55)
        upper.set(title=part, ylim=(-0.02, 1.02), xlim=(-0.02, 1.02))
        lower.set_xlabel("p_fake")
    axes[0, 0].set_ylabel("share of fakes found")
    axes[1, 0].set_ylabel("clips")
    axes[0, 0].legend(fontsize=7, loc="upper left")
    return figure


def _whiskers(axis: Any, groups: Sequence[SpoofGroup], colour: str, shift: float = 0.0, label: str = "") -> None:
    """EER and interval of each group on a line of its own, the first at the top."""
    values = 100 * np.array([[g.figures["eer"].value, g.figures["eer"].low, g.figures["eer"].high] for g in groups])
    places = np.arange(len(groups)) + shift
    axis.hlines(places, values[:, 1], values[:, 2], color=colour, linewidth=1.2, alpha=0.6)
    axis.plot(values[:, 0], places, "o", color=colour, ms=4, label=label)


def families(trials: Scored, figures: Figures) -> Any:
    """Draw error rate and interval by family, one colour a channel."""
    del trials
    parts = _parts(figures, together=False)
    first = next(iter(figures.values()))
    tallest = max(len(first[part].families) for part in parts)
    figure, axes = panels(1, len(parts), 5.0, 0.9 + 0.09 * tallest * (1 + len(figures)))
    for axis, part in zip(axes[0], parts, strict=True):
        order = [g.name for g in first[part].families]
        for place, (colour, (channel, found)) in enumerate(zip(cycle(COLOURS), figures.items(), strict=False)):
            groups = {g.name: g for g in found[part].families}
            shift = (place - (len(figures) - 1) / 2) * 0.75 / len(figures)
            _whiskers(axis, [groups[name] for name in order], colour, shift, channel)
        axis.set_yticks(range(len(order)), [f"{g.name} ({g.spoof})" for g in first[part].families])
        axis.set_ylim(len(order) - 0.5, -0.5)
        axis.set(title=part, xlabel="EER (%)", xlim=(-1.5, None))
        axis.grid(axis="y", visible=False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=8, fontsize=8)
    return figure


def systems(trials: Scored, figures: Figures) -> Any:
    """Draw error rate and interval by system in the first channel, hardest on top; a long part has several columns."""
    del trials
    first = next(iter(figures.values()))
    columns = [
        (name, first[name].systems[at : at + SYSTEMS_A_COLUMN])
        for name in _parts(figures, together=False)
        for at in range(0, len(first[name].systems), SYSTEMS_A_COLUMN)
    ]
    tallest = max(len(some) for _, some in columns)
    widest = 100 * max(g.figures["eer"].high for _, some in columns for g in some)
    figure, axes = panels(1, len(columns), 4.2, 0.9 + 0.18 * tallest, sharex=True)
    for axis, (name, some) in zip(axes[0], columns, strict=True):
        _whiskers(axis, some, COLOURS[0])
        axis.axvline(100 * first[name].whole.figures["eer"].value, color=SPOOF, linewidth=0.9, linestyle=":")
        axis.set_yticks(range(len(some)), [f"{g.name} ({g.spoof})" for g in some], fontsize=8)
        axis.set_ylim(tallest - 0.5, -0.5)
        axis.set(title=name, xlabel="EER (%)", xlim=(-1.5, widest + 1.5))
    return figure


def confusion(trials: Scored, figures: Figures) -> Any:
    """Return the shares of each true family that the family head names so, first channel."""
    del trials
    first = next(iter(figures.values()))
    heads = {name: head for name in _parts(figures, together=False) if (head := first[name].family_head)}
    if not heads:
        return None
    figure, axes = panels(1, len(heads), 4.6, 4.2, sharey=True)
    for axis, (name, head) in zip(axes[0], heads.items(), strict=True):
        counts_matrix(axis, head.confusion, head.families)
        axis.set(title=f"{name}: {100 * head.accuracy:.0f} % of {head.clips} right", xlabel="named")
    axes[0, 0].set_ylabel("true")
    return figure


PICTURES: dict[str, Picture] = {
    "histograms": histograms,
    "det": det,
    "roc": roc,
    "over-time": over_time,
    "families": families,
    "systems": systems,
    "confusion": confusion,
    "reliability": reliability,
}


def draw(trials: Scored, figures: Figures, out: Path) -> dict[str, Path]:
    """Write all pictures into a folder; returns their files by name."""
    return save_all({name: partial(picture, trials, figures) for name, picture in PICTURES.items()}, out)
