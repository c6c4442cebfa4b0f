"""Calibration that holds for sources that had no part in it."""

from __future__ import annotations

import numpy as np

from model.bandwidth import Bandwidth
from model.config import DetectorConfig
from training.evaluate.detection_metrics import cllr, min_cllr
from training.evaluate.scoring import ClipScore
from training.learn.calibration import fitted, leave_out, llrs


def scored(logits: list[float]) -> list[ClipScore]:
    return [ClipScore(x, 0.0, np.zeros(1, dtype=np.float32), 1.0, Bandwidth.WIDEBAND) for x in logits]


def test_a_source_left_out_has_no_part_in_its_own_calibration() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 200)
    logits = rng.normal(0, 1, 400) + 2.0 * labels
    logits[:40] += 6.0  # a source whose scores all lie higher
    groups = ["odd"] * 40 + [f"page {i % 9}" for i in range(360)]
    scores = scored(logits.tolist())
    alone = fitted(DetectorConfig(), scores[40:], labels[40:])
    llr = leave_out(DetectorConfig(), scores, labels, groups)
    np.testing.assert_allclose(llr[:40], llrs(alone, scores[:40]))
    whole = llrs(fitted(DetectorConfig(), scores, labels), scores)
    assert cllr(llr, labels) > cllr(whole, labels), "what was fitted on itself flatters"


def test_least_cllr_is_what_no_calibration_can_better() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 300)
    scores = rng.normal(0, 1, 600) + 1.5 * labels
    least = min_cllr(scores, labels)
    assert least == min_cllr(3.0 * scores - 7.0, labels), "of the order of the scores alone"
    for scale in (0.5, 1.0, 1.5, 2.0):
        assert least < cllr(scale * (scores - 0.75), labels)
    assert min_cllr(labels.astype(float), labels) < 1e-3
