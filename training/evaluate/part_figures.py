"""The results of an evaluation, as plain values: per part, family, system, language, and over the seconds heard.

Scores are calibrated log-likelihood ratios (nats, > 0 = synthetic). Intervals are 95 % bootstrap intervals over clips;
clips of one speaker or system are alike, so the truth is somewhat wider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from training.corpora.clips import Clip
from training.evaluate.detection_metrics import act_dcf, auc, bootstrap, cllr, eer, min_dcf

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Figure = Callable[[Floats, NDArray[np.int64]], float]

SECONDS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Seconds of net speech after which the error rate is taken."""

FIGURES: dict[str, Figure] = {"eer": eer, "auc": auc, "min_dcf": min_dcf, "act_dcf": act_dcf, "cllr": cllr}
ALL = "all"
BINS = 8


@dataclass(frozen=True)
class Trials:
    """n scored clips. label: int64 (n,), 1 = spoof. llr: (n,). families: (n, K) mean probabilities. net_speech_s: (n,).
    by_time: (n, len(SECONDS)) llr after so much net speech, or after all of it where a clip has less.
    """

    clips: NDArray[np.object_]
    label: NDArray[np.int64]
    llr: Floats
    families: Floats
    net_speech_s: Floats
    by_time: Floats

    def where(self, chosen: Flags) -> Trials:
        """Return the trials that are chosen (n,)."""
        return Trials(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def names(self, column: str) -> NDArray[np.str_]:
        """Return a text field of the clips (n,)."""
        return np.array([getattr(c, column) for c in self.clips], dtype=np.str_)


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where it cannot be told."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SpoofGroup:
    """Spoofs of one kind against bona fide clips. missed, false_alarms: shares of each at the threshold llr = 0."""

    name: str
    bonafide: int
    spoof: int
    missed: float
    false_alarms: float
    figures: dict[str, Estimate]


@dataclass(frozen=True)
class ErrorAfter:
    """The error rate after `seconds` of net speech; share of clips that have so much."""

    seconds: float
    eer: Estimate
    share: float


@dataclass(frozen=True)
class FamilyHead:
    """Accuracy of the family head on spoofs of known families. confusion[i][j]: families[i] named as families[j]."""

    clips: int
    accuracy: float
    balanced_accuracy: float
    families: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ReliabilityBin:
    """A bin of clips: mean p_fake for an even prior, share of fakes with both classes weighed alike, count of clips."""

    predicted: float
    observed: float
    clips: int


@dataclass(frozen=True)
class PartFigures:
    """All figures of one part of a corpus through one channel."""

    whole: SpoofGroup
    families: tuple[SpoofGroup, ...]
    systems: tuple[SpoofGroup, ...]
    languages: tuple[SpoofGroup, ...]
    over_time: tuple[ErrorAfter, ...]
    family_head: FamilyHead | None
    reliability: tuple[ReliabilityBin, ...]
    without_speech: int


def part_names(clips: Sequence[Clip]) -> list[str]:
    """Return parts that have both classes, and `all` where there are several or the only one has no name."""
    names = sorted({c.part for c in clips})
    both = [n for n in names if n and {c.label for c in clips if c.part == n} == {0, 1}]
    return both if names == both and len(both) == 1 else [*both, ALL]


def of_part(trials: Trials, name: str) -> Trials:
    return trials if name == ALL else trials.where(trials.names("part") == name)


def estimate(figure: Figure, scores: Floats, labels: NDArray[np.int64], rounds: int) -> Estimate:
    """Return a figure with its bootstrap interval; NaN where a class is missing."""
    if len(np.unique(labels)) < 2:
        return Estimate(np.nan, np.nan, np.nan)
    return Estimate(figure(scores, labels), *bootstrap(figure, scores, labels, rounds))


def group(name: str, trials: Trials, rounds: int, figures: Sequence[str] = ("eer",)) -> SpoofGroup:
    """Return the figures of some trials."""
    spoof, real = trials.label == 1, trials.label == 0
    return SpoofGroup(
        name=name,
        bonafide=int(real.sum()),
        spoof=int(spoof.sum()),
        missed=float(np.mean(trials.llr[spoof] < 0)) if spoof.any() else float("nan"),
        false_alarms=float(np.mean(trials.llr[real] >= 0)) if real.any() else float("nan"),
        figures={n: estimate(FIGURES[n], trials.llr, trials.label, rounds) for n in figures},
    )


def by_kind(trials: Trials, column: str, rounds: int) -> tuple[SpoofGroup, ...]:
    """Return the spoofs of each family or system against all bona fide clips, hardest first."""
    names, real = trials.names(column), trials.label == 0
    kinds = sorted(set(names[~real].tolist()))
    groups = [group(kind, trials.where(real | (names == kind)), rounds) for kind in kinds]
    return tuple(sorted(groups, key=lambda g: -g.figures["eer"].value))


def by_language(trials: Trials, rounds: int) -> tuple[SpoofGroup, ...]:
    """Return the spoofs of each language against the bona fide clips of that language."""
    names = trials.names("language")
    return tuple(group(name, trials.where(names == name), rounds) for name in sorted(set(names.tolist())))


def over_time(trials: Trials, rounds: int) -> tuple[ErrorAfter, ...]:
    """Return the error rate after so many seconds of net speech."""
    return tuple(
        ErrorAfter(
            seconds,
            estimate(eer, trials.by_time[:, i], trials.label, rounds),
            float(np.mean(trials.net_speech_s >= seconds - 1e-6)),
        )
        for i, seconds in enumerate(SECONDS)
    )


def family_head(trials: Trials, families: Sequence[str]) -> FamilyHead | None:
    """Return the family head's figures; None without a spoof of a family that the head knows."""
    from sklearn.metrics import confusion_matrix

    truth = trials.names("family")
    known = (trials.label == 1) & np.isin(truth, families) & (trials.net_speech_s > 0)
    if not known.any():
        return None
    index = {name: i for i, name in enumerate(families)}
    true = np.array([index[name] for name in truth[known].tolist()])
    named = trials.families[known].argmax(1)
    table = confusion_matrix(true, named, labels=range(len(families)))
    rows = table.sum(1)
    recall = table.diagonal()[rows > 0] / rows[rows > 0]
    counts = tuple(tuple(int(n) for n in row) for row in table)
    return FamilyHead(len(true), float(np.mean(true == named)), float(recall.mean()), tuple(families), counts)


def reliability(trials: Trials, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Return bins of equally many clips, from the lowest p_fake to the highest (DeGroot and Fienberg, 1983)."""
    p = 1.0 / (1.0 + np.exp(-trials.llr))
    weight = np.where(trials.label == 1, 0.5 / trials.label.sum(), 0.5 / (1 - trials.label).sum())
    return tuple(
        ReliabilityBin(
            float(np.average(p[rows], weights=weight[rows])),
            float(weight[rows][trials.label[rows] == 1].sum() / weight[rows].sum()),
            len(rows),
        )
        for rows in np.array_split(np.argsort(p, kind="stable"), bins)
        if len(rows)
    )


def measure(trials: Trials, name: str, families: Sequence[str], rounds: int) -> PartFigures:
    """Return all figures of trials of one part."""
    return PartFigures(
        whole=group(name, trials, rounds, tuple(FIGURES)),
        families=by_kind(trials, "family", rounds),
        systems=by_kind(trials, "system", rounds),
        languages=by_language(trials, rounds),
        over_time=over_time(trials, rounds),
        family_head=family_head(trials, families),
        reliability=reliability(trials),
        without_speech=int(np.sum(trials.net_speech_s == 0)),
    )
