"""Losses against their papers' formulas, optimisers, and trainings with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import voice
from torch import Tensor, nn
from typer.testing import CliRunner

from model.checkpoint import describe, load_detector
from model.config import BLOCK, DetectorConfig, NetworkConfig
from model.network import NetworkOutput, OneClassHead
from model.stream import Detector, init_state, step
from training.cli.main import app
from training.learn.losses import LossWeights, training_loss
from training.learn.optimisers import OPTIMISERS, build_optimiser
from training.learn.penalties import PAIR_MARGIN, TEMPERATURE, contrastive, focal, margins_of_pairs, one_class
from training.learn.sampler import NO_LABEL, TrainingBatch

pytestmark = pytest.mark.usefixtures("small_training")


def test_the_focal_loss_is_that_of_the_paper() -> None:
    logit, target = torch.tensor([2.0, -1.0, 2.0, 0.0]), torch.tensor([1.0, 1.0, 0.0, 1.0])
    p = 1 / (1 + np.exp(-logit.numpy()))
    p_t = np.where(target.numpy() == 1, p, 1 - p)
    np.testing.assert_allclose(focal(logit, target), -((1 - p_t) ** 2) * np.log(p_t), rtol=1e-5)


def test_the_one_class_softmax_is_that_of_the_paper() -> None:
    """L = log(1 + exp(alpha (m_y - w x) (-1)^y)), y = 0 bona fide, with alpha 20, m_0 = 0.9 and m_1 = 0.2."""
    torch.manual_seed(0)
    head, x, label = OneClassHead(8), torch.randn(1, 6, 8), torch.tensor([0, 1, 0, 1, 1, 0])
    w = head.weight.detach()[0].numpy()
    cosine = (x[0].numpy() @ w) / np.linalg.norm(w) / np.linalg.norm(x[0].numpy(), axis=1)
    margin = np.where(label.numpy() == 0, 0.9, 0.2)
    paper = np.log1p(np.exp(20.0 * (margin - cosine) * (-1.0) ** label.numpy()))
    found = one_class(head(x)[0, :, 0], label.float())
    np.testing.assert_allclose(found.detach(), paper, rtol=1e-4)


def test_the_contrastive_loss_is_that_of_the_paper() -> None:
    torch.manual_seed(1)
    x, label = torch.randn(6, 4), [0, 0, 1, 1, 1, 2]
    z = (x / x.norm(dim=1, keepdim=True)).numpy() / np.sqrt(TEMPERATURE)
    losses = []
    for i in range(6):
        others = [a for a in range(6) if a != i]
        positives = [p for p in others if label[p] == label[i]]
        if positives:
            below = sum(np.exp(z[i] @ z[a]) for a in others)
            losses.append(-np.mean([np.log(np.exp(z[i] @ z[p]) / below) for p in positives]))
    assert float(contrastive(x, torch.tensor(label))) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("label", [[], [0], [0, 1]])
def test_without_two_of_a_label_there_is_nothing_to_contrast(label: list[int]) -> None:
    x = torch.randn(len(label), 4, requires_grad=True)
    loss = contrastive(x, torch.tensor(label, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0.0
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_a_pair_is_asked_for_its_margin_and_where_there_is_none_for_nothing() -> None:
    gain = torch.tensor([PAIR_MARGIN + 20.0, PAIR_MARGIN, -3.0])
    one = torch.tensor([True, False, False])
    assert float(margins_of_pairs(gain, one)) < 1e-6
    assert float(margins_of_pairs(gain, torch.tensor([False, True, False]))) == pytest.approx(np.log(2))
    assert float(margins_of_pairs(gain, torch.tensor([False, True, True]))) > 2.5
    assert float(margins_of_pairs(gain, ~(one | True))) == 0.0


def _batch(aligned: bool) -> TrainingBatch:
    """Two twin rows of two pieces of 30 blocks, the fake in the first row, then in the second."""
    label = torch.tensor([[1] * 30 + [0] * 30, [0] * 30 + [1] * 30])
    piece = torch.tensor([[0] * 30 + [1] * 30] * 2)
    family = torch.where(label == 1, 0, NO_LABEL)
    same = torch.full((2, 60), aligned)
    pair = torch.zeros(2, dtype=torch.int64)
    return TrainingBatch(torch.zeros(2, 60 * BLOCK), label, family, label >= 0, piece, pair, same)


def _said(spoof: Tensor) -> NetworkOutput:
    shape = spoof.shape
    return NetworkOutput(
        spoof, torch.zeros(*shape, 3), torch.zeros(shape), torch.ones(shape, dtype=torch.bool), spoof[..., None]
    )


def test_pairs_compare_a_fake_with_the_recording_in_its_twin_row() -> None:
    """The second piece is a loud recording: both its rows score high, and it is the difference that counts."""
    batch, weights = _batch(True), LossWeights(pairs=1.0)
    good = torch.tensor([[2.0] * 30 + [7.0] * 30, [-2.0] * 30 + [11.0] * 30])
    _, parts = training_loss(_said(good), batch, weights)
    assert float(parts["pairs"]) == pytest.approx(np.log1p(np.exp(PAIR_MARGIN - 4.0)), rel=1e-5)
    _, parts = training_loss(_said(-good), batch, weights)
    assert float(parts["pairs"]) == pytest.approx(np.log1p(np.exp(PAIR_MARGIN + 4.0)), rel=1e-5)
    _, parts = training_loss(_said(good), _batch(False), weights)
    assert float(parts["pairs"]) == 0.0
    assert "pairs" not in training_loss(_said(good), batch, LossWeights())[1]


def test_accuracy_is_the_share_of_right_blocks() -> None:
    wrong = torch.tensor([[1.0] * 30 + [-1.0] * 30, [-1.0] * 45 + [1.0] * 15])
    assert float(training_loss(_said(wrong), _batch(True), LossWeights())[1]["accuracy"]) == pytest.approx(105 / 120)


@pytest.mark.parametrize(
    "weights", [LossWeights("focal"), LossWeights("oc-softmax"), LossWeights(contrastive=0.5, pairs=0.5)]
)
def test_every_loss_rewards_the_truth_and_reaches_the_network(weights: LossWeights) -> None:
    batch = _batch(True)
    truth = (2.0 * batch.label - 1.0).requires_grad_()
    losses = [training_loss(_said(k * truth), batch, weights)[0].item() for k in (-3.0, 0.5, 3.0)]
    assert losses[0] > losses[1] > losses[2]
    training_loss(_said(truth), batch, weights)[0].backward()
    assert truth.grad is not None
    assert bool((truth.grad * (2.0 * batch.label - 1.0) < 0).all()), "more of the truth is always better"


def test_a_family_that_is_not_there_still_reaches_its_head() -> None:
    """A gradient of zero, not none: processes that share their gradients would wait for it."""
    batch = replace(_batch(True), family=torch.full((2, 60), NO_LABEL))
    out = _said(torch.zeros(2, 60))
    family = torch.zeros(2, 60, 3, requires_grad=True)
    loss, parts = training_loss(replace(out, family=family), batch, LossWeights())
    loss.backward()
    assert family.grad is not None
    assert not family.grad.any()
    assert float(parts["family"]) == 0.0


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_goes_downhill_and_lets_matrices_alone_decay(name: str) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    optimiser = build_optimiser(name, layer.parameters(), 0.05, 0.25)
    assert [(group["weight_decay"], len(group["params"])) for group in optimiser.param_groups] == [(0.25, 1), (0.0, 1)]
    x, y, losses = torch.randn(64, 4), torch.randn(64, 3), []
    for _ in range(30):
        loss = (layer(x) - y).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_one_class_head_streams_as_it_was_heard_at_once() -> None:
    torch.manual_seed(3)
    detector = Detector(DetectorConfig(network=NetworkConfig(hidden=16, channels=(4, 4), head="one-class"))).prepared()
    with torch.no_grad():
        detector.network.speech.bias.fill_(5.0)
    audio = torch.from_numpy(voice(5, 1.0).astype(np.float32))[None]
    _, whole = step(detector, init_state(detector), audio)
    state, parts = init_state(detector), []
    for piece in torch.split(audio, 777, dim=1):
        state, scores = step(detector, state, piece)
        parts.append(scores.spoof)
    assert torch.equal(torch.cat(parts, dim=1), whole.spoof)
    assert float(whole.spoof.std()) > 0
    with pytest.raises(ValueError, match="no head 'x'"):
        Detector(DetectorConfig(network=NetworkConfig(head="x")))


def _command(corpus: Path, out: Path, *more: str) -> list[str]:
    words = ["train", "--corpus", str(corpus), "--out", str(out), "--cache", str(corpus.parent / "cache")]
    words += [
        "--rows",
        "8",
        "--seconds",
        "2",
        "--network",
        "lstm",
        "--hidden",
        "16",
        "--filters",
        "24",
        "--versions",
        "2",
    ]
    words += ["--workers", "1", "--device", "cpu", "--validate-every", "20", "--augment", "0", "--dropout", "0"]
    return [*words, *more]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--loss", "oc-softmax", "--optimiser", "nadam", "--learning-rate", "0.01"],
        [
            "--loss",
            "focal",
            "--contrastive",
            "0.2",
            "--pairs",
            "0.5",
            "--optimiser",
            "rmsprop",
            "--learning-rate",
            "0.003",
        ],
    ],
)
def test_a_run_learns_with_other_losses_and_optimisers(corpus: Path, tmp_path: Path, options: list[str]) -> None:
    done = CliRunner().invoke(app, _command(corpus, tmp_path, "--steps", "80", *options))
    assert done.exit_code == 0, (done.output, done.exception)
    path = tmp_path / "weights.safetensors"
    history, settings = (
        json.loads((tmp_path / "history.json").read_text()),
        json.loads(describe(path)["training"])["settings"],
    )
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert history[-1]["lab_eer"] < 0.3
    assert (settings["loss"]["kind"], settings["optimiser"]) == (options[1], options[options.index("--optimiser") + 1])
    assert ("contrastive" in history[-1], "pairs" in history[-1]) == ("--pairs" in options,) * 2
    head = load_detector(path).network.spoof
    assert isinstance(head, OneClassHead) == ("oc-softmax" in options)


def test_what_cannot_go_together_is_refused(corpus: Path, tmp_path: Path) -> None:
    def fails(*words: str) -> str:
        done = CliRunner().invoke(app, _command(corpus, tmp_path, *words))
        assert isinstance(done.exception, ValueError), done.output
        return str(done.exception)

    assert CliRunner().invoke(app, _command(corpus, tmp_path, "--steps", "1")).exit_code == 0
    assert "no loss 'x'; there are bce" in fails("--loss", "x")
    assert "no optimiser 'x'; there are adamw" in fails("--optimiser", "x")
    assert "was optimised by adamw" in fails("--optimiser", "sgd", "--steps", "2")
    assert "of another network" in fails("--hidden", "24", "--steps", "2")
    weights = str(tmp_path / "weights.safetensors")
    (tmp_path / "checkpoint.pt").unlink()
    assert "not for weights with the head linear" in fails("--loss", "oc-softmax", "--start", weights)
