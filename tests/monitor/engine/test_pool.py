"""The pool: many streams in one step score as each alone, start cold, and survive faults of the network."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers import make_scorer, voice
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE, Calibration, DetectorConfig, NetworkConfig
from model.figures import Bandwidth, Kind
from model.stream import Detector
from monitor.audio import Audio, Blocks
from monitor.config.schema import AlertSection, Config
from monitor.engine.decision import CLEAR, LISTENING, UNKNOWN, Decision
from monitor.engine.evidence import Evidence
from monitor.engine.pool import Pool
from monitor.engine.results import REASONS, FamilyNames, Results, Verdicts
from monitor.engine.traces import Traces
from monitor.types import Reason

AT_ONCE = Config(alerts=AlertSection(undecided_after_s=0.0))
"""With the first verdict undecided, where the evidence is weak."""

Rows = list[int]
Said = tuple[float, float, int, int]
"""llr, p_fake, kind and state."""


def make_detector(network: str = "cnn-lstm") -> Detector:
    """Untrained, small, takes everything that passes the gate for speech, and depends visibly on what it hears."""
    torch.manual_seed(0)
    config = NetworkConfig(kind=network, channels=(4, 6), embedding=16, hidden=12, layers=2)
    detector = Detector(DetectorConfig(network=config))
    with torch.no_grad():
        detector.network.speech.bias.fill_(5.0)
        detector.network.spoof.weight.mul_(10.0)
        detector.network.family.weight.mul_(10.0)
    return detector.prepared()


def voices(streams: int, seconds: float = 3.0) -> Audio:
    """Voices that differ: (streams, n)."""
    return np.stack([voice(seconds, hiss=bool(i % 2), seed=i + 1) for i in range(streams)])


class Player:
    """Feeds a pool from recordings, one for each row, and remembers what each row said."""

    def __init__(self, pool: Pool, audio: Audio) -> None:
        self.pool, self.audio = pool, audio
        self.at = np.zeros(len(audio), dtype=np.int64)
        self.result: list[list[Said]] = [[] for _ in audio]

    def step(self, rows: Rows) -> Results:
        index = np.array(rows, dtype=np.int64)
        samples = np.stack([self.audio[r, self.at[r] : self.at[r] + BLOCK] for r in rows])
        self.at[index] += BLOCK
        results = self.pool.step(Blocks(index, samples, self.at[index], np.zeros(len(rows))))
        for i, row in enumerate(rows):
            figures = float(results.llr[i]), float(results.p_fake[i])
            self.result[row].append((*figures, int(self.pool.kind[row]), int(self.pool.decision.state[row])))
        return results

    def play(self, blocks: int, rows: Rows | None = None) -> None:
        for _ in range(blocks):
            self.step(list(range(len(self.audio))) if rows is None else rows)


def player(audio: Audio, network: str = "cnn-lstm", config: Config | None = None) -> Player:
    return Player(Pool(make_scorer(make_detector(network), len(audio)), config or Config()), audio)


def alone(audio: Audio, blocks: int, network: str = "cnn-lstm") -> list[Said]:
    one = player(audio[None], network)
    one.play(blocks)
    return one.result[0]


def assert_same(a: list[Said], b: list[Said]) -> None:
    np.testing.assert_allclose(np.array(a), np.array(b), rtol=0, atol=1e-4)


def now(some: Player, row: int, *, whole: bool = False) -> Verdicts:
    return some.pool.verdicts(slice(row, row + 1), whole=whole)


def recent(some: Player, row: int) -> tuple[float, float]:
    """llr and p_fake."""
    return float(now(some, row).llr[0]), float(now(some, row).p_fake[0])


def copies(pool: Pool) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Evidence, decisions and network state as they are now."""
    evidence = {f: getattr(pool.evidence, f).copy() for f in Evidence.__dataclass_fields__}
    decision = {f: getattr(pool.decision, f).copy() for f in Decision.__dataclass_fields__}
    return evidence, decision, pool.scorer.save(np.arange(pool.rows))


def assert_unchanged(pool: Pool, before: Any) -> None:
    for old, new in zip(before, copies(pool), strict=True):
        for name in old:
            assert np.array_equal(old[name], new[name]), name


def test_what_is_concealed_is_heard_by_the_network_and_is_no_evidence() -> None:
    audio = voices(2)
    whole, holed = player(audio), player(audio)
    made_up = np.zeros((2, BLOCK), np.bool_)
    made_up[1, 5:40] = True
    for turn in range(100):
        rows = [0, 1]
        whole.step(rows)
        index, at = np.array(rows), holed.at + BLOCK
        samples = np.stack([audio[r, holed.at[r] : at[r]] for r in rows])
        concealed = made_up if turn % 10 == 9 else None
        results = holed.pool.step(Blocks(index, samples, at, np.zeros(2), concealed))
        holed.at[:] = at
        if concealed is not None:
            assert now(holed, 1).reason_of(0) is Reason.GAP
            assert not results.votes[1]
    one, other = (some.pool.scorer.save(np.arange(2)) for some in (whole, holed))
    assert all(np.array_equal(one[name], other[name]) for name in one), "the network heard the same"
    heard, less = whole.pool.evidence.blocks, holed.pool.evidence.blocks
    assert heard[0] == less[0]
    assert less[1] == heard[1] - 10


# Stacked.


@pytest.mark.parametrize("network", ["cnn-lstm", "lstm", "cnn"])
def test_stacked_streams_score_as_each_alone(network: str) -> None:
    audio = voices(3)
    together = player(audio, network)
    together.play(140)
    for row in range(3):
        assert_same(together.result[row], alone(audio[row], 140, network))
    assert len({result[-1][0] for result in together.result}) == 3, "streams that cannot be told apart prove nothing"


@pytest.mark.parametrize("turns", [2, 7, 40])
def test_a_recording_is_judged_in_segments_as_block_by_block(turns: int) -> None:
    """To the bit, everything that is said of every block: audio that was lost, concealed and invalid among it."""
    audio = voices(2, 4.0)
    audio[0, SAMPLE_RATE : SAMPLE_RATE + 700] = np.nan
    audio[1, 2 * SAMPLE_RATE] = np.inf
    audio[1, 3 * SAMPLE_RATE :] = 0.0
    concealed = np.zeros(audio.shape, np.bool_)
    concealed[0, 20_000:21_000] = True
    blocks, config = audio.shape[1] // BLOCK, Config(evidence={"min_speech_s": 0.5}, alerts={"unknown_after_s": 0.4})

    def judged(size: int) -> list[Results]:
        pool = Pool(make_scorer(make_detector(), 2, recorded=True), config, Traces(2))
        found = []
        for at in range(0, blocks, size):
            n = min(size, blocks - at)
            part = [
                x.reshape(2, -1, BLOCK)[:, at : at + n].swapaxes(0, 1).reshape(-1, BLOCK) for x in (audio, concealed)
            ]
            end = np.repeat((at + 1 + np.arange(n)) * BLOCK, 2)
            found.append(pool.step(Blocks(np.tile([0, 1], n), part[0], end, np.zeros(2 * n), part[1], turns=n)))
        verdicts, traces = pool.verdicts(slice(0, 2), whole=True), pool.traces
        assert traces is not None
        ends.append([verdicts.llr, verdicts.families, traces.timeline(0), traces.spectrogram(1)])
        return found

    ends: list[list[NDArray[Any]]] = []
    expected, found = judged(1), judged(turns)
    for f in fields(Results):
        if f.name not in ("family_names", "changes"):
            one, other = (np.concatenate([getattr(r, f.name) for r in results]) for results in (expected, found))
            np.testing.assert_array_equal(other, one, f.name)
    assert {*np.concatenate([r.state for r in found]).tolist()} >= {LISTENING, UNKNOWN}
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_streams_that_are_not_always_ready_score_as_each_alone() -> None:
    audio = voices(4)
    together = player(audio)
    random = np.random.default_rng(0)
    while together.at.min() < 130 * BLOCK:
        behind = np.flatnonzero((together.at < 130 * BLOCK) & (random.random(4) < 0.6))
        if len(behind):
            together.step(behind.tolist())
    for row in range(4):
        assert_same(together.result[row], alone(audio[row], 130))


# Opened and closed.


def test_an_opened_row_is_cold_and_the_others_go_on() -> None:
    audio = voices(3)
    some = player(audio)
    some.play(120)
    some.pool.open(slice(1, 2))
    some.audio[1] = np.roll(audio[2], 999)
    some.at[1], some.result[1] = 0, []
    assert now(some, 1).reason_of(0) is Reason.SILENCE
    assert now(some, 1).families_of(0) == ()
    assert recent(some, 1) == (0.0, 0.5)
    some.play(25)
    assert_same(some.result[1], alone(some.audio[1], 25))
    assert_same(some.result[0], alone(audio[0], 145))


def test_no_verdict_before_enough_speech() -> None:
    some = player(voices(1), config=AT_ONCE)
    some.play(99)
    assert [result[3] for result in some.result[0]] == [LISTENING] * 99
    assert some.pool.evidence.blocks[0] == 99
    some.play(1)
    assert some.pool.decision.state[0] != LISTENING


# What is evidence.


def test_input_that_cannot_be_trusted_is_unknown_until_it_can() -> None:
    some = player(voices(2, 4.0), config=AT_ONCE)
    some.play(110)
    state = some.pool.decision.state.copy()
    assert UNKNOWN not in state
    assert some.pool.set_usable(slice(1, 2), False).tolist() == [1]
    assert some.pool.decision.state.tolist() == [state[0], UNKNOWN]
    assert some.pool.set_usable(slice(1, 2), False).tolist() == [], "said once"
    some.play(10)
    assert some.pool.decision.state[1] == UNKNOWN
    assert some.pool.decision.state[0] != UNKNOWN
    assert some.pool.set_usable(slice(0, 2), True).tolist() == []
    assert some.pool.decision.state[1] == UNKNOWN, "until speech is heard again"
    some.play(5)
    assert some.pool.decision.state[1] not in (UNKNOWN, LISTENING)


def test_lost_audio_is_named_and_is_no_evidence() -> None:
    audio = voices(2)
    audio[1, 60 * BLOCK : 61 * BLOCK] = np.nan
    some = player(audio)
    some.play(60)
    blocks = some.pool.evidence.blocks.copy()
    some.play(1)
    assert (some.pool.evidence.blocks - blocks).tolist() == [1, 0]
    assert [now(some, row).reason_of(0) for row in (0, 1)] == [Reason.SPEECH, Reason.GAP]


def test_what_the_network_doubts_is_no_evidence() -> None:
    config = Config.model_validate({"evidence": {"min_speech_probability": 0.999}})
    some = player(voices(1), config=config)
    some.play(50)
    assert some.pool.evidence.blocks[0] == 0
    assert now(some, 0).reason_of(0) is Reason.NOT_SPEECH


def test_every_kind_has_a_reason() -> None:
    assert set(REASONS) == set(Kind)


# Faults of the network.


@pytest.mark.parametrize(
    "place", ["monitor.scoring.onnx_scorer.OnnxNetwork.run", "monitor.scoring.onnx_scorer.bandwidth"]
)
@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 2]])
def test_a_network_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch, place: str, rows: Rows) -> None:
    some = player(voices(3))
    some.play(60)
    before, at = copies(some.pool), some.at.copy()

    def fail(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            some.step(rows)
    assert_unchanged(some.pool, before)
    some.at = at
    some.play(60)
    for row in range(3):
        assert_same(some.result[row], alone(some.audio[row], 120))


def test_a_score_that_is_no_number_is_no_evidence_and_the_stream_starts_again() -> None:
    some = player(voices(2))
    some.play(110)
    assert UNKNOWN not in some.pool.decision.state
    row = np.array([1])
    some.pool.scorer.load(row, some.pool.scorer.save(row) | {"c0": np.full((1, 12), np.nan, np.float32)})
    before, _, _ = copies(some.pool)
    results = some.step([0, 1])
    assert some.pool.evidence.blocks.tolist() == [111, 110]
    for name in ("weight", "total", "sum", "families", "all_families"):
        assert np.array_equal(getattr(some.pool.evidence, name)[1], before[name][1]), name
    assert np.isfinite(results.llr).all()
    assert some.pool.decision.state[1] == UNKNOWN
    assert some.pool.decision.state[0] != UNKNOWN
    assert all(np.isfinite(state).all() for state in some.pool.scorer.save(np.arange(2)).values())
    some.play(30)
    assert some.pool.evidence.blocks.tolist() == [141, 140]
    assert some.pool.decision.state[1] != UNKNOWN
    assert_same(some.result[0], alone(some.audio[0], 141))  # the other stream heard nothing of it


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
