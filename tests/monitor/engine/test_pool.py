"""The pool: many streams in one step score as each alone, start cold, and survive faults of the network."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from helpers import make_scorer
from numpy.typing import NDArray
from pool_player import AT_ONCE, Rows, Said, make_detector, now, player, recent, voices

from model.config import BLOCK, SAMPLE_RATE
from model.figures import Kind
from monitor.audio import Audio, Blocks
from monitor.config.schema import Config
from monitor.engine.decision import LISTENING, UNKNOWN, Decision
from monitor.engine.evidence import Evidence
from monitor.engine.pool import Pool
from monitor.engine.results import REASONS, Results
from monitor.engine.traces import Traces
from monitor.types import Reason


def alone(audio: Audio, blocks: int, network: str = "cnn-lstm") -> list[Said]:
    one = player(audio[None], network)
    one.play(blocks)
    return one.result[0]


def assert_same(a: list[Said], b: list[Said]) -> None:
    np.testing.assert_allclose(np.array(a), np.array(b), rtol=0, atol=1e-4)


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
    "place", ["monitor.scoring.onnx_network.OnnxNetwork.run", "monitor.scoring.onnx_scorer.bandwidth"]
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
