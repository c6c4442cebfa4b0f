"""Own fakes and real voices: which are learned from, and what is measured before and after."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import make_weights, voice, write_wav

from model.checkpoint import load_detector
from training.corpora.clips import CorpusError
from training.learn.finetune import FineTunePlan, SetFigures, advice, figures_of, fine_tune, own_clips, table


def make_folder(root: Path, voices: int) -> Path:
    for i in range(voices):
        for name in ("real", "fake"):
            (root / name / f"v{i}").mkdir(parents=True)
            for j in range(2):
                samples = voice(3.0, seed=10 * i + j, hiss=name == "fake")
                write_wav(root / name / f"v{i}" / f"{j}.wav", samples)
    return root


def test_a_voice_is_in_one_split_alone_and_every_split_has_both(tmp_path: Path) -> None:
    clips = own_clips(make_folder(tmp_path, 7))
    assert len(clips) == 28
    for split in ("train", "dev", "test"):
        assert {clip.label for clip in clips if clip.split == split} == {0, 1}
    for speaker in {clip.speaker for clip in clips}:
        assert len({clip.split for clip in clips if clip.speaker == speaker}) == 1
    assert own_clips(tmp_path) == clips


def test_too_few_voices_are_one_error(tmp_path: Path) -> None:
    make_folder(tmp_path, 4)
    with pytest.raises(CorpusError, match="at least 5 each into the folders real and fake"):
        own_clips(tmp_path)


def test_figures_of_a_set() -> None:
    llr, labels = np.array([-2.0, 1.0, 3.0, -1.0]), np.array([0, 0, 1, 1])
    found = figures_of(llr, labels)
    assert (found.real, found.fake, found.real_over, found.fake_over) == (2, 2, 0.5, 0.5)
    assert figures_of(llr[:2], labels[:2]) == SetFigures(2, 0, 0.5, None, None)


def test_worse_on_what_was_held_back_is_said() -> None:
    better, worse = SetFigures(1, 1, 0.0, 1.0, 0.1), SetFigures(1, 1, 0.0, 1.0, 0.2)
    assert "no worse" in advice({"own, held back": {"before": worse, "after": better}})
    assert "worse than before on: lab" in advice({"lab": {"before": better, "after": worse}})
    assert "no worse" in advice({"own, learned from": {"before": better, "after": worse}})


@pytest.mark.slow
@pytest.mark.usefixtures("small_training")
def test_a_folder_is_learned_from_and_measured(tmp_path: Path) -> None:
    start = make_weights(tmp_path / "w.safetensors")
    folder = make_folder(tmp_path / "own", 5)
    plan = FineTunePlan(folder, tmp_path / "run", start, minutes=5.0, steps=4, cache=tmp_path / "cache", workers=1)
    figures = fine_tune(plan, lambda _: None)
    assert set(figures) == {"own, learned from", "own, held back"}
    assert load_detector(tmp_path / "run" / "weights.safetensors").weights_hash != load_detector(start).weights_hash
    result = json.loads((tmp_path / "run" / "finetune.json").read_text())
    held = result["own, held back"]["after"]
    assert (held["real"], held["fake"]) == (2, 2)
    assert "own, held back" in "\n".join(table(figures))
