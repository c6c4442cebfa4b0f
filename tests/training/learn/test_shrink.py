"""A trained network as a cheaper one that says nearly the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import DetectorConfig, FeatureConfig, NetworkConfig
from model.features import TAIL, spectra
from model.stream import Detector, init_state, step
from training.evaluate.cost import flops, total
from training.learn.shrink import shrunk, with_families

CHANNELS = (4, 6, 6, 8)
FULL, FEW = (12, 18, 18), (2, 2, 2)


def noise(rows: int = 4, seconds: float = 2.0, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(rows, int(seconds * 16_000), generator=generator)


@pytest.fixture(scope="module")
def trained() -> Detector:
    torch.manual_seed(5)
    network = NetworkConfig("cnn-lstm", CHANNELS, embedding=12, hidden=10)
    detector = Detector(DetectorConfig(features=FeatureConfig("mel+narrow"), network=network))
    spectrum = spectra(torch.nn.functional.pad(noise(seed=4), (TAIL, 0)), detector.window)
    detector.features.fit_scaling(spectrum)
    detector.train()
    with torch.no_grad():
        for _ in range(5):
            active = torch.ones(4, spectrum.shape[1] // 2, dtype=torch.bool)
            detector.network(detector.features(spectrum), active, detector.network.init_state(4))
        detector.network.spoof.weight.mul_(5.0)
        detector.network.speech.bias.fill_(3.0)
    return detector


def smaller(trained: Detector, ranks: tuple[int, ...], hidden: int) -> tuple[Detector, list[float]]:
    network = replace(trained.config.network, kind="factored-lstm", ranks=ranks, hidden=hidden)
    x = torch.nn.functional.pad(noise(seed=6), (TAIL, 0))
    spectrum = spectra(x, trained.window)
    active = torch.ones(len(x), spectrum.shape[1] // 2, dtype=torch.bool)
    return shrunk(trained, replace(trained.config, network=network), spectrum, active)


def scores(detector: Detector) -> torch.Tensor:
    ready = Detector(detector.config)
    ready.load_state_dict(detector.state_dict())
    ready.prepared()
    return step(ready, init_state(ready, 4), noise(seed=9))[1].spoof


def test_with_all_ranks_and_units_it_says_the_same(trained: Detector) -> None:
    made, errors = smaller(trained, FULL, hidden=10)
    assert max(errors) < 1e-4
    assert float(scores(trained).std()) > 0.01
    torch.testing.assert_close(scores(made), scores(trained), atol=1e-3, rtol=0)


def test_fewer_ranks_cost_less_and_err_more(trained: Detector) -> None:
    exact, errors = smaller(trained, FULL, hidden=10)
    made, more = smaller(trained, FEW, hidden=6)
    assert total(made) < total(exact)
    assert all(a < b < 1.0 for a, b in zip(errors, more, strict=True))


def test_features_must_be_the_first_of_those_before(trained: Detector) -> None:
    config = replace(trained.config, features=FeatureConfig("linear+narrow"))
    with pytest.raises(ValueError, match="must be the first"):
        shrunk(trained, config, torch.zeros(1, 2, 257, dtype=torch.complex64), torch.ones(1, 1, dtype=torch.bool))


def test_added_families_change_no_score(trained: Detector) -> None:
    made = with_families(trained, ("a", "b"))
    assert made.config.families[-2:] == ("a", "b")
    assert torch.equal(scores(made), scores(trained))


def test_cost_of_a_layer_is_counted_by_hand(trained: Detector) -> None:
    counted = flops(trained)
    assert counted["recurrent.lstm"] == 2 * 4 * 10 * (12 + 6 + 10)
    assert counted["spoof"] == 2 * 10
    assert counted["frontend.parts.0.layers.0.conv"] == 2 * 40 * 4 * (4 * 5), "40 bins, 4 channels, one input"
    assert sum(counted.values()) == total(trained)
