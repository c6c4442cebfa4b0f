"""What makes a voice hard to judge: holes, noise and tones near a voice, clipping, a low level."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import Audio, voice
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE
from model.figures import Kind
from monitor.config.schema import AlertSection
from monitor.engine.quality import (
    GAPS,
    LONGEST,
    NOISE,
    PARTS,
    TONES,
    BlockFacts,
    Quality,
    assess,
    find_holes,
    in_words,
    init_quality,
)

CONFIG = AlertSection()


def muted(audio: Audio, muted_ms: float, every_ms: float) -> Audio:
    at = np.arange(len(audio)) % round(every_ms * SAMPLE_RATE / 1000)
    return np.where(at < round(muted_ms * SAMPLE_RATE / 1000), np.float32(0.0), audio)


def speech(samples: Audio) -> BlockFacts:
    """Blocks (N, BLOCK) that are taken for speech."""
    n = len(samples)
    return BlockFacts(samples, np.zeros(n, np.int64), np.ones(n, np.bool_), np.full(n, -25.0), np.zeros(n, np.bool_))


def heard(audio: Audio) -> tuple[Quality, float, float]:
    """The quality of one stream of speech; seconds in holes; share of the blocks that a hole spoils."""
    quality, parts, spoiled = init_quality(1), 0, []
    for block in audio[: len(audio) // BLOCK * BLOCK].reshape(-1, 1, BLOCK):
        parts += int(find_holes(quality, block).found[0])
        quality, gap = assess(CONFIG, quality, speech(block))
        spoiled.append(bool(gap[0]))
    return quality, parts * BLOCK / PARTS / SAMPLE_RATE, float(np.mean(spoiled))


@pytest.mark.parametrize(("muted_ms", "every_ms"), [(30.0, 60.0), (10.0, 25.0), (8.0, 50.0), (150.0, 400.0)])
def test_holes_are_found_shorter_than_a_block_and_longer(muted_ms: float, every_ms: float) -> None:
    quality, hole_s, _ = heard(muted(voice(10.0), muted_ms, every_ms))
    assert hole_s == pytest.approx(10.0 * muted_ms / every_ms, rel=0.15)
    assert quality.hard[0]
    assert quality.shares()[0, GAPS] > CONFIG.hard_share


def test_a_hole_of_near_silence_counts_as_one_of_zeros() -> None:
    noise = np.random.default_rng(0).standard_normal(160_000).astype(np.float32) * np.float32(1e-4)
    _, hole_s, _ = heard(muted(voice(10.0), 30.0, 60.0) + noise)
    assert hole_s == pytest.approx(5.0, rel=0.15)


def test_a_voice_and_its_pauses_hold_no_holes() -> None:
    audio = voice(10.0)
    fade = np.clip(np.sin(2 * np.pi * 0.5 * np.arange(len(audio)) / SAMPLE_RATE) * 4.0, 0.0, 1.0)
    quality, hole_s, spoiled = heard(audio * fade.astype(np.float32))
    assert (hole_s, spoiled) == (0.0, 0.0)
    assert not quality.hard[0]


def test_a_long_pause_is_no_hole() -> None:
    _, hole_s, _ = heard(muted(voice(10.0), 2.5 * LONGEST + 20.0, 1000.0))
    assert hole_s == 0.0


def judged(kinds: NDArray[np.int64], levels: NDArray[np.float64]) -> Quality:
    """One stream without holes, block by block."""
    quality = init_quality(1)
    for kind, level in zip(kinds, levels, strict=True):
        one, samples = np.array([kind]), np.full((1, BLOCK), 0.1, np.float32)
        facts = BlockFacts(samples, one, one == Kind.SPEECH, np.array([level]), np.zeros(1, np.bool_))
        quality, _ = assess(CONFIG, quality, facts)
    return quality


def test_noise_counts_where_it_is_as_loud_as_the_voice_and_near_it() -> None:
    kinds = np.tile([Kind.SPEECH, Kind.NOT_SPEECH, Kind.NOT_SPEECH], 200).astype(np.int64)
    loud, faint = judged(kinds, np.full(600, -25.0)), judged(kinds, np.where(kinds == Kind.SPEECH, -25.0, -45.0))
    assert loud.hard[0]
    assert loud.shares()[0, NOISE] == pytest.approx(2 / 3, abs=0.02)
    assert not faint.hard[0]
    hold_music = np.concatenate([np.full(200, Kind.SPEECH), np.full(3000, Kind.NOT_SPEECH)]).astype(np.int64)
    assert not judged(hold_music, np.full(3200, -25.0)).hard[0], "no voice is near"


def test_ringing_after_a_voice_is_no_impairment_though_its_beginnings_pass_for_speech() -> None:
    talk = np.full(500, Kind.SPEECH)
    beep = [Kind.SPEECH] * 2 + [Kind.NOT_SPEECH] * 6 + [Kind.RINGBACK] * 42 + [Kind.SILENCE] * 50
    kinds = np.concatenate([talk, *[np.array(beep)] * 12]).astype(np.int64)
    assert not judged(kinds, np.full(len(kinds), -25.0)).hard[0]
    assert not judged(kinds[500:], np.full(1200, -25.0)).hard[0]


def test_tones_clipping_and_a_low_level_are_named() -> None:
    kinds = np.tile([Kind.SPEECH, Kind.TONE, Kind.SPEECH, Kind.CLIPPING], 200).astype(np.int64)
    quality = judged(kinds, np.full(800, -25.0))
    assert quality.shares()[0, TONES] == pytest.approx(0.25, abs=0.02)
    assert in_words(quality.shares()[0]) in ("clipping 25 %, tones 25 %", "tones 25 %, clipping 25 %")
    spoken = np.full(200, Kind.SPEECH).astype(np.int64)
    assert in_words(judged(spoken, np.full(200, CONFIG.low_level_dbfs - 5.0)).shares()[0]) == "low level 100 %"
    assert not judged(spoken, np.full(200, -40.0)).hard[0]


def test_it_ends_once_the_speech_is_usable_again() -> None:
    kinds = np.concatenate([[Kind.SPEECH], np.full(499, Kind.GAP), np.full(2000, Kind.SPEECH)]).astype(np.int64)
    assert judged(kinds[:500], np.full(500, -25.0)).hard[0]
    assert not judged(kinds, np.full(2500, -25.0)).hard[0]


def test_where_nothing_but_lost_audio_came_there_is_no_voice_to_judge() -> None:
    lost = np.full(500, Kind.GAP).astype(np.int64)
    assert not judged(lost, np.full(500, -120.0)).hard[0]


def test_stacked_streams_are_assessed_as_each_alone() -> None:
    audio = np.stack([muted(voice(3.0, seed=i), 10.0 * i, 60.0) for i in range(3)]).reshape(3, -1, BLOCK)
    kinds = np.random.default_rng(0).integers(0, 10, audio.shape[:2])
    audio[1, 20:30, 7], made_up = np.nan, np.random.default_rng(1).random(audio.shape[:2]) < 0.05

    def facts(rows: slice, blocks: slice) -> BlockFacts:
        kind = kinds[rows, blocks].T.ravel()
        level = -20.0 - 4.0 * kind
        samples = audio[rows, blocks].swapaxes(0, 1).reshape(-1, BLOCK)
        return BlockFacts(samples, kind, kind == Kind.SPEECH, level, made_up[rows, blocks].T.ravel())

    together, alone = init_quality(3), [init_quality(1) for _ in range(3)]
    for b in range(audio.shape[1]):
        together, _ = assess(CONFIG, together, facts(slice(0, 3), slice(b, b + 1)))
        alone = [assess(CONFIG, q, facts(slice(i, i + 1), slice(b, b + 1)))[0] for i, q in enumerate(alone)]
    for name in Quality.__dataclass_fields__:
        assert np.array_equal(getattr(together, name), np.concatenate([getattr(one, name) for one in alone])), name
