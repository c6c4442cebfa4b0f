"""Teachers hear through the features of the network in training only where theirs are the same."""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import DetectorConfig, FeatureConfig, NetworkConfig
from model.features import TAIL, spectra
from model.stream import Detector
from training.learn.teachers import Teachers

CONFIG = DetectorConfig(network=NetworkConfig(channels=(4, 4, 4, 4), hidden=16), features=FeatureConfig(n_filters=20))


def _logits(teacher: Detector, student: Detector, spectrum: Tensor, features: Tensor) -> Tensor:
    speech, keep = torch.ones(2, 10, dtype=torch.bool), torch.ones(2, dtype=torch.bool)
    return Teachers([teacher], student, torch.device("cpu")).mean_logits(spectrum, features, speech, keep)


def test_features_are_shared_by_teachers_that_have_the_same() -> None:
    torch.manual_seed(5)
    student, same, scaled = Detector(CONFIG), Detector(CONFIG), Detector(CONFIG)
    spectrum = spectra(torch.randn(2, TAIL + 3200), student.window)
    scaled.features.fit_scaling(spectrum)
    features = student.features(spectrum)
    for teacher in (same, scaled):
        expected = _logits(teacher, teacher, spectrum, teacher.features(spectrum))
        assert torch.equal(_logits(teacher, student, spectrum, features), expected)
    others = torch.zeros_like(features)
    assert not torch.equal(_logits(same, student, spectrum, others), _logits(same, student, spectrum, features))
    assert torch.equal(_logits(scaled, student, spectrum, others), expected)
