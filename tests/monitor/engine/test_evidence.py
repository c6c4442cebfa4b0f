"""Evidence: what is not speech advances nothing; old speech fades; the likelihood is calibrated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import BLOCK_S, Calibration
from monitor.config.schema import EvidenceSection
from monitor.engine.evidence import (
    Evidence,
    accumulate,
    named,
    no_evidence,
    posterior,
    recent_llr,
    whole_llr,
)
from monitor.types import UNKNOWN_FAMILY

CONFIG = EvidenceSection(memory_s=4.0)
CALIBRATION = Calibration(scale=2.0, offset=-1.0)


def hear(evidence: Evidence, logits: list[float], speech: list[bool] | None = None) -> Evidence:
    for i, logit in enumerate(logits):
        active = np.array([speech[i] if speech else True])
        evidence = accumulate(CONFIG, evidence, np.array([logit]), active, np.array([[0.75, 0.25]]))
    return evidence


def same(a: Evidence, b: Evidence) -> bool:
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in Evidence.__dataclass_fields__)


def test_no_evidence_is_no_opinion() -> None:
    evidence = no_evidence(1, 2)
    assert recent_llr(CONFIG, CALIBRATION, evidence)[0] == 0.0
    assert whole_llr(CONFIG, CALIBRATION, evidence)[0] == 0.0
    assert posterior(np.zeros(1), 0.2)[0] == pytest.approx(0.2)


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=30))
def test_what_is_not_speech_advances_nothing(logits: list[float]) -> None:
    before = hear(no_evidence(1, 2), [1.0, 2.0])
    assert same(before, hear(before, logits, [False] * len(logits)))


@given(st.lists(st.tuples(st.floats(-9, 9), st.booleans()), min_size=1, max_size=60))
def test_pauses_change_nothing_of_what_speech_says(items: list[tuple[float, bool]]) -> None:
    with_pauses = hear(no_evidence(1, 2), [x for x, _ in items], [s for _, s in items])
    without = hear(no_evidence(1, 2), [x for x, s in items if s])
    assert same(with_pauses, without)


def test_the_mean_is_calibrated() -> None:
    evidence = hear(no_evidence(1, 2), [1.5] * 100)
    assert recent_llr(CONFIG, CALIBRATION, evidence)[0] == pytest.approx(2.0)
    assert whole_llr(CONFIG, CALIBRATION, evidence)[0] == pytest.approx(2.0)
    assert evidence.blocks[0] == 100
    assert evidence.families[0] / evidence.families[0].sum() == pytest.approx([0.75, 0.25])


def test_a_voice_that_turns_synthetic_is_caught_by_the_recent_evidence() -> None:
    minutes = round(120 / BLOCK_S)
    evidence = hear(hear(no_evidence(1, 2), [-2.0] * minutes), [2.0] * round(8 / BLOCK_S))
    assert recent_llr(CONFIG, CALIBRATION, evidence)[0] > 1.5
    assert whole_llr(CONFIG, CALIBRATION, evidence)[0] < -3.5


def test_one_odd_second_is_not_enough() -> None:
    evidence = hear(hear(no_evidence(1, 2), [-2.0] * 1000), [2.0] * round(1 / BLOCK_S))
    assert recent_llr(CONFIG, CALIBRATION, evidence)[0] < -2.0


def test_the_ratio_is_bounded() -> None:
    evidence = hear(no_evidence(1, 2), [500.0] * 10)
    assert recent_llr(CONFIG, CALIBRATION, evidence)[0] == CONFIG.max_llr


def test_streams_do_not_touch_each_other() -> None:
    both = no_evidence(2, 2)
    for logit in (1.0, 3.0, -2.0):
        values, active = np.array([logit, 9.0]), np.array([True, False])
        both = accumulate(CONFIG, both, values, active, np.full((2, 2), 0.5))
    assert both.blocks.tolist() == [3, 0]
    assert both.total[1] == 0.0


def test_the_prior_moves_the_probability_and_not_the_ratio() -> None:
    llr = np.array([2.0])
    odds = [posterior(llr, p)[0] / (1 - posterior(llr, p)[0]) / (p / (1 - p)) for p in (0.01, 0.5, 0.9)]
    assert odds == pytest.approx([np.exp(2.0)] * 3)


def test_a_family_that_is_not_sure_is_unknown() -> None:
    shares = {"gan-vocoder": 0.3, "neural-codec": 0.45, "flow-vocoder": 0.25}
    assert list(named(shares, 0.5)) == [
        (UNKNOWN_FAMILY, pytest.approx(0.55)),
        ("neural-codec", pytest.approx(0.45 * 0.45)),
        ("gan-vocoder", pytest.approx(0.3 * 0.45)),
        ("flow-vocoder", pytest.approx(0.25 * 0.45)),
    ]
    assert sum(dict(named(shares, 0.5)).values()) == pytest.approx(1.0)
    assert next(iter(named(shares, 0.45))) == ("neural-codec", 0.45)
    assert UNKNOWN_FAMILY not in dict(named(shares, 0.0))
    assert named({}, 0.5) == ()
