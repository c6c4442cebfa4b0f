"""What the pool shows of its streams: families, evidence, levels, traces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import make_scorer, voice
from pool_player import AT_ONCE, Player, make_detector, now, player, recent, voices

from model.config import BLOCK, Calibration
from model.figures import Bandwidth
from monitor.config.schema import Config
from monitor.engine.decision import CLEAR
from monitor.engine.pool import Pool
from monitor.engine.results import FamilyNames
from monitor.engine.traces import Traces

# What is shown.


def test_families_are_named_most_likely_first_after_unknown() -> None:
    some = player(voices(1))
    some.play(60)
    for whole in (False, True):
        first, *found = now(some, 0, whole=whole).families_of(0)
        assert first[0] == "unknown", "none of this detector's families reaches 0.5"
        assert found[0][1] == pytest.approx((1.0 - first[1]) ** 2)
        assert {name for name, _ in found} == set(some.pool.scorer.config.families)
        assert first[1] + sum(p for _, p in found) == pytest.approx(1.0)
        assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
        assert found[0][1] > 1.5 * found[-1][1]


def test_recent_and_whole_evidence() -> None:
    some = player(voices(1))
    some.play(100)
    llr, p_fake = recent(some, 0)
    assert (llr, p_fake) == pytest.approx(some.result[0][-1][:2])
    whole_llr, whole_p = (now(some, 0, whole=True).llr, now(some, 0, whole=True).p_fake)
    assert whole_llr[0] == pytest.approx(llr, abs=1.0)
    assert whole_llr[0] != llr, "one forgets, the other does not"
    assert whole_p[0] == pytest.approx(1 / (1 + np.exp(-whole_llr[0])))


def test_telephone_speech_has_its_own_calibration_and_wideband_speech_the_other() -> None:
    detector = make_detector()
    wide, telephone = Calibration(0.1, 1.0), Calibration(0.2, -1.0)
    detector.config = replace(detector.config, calibration=wide, telephone_calibration=telephone)
    heard = voices(1)[0]
    spectrum = np.fft.rfft(heard)
    spectrum[np.fft.rfftfreq(len(heard), 1 / 16000) > 3700.0] = 0.0
    audio = np.stack([voice(3.0, hiss=True, seed=2), np.fft.irfft(spectrum, len(heard)).astype(np.float32)])
    some = Player(Pool(make_scorer(detector, 2), Config()), audio)
    some.play(120)
    assert some.pool.bandwidth.tolist() == [Bandwidth.WIDEBAND, Bandwidth.TELEPHONE]
    assert [now(some, row).band_of(0) for row in (0, 1)] == ["wideband", "telephone"]
    for row, one in enumerate((wide, telephone)):
        evidence = some.pool.evidence.take(np.array([row]))
        assert recent(some, row)[0] == pytest.approx(one.scale * (evidence.total / evidence.weight)[0] + one.offset)
        mean = evidence.sum[0] / evidence.blocks[0]
        assert now(some, row, whole=True).llr[0] == pytest.approx(one.scale * mean + one.offset)
    some.pool.open(slice(1, 2))
    assert now(some, 1).band_of(0) == "unknown", "the next call of that row"


def test_levels_and_their_peaks() -> None:
    audio = np.zeros((1, 40 * BLOCK), np.float32)
    audio[0, : 20 * BLOCK] = 0.1 * np.sqrt(2) * np.sin(np.arange(20 * BLOCK) * 0.5)
    some = player(audio)
    some.play(20)
    assert some.pool.level[0] == pytest.approx(-20.0, abs=0.1)
    some.play(20)
    assert some.pool.level[0] == pytest.approx(-120.0)
    assert some.pool.peak_level[0] == pytest.approx(-20.0 - 12.0 * 0.4, abs=0.1)


def test_traces_follow_the_rows_that_were_heard() -> None:
    audio = voices(2)
    audio[0, 30 * BLOCK + 3] = np.inf
    traces = Traces(2)
    some = Player(Pool(make_scorer(make_detector(), 2), Config(), traces), audio)
    some.play(40)
    some.play(10, rows=[1])
    assert (len(traces.spectrogram(0)), len(traces.spectrogram(1))) == (40, 50)
    assert np.isfinite(traces.spectrogram(0)).all()
    assert np.isnan(traces.timeline(1)).all(), "of less speech than a verdict needs"
    some.play(95, rows=[1])
    assert traces.timeline(1)[-1] == pytest.approx(recent(some, 1)[1])
    some.pool.open(slice(0, 1))
    assert len(traces.spectrogram(0)) == 0


def test_a_stream_that_says_clear_or_worse_was_heard_long_enough() -> None:
    some = player(voices(4), config=AT_ONCE)
    some.play(140)
    for row in range(4):
        verdicts = [i for i, result in enumerate(some.result[row]) if result[3] >= CLEAR]
        assert verdicts
        assert verdicts[0] >= 99


@pytest.mark.parametrize("floor", [0.0, 0.2, 0.5])
def test_families_of_many_rows_are_those_of_each(floor: float) -> None:
    weights = np.random.default_rng(1).random((40, 9)) ** 3
    weights[3], weights[5] = 0.0, 1.0
    names = FamilyNames(tuple("abcdefghi"), floor)
    assert names.likeliest(weights, 3) == [list(names.of(row)[:3]) for row in weights]
