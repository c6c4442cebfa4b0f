"""A codec detected beside the last layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import make_corpus

from model.checkpoint import read_detector, save_detector
from model.config import DetectorConfig, FeatureConfig, NetworkConfig
from model.network import CodecHead
from model.stream import Detector
from model.weights_file import CheckpointError
from training.learn.codec_head import CodecHeadPlan, codec_layer, run, with_codec_head

RNG = np.random.default_rng(1)


def tiny_detector() -> Detector:
    network = NetworkConfig("cnn-lstm", (4, 6), embedding=8, hidden=8)
    detector = Detector(DetectorConfig(features=FeatureConfig("mel"), network=network))
    torch.nn.init.constant_(detector.network.speech.bias, 3.0)
    return detector


def test_the_layer_finds_what_tells_a_codec() -> None:
    coded = np.arange(400) % 4 == 0
    states = RNG.standard_normal((400, 6))
    states[:, 2] += 4.0 * coded
    weight, bias = codec_layer(states, coded)
    assert np.argmax(np.abs(weight)) == 2
    assert np.mean((states @ weight + bias > 0) == coded) > 0.95


def test_the_logit_is_scaled_and_moved_where_the_codec_is_detected_and_nowhere_else() -> None:
    detector = tiny_detector()
    weight = np.zeros(8)
    weight[0] = 100.0
    head = with_codec_head(detector, weight, 0.0, scale=0.3, offset=-0.2).network.spoof
    x = torch.randn(1, 2, 8)
    x[0, :, 0] = torch.tensor([1.0, -1.0])
    with torch.inference_mode():
        plain, changed = detector.network.spoof(x), head(x)
    assert float(changed[0, 0, 0]) == pytest.approx(0.3 * float(plain[0, 0, 0]) - 0.2, abs=1e-5)
    assert float(changed[0, 1, 0]) == pytest.approx(float(plain[0, 1, 0]), abs=1e-5)


def test_the_command_adds_the_layer_and_keeps_the_rest(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus").parent
    save_detector(tiny_detector(), tmp_path / "w.safetensors", {})
    said: list[str] = []
    plan = CodecHeadPlan(tmp_path / "w.safetensors", [corpus], tmp_path / "made", tmp_path / "cache", ["gsm"])
    before, after = read_detector(plan.weights), read_detector(run(plan, said.append))
    assert isinstance(after.network.spoof, CodecHead)
    assert torch.equal(after.network.spoof.spoof.weight, before.network.spoof.weight)
    old, new = before.state_dict(), after.state_dict()
    assert all(torch.equal(new[name], value) for name, value in old.items() if ".spoof." not in name)
    assert any(line.startswith("gsm: detected as a codec in") for line in said)
    again = read_detector(
        run(CodecHeadPlan(plan.out, [corpus], tmp_path / "again", tmp_path / "cache", ["narrow"]), said.append)
    )
    assert isinstance(again.network.spoof, CodecHead)
    assert torch.equal(again.network.spoof.spoof.weight, before.network.spoof.weight)
    assert not torch.equal(again.network.spoof.codec.weight, after.network.spoof.codec.weight)


def test_a_head_without_a_linear_layer_is_refused() -> None:
    network = NetworkConfig("cnn-lstm", (4, 6), embedding=8, hidden=8, head="one-class")
    with pytest.raises(CheckpointError, match="one-class cannot be fitted anew"):
        with_codec_head(Detector(DetectorConfig(features=FeatureConfig("mel"), network=network)), np.ones(8), 0, 1, 0)
