"""Several networks as one: it says the mean of what they say, streams as they do, and is saved and read as any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_stream import audio, make_detector, whole

from model.checkpoint import load_detector, save_detector
from model.config import BLOCK
from model.features import spectra
from model.stream import Detector, init_state, step
from model.weights_file import CheckpointError
from training.learn.average import AveragePlan, run
from training.learn.side_by_side import side_by_side
from training.learn.validation import folded_copy


def _pair(feature: str) -> list[Detector]:
    """Two trainable detectors of other scalings that take the same blocks for speech."""
    pair = []
    for seed in (1, 2):
        detector = Detector(make_detector(feature, seed=seed).config)
        with torch.no_grad():
            detector.features.fit_scaling(spectra(seed * audio(2, seed=seed), detector.window))
            detector.network.spoof.weight.mul_(4.0)
            detector.network.speech.weight.zero_()
            detector.network.speech.bias.fill_(1.0)
        pair.append(detector)
    return pair


@pytest.mark.parametrize("feature", ["mel", "mel+narrow+envelope"])
def test_it_says_the_mean_and_streams_alike(feature: str, tmp_path: Path) -> None:
    pair, x = _pair(feature), audio(3)
    both = side_by_side(pair)
    save_detector(both, tmp_path / "both.safetensors", {})
    read = load_detector(tmp_path / "both.safetensors")
    assert read.config == both.config
    result, one, two = (whole(d, x) for d in (read, *map(folded_copy, pair)))
    assert bool(result.active.any())
    assert not torch.allclose(one.spoof, two.spoof, atol=0.01)
    torch.testing.assert_close(result.spoof, (one.spoof + two.spoof) / 2, atol=1e-4, rtol=0)
    state, parts = init_state(read, 3), []
    for piece in x.split(BLOCK * 7 + 3, dim=1):
        state, scores = step(read, state, piece)
        parts.append(scores.spoof)
    torch.testing.assert_close(torch.cat(parts, dim=1), result.spoof, atol=1e-5, rtol=0)


def test_each_may_count_for_another_share() -> None:
    pair, x = _pair("mel"), audio(2)
    one, two = (whole(folded_copy(d), x).spoof for d in pair)
    result = whole(folded_copy(side_by_side(pair, (3.0, 1.0))), x).spoof
    torch.testing.assert_close(result, 0.75 * one + 0.25 * two, atol=1e-4, rtol=0)
    for shares in ((1.0,), (1.0, 0.0)):
        with pytest.raises(CheckpointError, match="give each one above 0"):
            side_by_side(pair, shares)


def test_shares_are_of_networks_side_by_side(tmp_path: Path) -> None:
    plan = AveragePlan([tmp_path / "a"], [tmp_path], "dev", ("clean",), tmp_path / "out", tmp_path, shares=(1.0,))
    with pytest.raises(ValueError, match="say --side-by-side too"):
        run(plan, print)


def test_what_does_not_fit_is_refused() -> None:
    (one, _), (other, _) = _pair("mel"), _pair("linear")
    with pytest.raises(CheckpointError, match="same features"):
        side_by_side([one, other])
    with pytest.raises(CheckpointError, match="same features"):
        side_by_side([one, side_by_side([one, one])])
    config = replace(one.config, network=replace(one.config.network, kind="branches"))
    with pytest.raises(ValueError, match="needs members"):
        Detector(config)
