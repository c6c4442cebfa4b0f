"""training classes: on a corpus of synthetic sounds from end to end, and the classifier and open set on their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import make_weights
from tiny_corpus import hiss, make_corpus, voice
from typer.testing import CliRunner

from model.checkpoint import load_detector
from model.stream import Detector
from training.cli import main
from training.corpora.clips import CorpusError
from training.evaluate.classes import VIEWS, choose, fit, held_out, report, take
from training.evaluate.embedding import Embeddings, embed, spectrum_statistics, tsne
from training.evaluate.open_set import leave_systems_out, left_out
from training.evaluate.scoring import ClipScore, score_clips

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(make_weights(tmp_path_factory.mktemp("weights") / "hiss.safetensors"))


def clouds(kinds: int, each: int, seed: int = 0, spread: float = 0.4) -> tuple[Embeddings, np.ndarray]:
    """Clips of `kinds` systems whose conv vectors lie around corners of their own; the other views say nothing."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"system-{k:02d}" for k in range(kinds)], each)
    place = np.repeat(np.eye(kinds), each, axis=0) * 4.0
    noise = [rng.standard_normal((len(names), kinds)).astype(np.float32) for _ in range(3)]
    score = ClipScore(0.0, 0.0, np.zeros(3, dtype=np.float32), 1.0)
    seen = Embeddings(noise[0], (place + spread * noise[1]).astype(np.float32), noise[2], (score,) * len(names))
    return seen, names


def test_the_embedding_is_what_the_streaming_step_makes(detector: Detector) -> None:
    clips = [voice(i, 1.0 + 0.3 * i).astype(np.float32) for i in range(3)]
    together, alone = embed(detector, clips, size=2), embed(detector, clips[1:2])
    width = detector.network.spoof.in_features
    assert together.hidden.shape == (3, 2 * width)
    np.testing.assert_allclose(together.hidden[1], alone.hidden[0], atol=1e-5)
    np.testing.assert_allclose(together.conv[1], alone.conv[0], atol=1e-5)
    weight, bias = detector.network.spoof.weight[0], detector.network.spoof.bias[0]
    for row, score in enumerate(score_clips(detector, clips)):
        logit = float(torch.from_numpy(together.hidden[row, :width]) @ weight + bias)
        assert logit == pytest.approx(score.logit, abs=1e-4), "the head is linear in the mean of the hidden state"
    assert not detector.network.recurrent._forward_hooks


def test_a_clip_without_speech_has_an_embedding_of_zeros(detector: Detector) -> None:
    found = embed(detector, [np.zeros(8000, dtype=np.float32), np.zeros(100, dtype=np.float32)])
    assert not found.hidden.any()
    assert np.isfinite(found.spectrum).all()


def test_the_spectrum_tells_hiss_from_none() -> None:
    quiet = voice(1).astype(np.float32)
    loud = (quiet + hiss(1, len(quiet))).astype(np.float32)
    gap = (spectrum_statistics(loud) - spectrum_statistics(quiet))[:513]
    assert gap[400:500].min() > 3.0
    assert abs(gap[:300].mean()) < 0.5


def test_the_view_is_chosen_by_speakers_held_out() -> None:
    seen, names = clouds(4, 20)
    speakers = np.array([str(i % 10) for i in range(len(names))])
    result: list[str] = []
    model, figures = choose(seen, names, speakers, result.append)
    assert model.view == "conv"
    assert figures["conv"]["accuracy"] == 1.0
    assert figures["hidden"]["accuracy"] < 0.6
    assert len(result) == len(VIEWS)
    assert 0.3 < model.unknown_below < 1.0
    with pytest.raises(CorpusError, match="two speakers"):
        held_out(seen, names, np.array(["a"] * len(names)), "conv")


def test_a_speaker_is_never_in_both_folds() -> None:
    """Names follow the speaker: who is held out cannot be named."""
    seen, names = clouds(6, 12)
    result, _ = held_out(seen, names, names, "conv")
    assert not (result == names).any()


def test_probabilities_add_up_to_one() -> None:
    seen, names = clouds(3, 10)
    for rows in (np.arange(30), np.arange(20)):
        model = fit(take(seen, rows), names[rows], "hidden+conv")
        np.testing.assert_allclose(model.probabilities(seen).sum(1), 1.0, atol=1e-6)
        assert (model.names(seen)[rows] == names[rows]).all()


def test_a_report_has_precision_recall_and_counts() -> None:
    true, result = np.array(["a", "a", "a", "b"]), np.array(["a", "a", "b", "b"])
    found = report(result, true, ["a", "b"])
    assert (found["accuracy"], found["balanced_accuracy"]) == (0.75, pytest.approx(5 / 6))
    assert found["classes"]["b"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "clips": 1}
    assert found["confusion"] == [[2, 1], [0, 1]]


def test_what_was_left_out_is_less_sure() -> None:
    found = left_out("x", np.array([0.9, 0.8, 0.7]), np.array([0.5, 0.75]), 0.72)
    assert (found.clips, found.auroc, found.unknown) == (2, pytest.approx(5 / 6), 0.5)
    assert found.known_unknown == pytest.approx(1 / 3)
    train, names = clouds(5, 20)
    dev, dev_names = clouds(5, 6, seed=1)
    each = leave_systems_out(train, names, dev, dev_names, "conv", 0.9)
    assert [x.name for x in each] == sorted(set(names.tolist()))
    assert {x.clips for x in each} == {26}
    assert np.mean([x.auroc for x in each]) > 0.9


def test_points_of_one_cloud_stay_together() -> None:
    seen, names = clouds(2, 15)
    places = tsne(seen.conv)
    centres = np.stack([places[names == name].mean(0) for name in sorted(set(names.tolist()))])
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * places[:15].std()


def test_the_command_writes_figures_classifier_and_pictures(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus").parent
    weights = make_weights(tmp_path / "hiss.safetensors")
    words = ["classes", "--corpus", str(corpus), "--weights", str(weights), "--out", str(tmp_path / "out")]
    words += ["--cache", str(tmp_path / "cache"), "--fewest", "4", "--workers", "1", "--device", "cpu"]
    done = CliRunner().invoke(main.app, words)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert found["dev"] == {"bonafide": 12, "melgan": 4, "vits": 4, "world": 4}
    assert found["family_head"]["classes"]["bonafide"]["recall"] == 1.0
    assert found["family_head"]["classes"]["gan-vocoder"]["recall"] == 1.0, "the weights say gan-vocoder to all"
    assert found["systems"]["classes"]["bonafide"]["recall"] == 1.0, "the hiss is easily seen"
    assert found["systems"]["clips"] == 24
    for name in ("confusion", "confusion-families", "embedding"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 5000
    few = CliRunner().invoke(main.app, [*words[:-6], "--fewest", "400", "--workers", "1"])
    assert "lower --fewest" in str(few.exception)
