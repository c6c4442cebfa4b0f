"""Streams that are judged one by one in plain numbers are judged to the bit as all of them as arrays."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from helpers import Audio, voice

from model.config import BLOCK
from model.figures import Kind
from monitor.config.schema import AlertSection, Config, EvidenceSection
from monitor.engine.evidence import Scaling
from monitor.engine.judge import ScoredBlocks, init_states, judge
from monitor.engine.judge_in_turn import judge_in_turn
from monitor.engine.one_stream import Limits
from monitor.engine.outputs import ScorerOutputs

FAMILIES = 3
CONFIG = Config(
    evidence=EvidenceSection(min_speech_s=0.5, memory_s=0.1),
    alerts=AlertSection(
        alert_hold_s=0.06,
        close_hold_s=0.1,
        suspicious_hold_s=0.04,
        unknown_after_s=0.2,
        update_every_s=0.1,
        undecided_after_s=0.1,
        whole_after_s=0.8,
    ),
)


def scored(rng: np.random.Generator, streams: int, turns: int, audio: Audio, at: int) -> ScoredBlocks:
    """Random figures that wander, over voices with holes: turns * streams blocks, in turn."""
    size = streams * turns
    wave = rng.choice([1.0, 5.0]) * np.sin(0.1 * np.arange(at, at + turns)) + rng.choice([-1.0, 1.5])
    walk = np.repeat(wave, streams) + rng.normal(0.0, 0.5, size)
    speaks = rng.choice([0.6, 1.0])
    kind = np.where(rng.random(size) < speaks, Kind.SPEECH, rng.integers(0, len(Kind), size)).astype(np.int64)
    samples = np.tile(audio[at : at + turns, None], (1, streams, 1)).reshape(size, BLOCK)
    samples[rng.random(size) < 0.01, 7] = np.nan
    outputs = ScorerOutputs(
        sound=rng.random(size) < 0.98,
        level=rng.uniform(-60.0, -10.0, size),
        kind=kind,
        warm=rng.random(size) < 0.95,
        active=kind == Kind.SPEECH,
        logit=np.clip(walk, -8.0, 8.0),
        speech=rng.random(size) ** 0.1,
        bandwidth=rng.integers(0, 3, size),
        family=rng.dirichlet(np.ones(FAMILIES), size),
    )
    return ScoredBlocks(
        outputs,
        samples,
        np.repeat((at + 1 + np.arange(turns)) * BLOCK, streams),
        rng.random(size) < rng.choice([0.9, 1.0]),
        rng.random(size) < rng.choice([0.0, 0.1]),
        Scaling(rng.uniform(0.5, 2.0, size), rng.normal(0.0, 0.1, size)),
    )


def part(blocks: ScoredBlocks, which: slice) -> ScoredBlocks:
    """Return some of the blocks."""

    def of(values: object) -> dict[str, np.ndarray]:
        return {f.name: getattr(values, f.name)[which] for f in fields(values)}  # type: ignore[arg-type]

    rest = {name: getattr(blocks, name)[which] for name in ("samples", "end", "usable", "made_up")}
    return ScoredBlocks(ScorerOutputs(**of(blocks.outputs)), **rest, scaling=Scaling(**of(blocks.scaling)))


def judged_both_ways(seed: int) -> set[str]:
    """Judge some streams in turn and block by block, and compare. Return what happened to them."""
    rng = np.random.default_rng(seed)
    streams, turns = int(rng.integers(1, 4)), int(rng.integers(2, 90)) if seed else 1
    voiced = voice(8.0, seed=seed)
    holes = np.arange(len(voiced)) % 2000 < rng.choice([0, 0, 600])
    audio = np.where(holes, np.float32(0.0), voiced)[: 4 * turns * BLOCK].reshape(-1, BLOCK)
    together, in_turn = (init_states(streams + 2, FAMILIES) for _ in range(2))
    rows, happened = np.arange(1, streams + 1), set[str]()
    for at in range(0, 4 * turns, turns):
        blocks = scored(rng, streams, turns, audio, at)
        found = judge_in_turn(Limits(CONFIG), in_turn, rows, blocks)
        for turn in range(turns):
            now = slice(turn * streams, (turn + 1) * streams)
            expected = judge(CONFIG, together, slice(1, streams + 1) if seed % 2 else rows, part(blocks, now))
            for name, value in vars(expected).items():
                pairs = vars(value) if name == "changes" else {name: value}
                for key, single in pairs.items():
                    each = getattr(found.changes if name == "changes" else found, key)
                    np.testing.assert_array_equal(each[now], single, key)
                    happened |= {key} if single.dtype == bool and single.any() else set()
        for name, values in vars(together).items():
            for key, single in vars(values).items():
                np.testing.assert_array_equal(getattr(getattr(in_turn, name), key), single, f"{name}.{key}")
    return happened


def test_blocks_in_turn_are_judged_as_one_by_one() -> None:
    happened = set().union(*(judged_both_ways(seed) for seed in (0, 4, 5, 6)))
    assert happened >= {"votes", "hard", "turned", "updated", "closed", "by_whole"}
