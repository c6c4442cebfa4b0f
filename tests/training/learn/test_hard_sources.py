"""Sources that the starting weights do badly on are drawn oftener."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import read_detector
from model.weights_file import DEFAULT_WEIGHTS
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip, CorpusError
from training.learn.hard_sources import FEW, LEAST, MOST, factors, group, mined, some_of_each


def _clip(i: int, label: int, source: str, part: str = "pages", system: str = "x") -> Clip:
    return Clip(Path(f"{i}.wav"), label, "f", system if label else "bonafide", "", part=part, source=source)


def test_a_source_is_drawn_by_its_loss_over_that_of_all_of_its_label() -> None:
    clips = [
        *(_clip(i, 1, "easy") for i in range(3)),
        *(_clip(i, 1, "hard") for i in range(3)),
        _clip(9, 1, "hard", system="y"),
        _clip(10, 0, "easy"),
        _clip(11, 0, "hopeless"),
        _clip(12, 1, "lab", part="lab"),
    ]
    loss = {group(clips[0]): 0.5, group(clips[3]): 1.0, group(clips[6]): 3.0}
    loss |= {group(clips[7]): 0.1, group(clips[8]): 1.9}
    # "hard" has 3 clips of 1 nat and one of 3: 1.5; with "easy", 1.0 is usual among the fakes.
    np.testing.assert_allclose(factors(clips, loss), [0.5] * 3 + [1.5] * 4 + [LEAST, 1.9, 1.0])
    assert factors(clips, loss | {group(clips[8]): 1000.0}).max() <= MOST
    fakes_alone = {name: value for name, value in loss.items() if name[2]}
    np.testing.assert_allclose(factors(clips, fakes_alone), [0.5] * 3 + [1.5] * 4 + [1.0] * 3)


def test_a_few_clips_of_each_system_and_of_the_recordings_are_scored() -> None:
    clips = [_clip(i, 1, "page", system="xy"[i % 2]) for i in range(30)] + [_clip(40, 0, "page"), _clip(41, 0, "page")]
    chosen = some_of_each(clips, ["pages"])
    assert sorted(map(len, chosen.values())) == [2, FEW, FEW]
    assert all(group(clips[i]) == name for name, rows in chosen.items() for i in rows)
    with pytest.raises(CorpusError, match="no training clip is of part wyld; there are pages"):
        some_of_each(clips, ["wyld", "pages"])


def test_sources_are_scored_by_the_weights() -> None:
    rng = np.random.default_rng(1)
    tone = np.sin(np.arange(24_000) * 0.05) * (1 + np.sin(np.arange(24_000) * 0.002))
    voiced = (tone * 8000 + rng.normal(size=24_000) * 800).astype(np.int16)
    clips = [_clip(0, 0, "one"), _clip(1, 0, "two"), _clip(2, 1, "one"), _clip(3, 1, "two")]
    audio = np.concatenate([voiced, rng.integers(-900, 900, 24_000).astype(np.int16)] * 2)
    bank = AudioBank(clips, audio, np.arange(5) * 24_000)
    said: list[str] = []
    made = mined(read_detector(DEFAULT_WEIGHTS), bank, ["pages"], said.append)
    assert made.shape == (4,)
    assert ((made >= LEAST) & (made <= MOST)).all()
    assert made[0] != made[1]
    assert "times as often" in said[-1]
    np.testing.assert_array_equal(mined(read_detector(DEFAULT_WEIGHTS), bank, ["pages"], said.append), made)
