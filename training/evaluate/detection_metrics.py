"""Figures of merit for detection scores. Higher scores mean spoof; labels are 0 = bona fide, 1 = spoof.

EER and DET: ISO/IEC 19795-1. minDCF and actDCF: NIST SRE, with the costs of ASVspoof 5 (spoof prior 0.05, a miss
costs 10, a false alarm 1). Cllr: Brummer and du Preez, Computer Speech & Language 20 (2006).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]
RULE_OF_THREE = 3
"""Where n trials have no error, the error rate is below 3 / n with 95 % confidence."""


@dataclass(frozen=True)
class Costs:
    """The costs of an application: prior of a spoof, cost of a missed one, cost of a false alarm."""

    prior: float = 0.05
    miss: float = 10.0
    false_alarm: float = 1.0


def error_rates(scores: Scores, labels: Labels) -> tuple[Scores, Scores, Scores]:
    """Return thresholds rising from -inf, and at each the miss and the false alarm rate (score >= threshold is an
    alarm).
    """
    order = np.argsort(scores, kind="stable")
    s, y = scores[order], labels[order]
    last_of_tie = np.append(s[1:] != s[:-1], True)
    misses = np.cumsum(y)[last_of_tie]
    passed = np.cumsum(1 - y)[last_of_tie]
    spoofs, genuine = max(int(y.sum()), 1), max(int((1 - y).sum()), 1)
    thresholds = np.append(-np.inf, np.nextafter(s[last_of_tie], np.inf))
    return thresholds, np.append(0, misses) / spoofs, 1 - np.append(0, passed) / genuine


def eer(scores: Scores, labels: Labels) -> float:
    """Return the equal error rate in [0, 1], interpolated where miss and false alarm rate cross. NaN with one class
    only.
    """
    if len(np.unique(labels)) < 2:
        return float("nan")
    _, miss, false_alarm = error_rates(scores, labels)
    at = int(np.argmax(miss >= false_alarm))
    if at == 0:
        return float(miss[0])
    d0, d1 = miss[at - 1] - false_alarm[at - 1], miss[at] - false_alarm[at]
    weight = -d0 / (d1 - d0)
    return float(miss[at - 1] + weight * (miss[at] - miss[at - 1]))


def auc(scores: Scores, labels: Labels) -> float:
    """Return the probability that a spoof scores higher than a bona fide recording; ties count half."""
    from scipy.stats import rankdata

    spoofs = int(labels.sum())
    genuine = len(labels) - spoofs
    if not spoofs or not genuine:
        return float("nan")
    return float((rankdata(scores)[labels == 1].sum() - spoofs * (spoofs + 1) / 2) / (spoofs * genuine))


def _normalised(miss: Scores, false_alarm: Scores, costs: Costs) -> Scores:
    spoof, genuine = costs.prior * costs.miss, (1 - costs.prior) * costs.false_alarm
    return np.asarray((spoof * miss + genuine * false_alarm) / min(spoof, genuine))


def min_dcf(scores: Scores, labels: Labels, costs: Costs = Costs()) -> float:
    """Return the detection cost at the best threshold, relative to deciding without a detector."""
    _, miss, false_alarm = error_rates(scores, labels)
    return float(_normalised(miss, false_alarm, costs).min())


def act_dcf(llr: Scores, labels: Labels, costs: Costs = Costs()) -> float:
    """Return the detection cost at the threshold that calibrated log-likelihood ratios (nats) call for."""
    threshold = np.log((1 - costs.prior) * costs.false_alarm / (costs.prior * costs.miss))
    miss = np.mean(llr[labels == 1] < threshold, keepdims=True)
    false_alarm = np.mean(llr[labels == 0] >= threshold, keepdims=True)
    return float(_normalised(miss, false_alarm, costs)[0])


def cllr(llr: Scores, labels: Labels) -> float:
    """Return the cost of log-likelihood ratios (nats) in bits: 0 perfect, 1 useless."""
    spoof = np.logaddexp(0.0, -llr[labels == 1]).mean()
    genuine = np.logaddexp(0.0, llr[labels == 0]).mean()
    return float((spoof + genuine) / 2 / np.log(2))


def min_cllr(scores: Scores, labels: Labels) -> float:
    """Return Cllr after the best monotone calibration on these very scores (pool adjacent violators): the part of it
    that no calibration can reduce.
    """
    from sklearn.isotonic import IsotonicRegression

    share = float(labels.mean())
    p = IsotonicRegression(y_min=1e-6, y_max=1 - 1e-6).fit_transform(scores, labels.astype(np.float64))
    return cllr(np.log(p / (1 - p)) - np.log(share / (1 - share)), labels)


def bootstrap(
    figure: Callable[[Scores, Labels], float],
    scores: Scores,
    labels: Labels,
    rounds: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the confidence interval of a figure by resampling each class (stratified bootstrap, percentile method).

    Where every sample says the same, as without any error, the rule of three applies: up to RULE_OF_THREE clips of each
    class might have been on the wrong side (Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    rng = np.random.default_rng(seed)
    genuine, spoof = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    if not len(genuine) or not len(spoof):
        return float("nan"), float("nan")
    values = []
    for _ in range(rounds):
        rows = np.concatenate([rng.choice(genuine, len(genuine)), rng.choice(spoof, len(spoof))])
        values.append(figure(scores[rows], labels[rows]))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    if low == high:
        ends = [low, *(figure(_moved(scores, labels, up), labels) for up in (0, 1))]
        low, high = min(ends), max(ends)
    return float(low), float(high)


def _moved(scores: Scores, labels: Labels, up: int) -> Scores:
    """RULE_OF_THREE clips of class `up` moved to the top of the scores, and as many of the other to the bottom."""
    out = scores.copy()
    for label, end in ((up, scores.max() + 1.0), (1 - up, scores.min() - 1.0)):
        out[np.flatnonzero(labels == label)[:RULE_OF_THREE]] = end
    return out


def fit_calibration(scores: Scores, labels: Labels) -> tuple[float, float]:
    """Return the scale and offset that turn scores into log-likelihood ratios, by logistic regression with balanced
    classes.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=100.0, class_weight="balanced").fit(scores[:, None], labels)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
