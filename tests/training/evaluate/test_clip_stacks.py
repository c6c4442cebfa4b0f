"""Whole clips in one call score as they do block by block."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.config import DetectorConfig, FeatureConfig, GateConfig, NetworkConfig
from model.stream import Detector
from training.evaluate.clip_stacks import mean_logits, stacked
from training.evaluate.scoring import score_clips


@pytest.mark.parametrize("kind", ["cnn-lstm", "factored-lstm"])
def test_segments_score_as_the_stream_does(kind: str) -> None:
    torch.manual_seed(2)
    network = NetworkConfig(kind, embedding=16, hidden=12)
    detector = Detector(DetectorConfig(features=FeatureConfig("mel+narrow"), network=network))
    with torch.no_grad():
        detector.network.speech.weight.mul_(0.5)
        detector.network.speech.bias.fill_(0.3)
        detector.network.spoof.weight.mul_(20.0)
    detector.prepared()
    rng = np.random.default_rng(1)
    lengths = (16_000, 24_123, 8_000, 40_000)
    clips = [rng.normal(0, 0.1, n).astype(np.float32) * np.float32(i + 1) for i, n in enumerate(lengths)]
    clips[1][5_000:12_000] = 0.0
    streamed = np.array([s.logit for s in score_clips(detector, clips)])
    assert np.ptp(streamed) > 1e-3
    whole = mean_logits(detector, stacked(clips, GateConfig(), size=3))
    np.testing.assert_allclose(whole, streamed, atol=1e-3)
