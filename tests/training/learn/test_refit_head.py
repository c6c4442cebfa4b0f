"""The last layer fitted anew, and channels made even."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import make_corpus

from model.checkpoint import read_detector, save_detector
from model.config import DetectorConfig, FeatureConfig, NetworkConfig
from model.stream import Detector
from model.weights_file import CheckpointError
from training.corpora.clips import Clip
from training.evaluate.detection_metrics import auc
from training.learn.refit_head import RefitPlan, balance, channel_shifts, evening, fitted_head, run

RNG = np.random.default_rng(1)


def test_each_label_weighs_a_half_and_voices_by_the_root_of_their_number_within_the_share_of_their_part() -> None:
    fakes = [*[("a", "anna")] * 4, ("a", "ben"), ("tts", "")]
    clips = [Clip(Path(), 0, "", "real", "eve", part="pages")]
    clips += [Clip(Path(), 1, "", system, voice, part="pages" if voice else "tts") for system, voice in fakes]
    weights = balance(clips, {})
    assert weights[0] == pytest.approx(0.5)
    assert weights[1:5].sum() == pytest.approx(2 * weights[5]) == pytest.approx(1 / 6)
    assert weights[6] == pytest.approx(0.25)
    assert balance(clips, {"pages": 0.6, "tts": 0.4})[6] == pytest.approx(0.2)


def test_the_head_learns_what_its_states_say_and_a_penalty_holds_it_back() -> None:
    labels = np.arange(400) % 2
    states = RNG.standard_normal((400, 6))
    states[:, 2] += labels
    logits = RNG.standard_normal(400) + 0.5 * labels
    weights = np.full(400, 1 / 400)
    added = fitted_head(states, logits, labels, weights, ridge=0.001)
    assert np.argmax(np.abs(added)) == 2
    assert auc(logits + states @ added, labels) > auc(logits, labels) + 0.05
    assert np.linalg.norm(fitted_head(states, logits, labels, weights, ridge=10.0)) < 0.1 * np.linalg.norm(added)


def test_channels_are_not_made_even_for_scores_that_tell_nothing() -> None:
    labels = np.arange(300) % 2
    with pytest.raises(CheckpointError, match="tells nothing of these clips"):
        channel_shifts(np.stack([-labels, -labels + 1.0]), labels)


def test_what_a_channel_does_to_all_scores_is_found_and_undone() -> None:
    labels = np.arange(300) % 2
    states = np.repeat(RNG.standard_normal((1, 300, 5)), 3, axis=0)
    states[..., 0] += 2.0 * labels
    states[:, :, 3] = 0.1 * states[:, :, 3] + np.array([0.0, 1.0, 2.0])[:, None]
    logits = states[..., 0] + states[..., 3]
    shifts = channel_shifts(logits, labels)
    np.testing.assert_allclose(shifts, [1.0, 0.0, -1.0], atol=0.15)
    evened = logits + states @ evening(states, shifts, labels)
    assert np.abs(channel_shifts(evened, labels)).max() < 0.2
    assert min(auc(some, labels) for some in evened) > auc(logits[0], labels) - 0.02


SEED_THAT_TELLS = 6
"""A network drawn with it scores the fakes of the tiny corpus two deviations higher."""


@pytest.mark.parametrize(("kind", "layer"), [("linear", "spoof"), ("codec", "spoof.spoof")])
def test_the_command_changes_the_head_alone(tmp_path: Path, kind: str, layer: str) -> None:
    torch.manual_seed(SEED_THAT_TELLS)
    corpus = make_corpus(tmp_path / "corpus").parent
    network = NetworkConfig("cnn-lstm", (4, 6), embedding=8, hidden=8, head=kind)
    detector = Detector(DetectorConfig(features=FeatureConfig("mel"), network=network))
    torch.nn.init.constant_(detector.network.speech.bias, 3.0)
    save_detector(detector, tmp_path / "w.safetensors", {})
    told: list[str] = []
    plan = RefitPlan(
        tmp_path / "w.safetensors",
        [corpus],
        tmp_path / "made.safetensors",
        tmp_path / "cache",
        2,
        channels=["clean", "narrow"],
    )
    before, after = (read_detector(p).state_dict() for p in (plan.weights, run(plan, told.append)))
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == [f"network.{layer}.weight", f"network.{layer}.bias"]
    assert any("shifts of the channels" in line for line in told)
