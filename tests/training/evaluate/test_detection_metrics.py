"""Figures of merit against scikit-learn, hand-computed values and identities that must hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from training.evaluate.detection_metrics import (
    Costs,
    Labels,
    Scores,
    act_dcf,
    auc,
    bootstrap,
    cllr,
    eer,
    error_rates,
    fit_calibration,
    min_dcf,
)


def _gaussians(distance: float, n: int = 20_000, seed: int = 0) -> tuple[Scores, Labels]:
    """Bona fide at 0, spoofs at `distance`, unit variance: EER = Phi(-distance / 2)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n)
    return rng.standard_normal(2 * n) + distance * labels, labels


def _few(seed: int, ties: bool) -> tuple[Scores, Labels]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, 60)])
    scores = rng.standard_normal(62) + labels
    return (np.round(scores) if ties else scores), labels


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_eer_of_shifted_gaussians(distance: float) -> None:
    assert eer(*_gaussians(distance)) == pytest.approx(norm.cdf(-distance / 2), abs=0.006)


def test_eer_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert eer(np.array([1.0, 2, 3, 4, 5, 6, 7, 8]), labels) == 0.0
    assert eer(np.array([5.0, 6, 7, 8, 1, 2, 3, 4]), labels) == 1.0
    assert eer(np.array([1.0, 2, 3, 6, 5, 7, 8, 9]), labels) == 0.25
    assert eer(np.zeros(8), labels) == 0.5
    assert np.isnan(eer(np.array([1.0, 2.0]), np.array([1, 1])))


@pytest.mark.parametrize("seed", range(5))
def test_eer_lies_where_the_roc_curve_of_sklearn_crosses(seed: int) -> None:
    scores, labels = _few(seed, ties=False)
    false_alarm, detected, _ = roc_curve(labels, scores, drop_intermediate=False)
    distance = np.abs(false_alarm - (1 - detected))
    at = int(np.argmin(distance))
    assert abs(eer(scores, labels) - (false_alarm[at] + 1 - detected[at]) / 2) <= distance[at] / 2 + 1e-12


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_error_rates_are_those_of_sklearn(seed: int, ties: bool) -> None:
    scores, labels = _few(seed, ties)
    thresholds, miss, false_alarm = error_rates(scores, labels)
    theirs = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(false_alarm[::-1], theirs[0])
    np.testing.assert_allclose(1 - miss[::-1], theirs[1])
    for threshold, m, f in zip(thresholds, miss, false_alarm, strict=True):
        assert np.mean(scores[labels == 1] < threshold) == pytest.approx(m)
        assert np.mean(scores[labels == 0] >= threshold) == pytest.approx(f)


@pytest.mark.parametrize("ties", [False, True])
def test_auc_is_that_of_sklearn(ties: bool) -> None:
    for seed in range(10):
        scores, labels = _few(seed, ties)
        assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert np.isnan(auc(np.zeros(3), np.zeros(3, dtype=np.int64)))


def test_eer_and_auc_know_the_order_of_scores_only() -> None:
    scores, labels = _few(3, ties=False)
    for other in (np.exp(scores), 7 * scores - 3, scores**3):
        assert eer(other, labels) == eer(scores, labels)
        assert auc(other, labels) == auc(scores, labels)
    assert auc(-scores, labels) == pytest.approx(1 - auc(scores, labels))


def test_costs_by_hand() -> None:
    costs = Costs(prior=0.5, miss=1.0, false_alarm=1.0)
    labels = np.array([0, 0, 1, 1])
    llr = np.array([-1.0, 1.0, -2.0, 3.0])
    # At 0: one of two bona fide clips is an alarm, one of two spoofs is missed; both halves cost 0.5.
    assert act_dcf(llr, labels, costs) == pytest.approx(1.0)
    # Best: above 1.0, no false alarm and one miss.
    assert min_dcf(llr, labels, costs) == pytest.approx(0.5)
    # The costs of ASVspoof 5 put the threshold at log(0.95 / 0.5) = 0.642, a miss weighs 0.5 and a false alarm 0.95.
    assert act_dcf(llr, labels) == pytest.approx((0.5 * 0.5 + 0.95 * 0.5) / 0.5)
    assert act_dcf(np.array([-1.0, 0.6, 0.7, 3.0]), labels) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_min_dcf_is_the_floor_of_every_shift(seed: int) -> None:
    scores, labels = _few(seed, ties=False)
    least = min_dcf(scores, labels)
    actual = [act_dcf(scores - shift, labels) for shift in np.linspace(-6, 6, 4001)]
    assert least <= min(actual) + 1e-12
    assert least == pytest.approx(min(actual), abs=1e-9)
    assert least <= 1.0


def test_cllr_of_perfect_and_useless_scores() -> None:
    labels = np.array([0, 0, 1, 1])
    assert cllr(np.zeros(4), labels) == pytest.approx(1.0)
    assert cllr(np.array([-50.0, -50, 50, 50]), labels) == pytest.approx(0.0, abs=1e-12)
    assert cllr(np.array([50.0, 50, -50, -50]), labels) == pytest.approx(50 / np.log(2))
    # One right answer of log(3), p = 3/4, on each side: log2(4 / 3) bits.
    assert cllr(np.log([1 / 3, 1 / 3, 3, 3]), labels) == pytest.approx(np.log2(4 / 3))


def test_true_ratios_of_gaussians_are_calibrated_already() -> None:
    scores, labels = _gaussians(2.0)
    llr = 2.0 * scores - 2.0
    scale, offset = fit_calibration(llr, labels)
    assert scale == pytest.approx(1.0, abs=0.03)
    assert offset == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize(("scale", "offset"), [(0.2, 0.0), (5.0, 0.0), (1.0, 3.0), (0.3, -2.0)])
def test_calibration_improves_what_was_spoilt_and_keeps_the_order(scale: float, offset: float) -> None:
    scores, labels = _gaussians(2.0, n=2000)
    spoilt = scale * (2.0 * scores - 2.0) + offset
    a, b = fit_calibration(spoilt, labels)
    mended = a * spoilt + b
    assert a > 0
    assert cllr(mended, labels) < cllr(spoilt, labels) - 0.02
    assert cllr(mended, labels) == pytest.approx(cllr(2.0 * scores - 2.0, labels), abs=0.01)
    assert eer(mended, labels) == eer(spoilt, labels)
    assert act_dcf(mended, labels) == pytest.approx(min_dcf(mended, labels), abs=0.03)


def test_calibration_does_not_follow_the_share_of_spoofs() -> None:
    scores, labels = _gaussians(2.0, n=4000)
    few = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:400]])
    _, offset = fit_calibration(scores[few], labels[few])
    assert offset == pytest.approx(fit_calibration(scores, labels)[1], abs=0.3)


@pytest.mark.parametrize("figure", [eer, auc, min_dcf, cllr])
def test_bootstrap_interval_holds_the_value_and_narrows(figure: object) -> None:
    assert callable(figure)
    widths = []
    for n in (50, 800):
        scores, labels = _gaussians(1.5, n)
        low, high = bootstrap(figure, scores, labels, rounds=200)
        assert low <= figure(scores, labels) <= high
        widths.append(high - low)
    assert 0 < widths[1] < 0.5 * widths[0]


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = norm.cdf(-0.5)
    hits = 0
    for seed in range(60):
        low, high = bootstrap(eer, *_gaussians(1.0, 80, seed), rounds=100)
        hits += bool(low <= truth <= high)
    assert 50 <= hits <= 60


def test_bootstrap_repeats_itself_and_needs_both_classes() -> None:
    scores, labels = _few(1, ties=False)
    first = bootstrap(eer, scores, labels, rounds=50, seed=4)
    assert first == bootstrap(eer, scores, labels, rounds=50, seed=4)
    assert first != bootstrap(eer, scores, labels, rounds=50, seed=5)
    assert np.isnan(bootstrap(eer, scores, np.ones_like(labels))).all()


@pytest.mark.parametrize("figure", [eer, auc, min_dcf])
@pytest.mark.parametrize("way", [1.0, -1.0])
def test_no_error_in_so_many_clips_does_not_prove_that_there_are_none(
    figure: Callable[[Scores, Labels], float], way: float
) -> None:
    scores = way * np.concatenate([np.linspace(-2, -1, 60), np.linspace(1, 2, 60)])
    labels = np.repeat([0, 1], 60)
    value = figure(scores, labels)
    low, high = bootstrap(figure, scores, labels, rounds=20)
    assert low <= value <= high
    assert high - low > 0.02
    if figure is eer:
        assert high - low == pytest.approx(3 / 60)
