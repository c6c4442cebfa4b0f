"""A network that is given more features says at first what it said before."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import DetectorConfig, FeatureConfig, NetworkConfig
from model.features import TAIL, spectra
from model.stream import Detector, init_state, step
from training.learn.grow import fit_new_scaling, grown

SMALL = NetworkConfig(channels=(4, 8), embedding=16, hidden=12)


def trained(kind: str, network: str) -> Detector:
    torch.manual_seed(2)
    config = DetectorConfig(features=FeatureConfig(kind=kind), network=replace(SMALL, kind=network))
    detector = Detector(config)
    detector.features.fit_scaling(some_spectra(detector))
    return detector


def some_spectra(detector: Detector) -> torch.Tensor:
    noise = torch.randn(4, 16000, generator=torch.Generator().manual_seed(3)) * 0.1
    return spectra(torch.nn.functional.pad(noise, (TAIL, 0)), detector.window)


@pytest.mark.parametrize("network", ["cnn-lstm", "lstm", "cnn"])
@pytest.mark.parametrize(("kind", "more"), [("mel", "mel+envelope"), ("mel+narrow", "mel+narrow+envelope")])
def test_the_scores_stay_at_first(network: str, kind: str, more: str) -> None:
    before = trained(kind, network)
    after = grown(before, more)
    fit_new_scaling(after, some_spectra(after))
    audio = torch.randn(2, 9600, generator=torch.Generator().manual_seed(4)) * 0.1
    scores = [step(d.prepared(), init_state(d, 2), audio)[1] for d in (before, after)]
    torch.testing.assert_close(scores[0].spoof, scores[1].spoof)
    torch.testing.assert_close(scores[0].family, scores[1].family)
    assert torch.equal(scores[0].active, scores[1].active)


def test_what_is_new_gets_its_scaling_and_what_is_old_keeps_it() -> None:
    before = trained("mel", "lstm")
    after = grown(before, "mel+envelope")
    fit_new_scaling(after, 2.0 * some_spectra(after))
    held = after.state_dict()
    assert torch.equal(held["features.parts.0.mean"], before.state_dict()["features.mean"])
    assert held["features.parts.1.mean"].any()


def test_only_features_can_be_added() -> None:
    with pytest.raises(ValueError, match=r"must begin with mel\+"):
        grown(trained("mel", "lstm"), "linear+envelope")
