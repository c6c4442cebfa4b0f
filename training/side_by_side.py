"""Trained networks side by side as one network, which says the mean of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.checkpoint import CheckpointError
from model.config import Calibration, NetworkConfig
from model.features import Features, JoinedFeatures
from model.network import BRANCHES
from model.stream import Detector


def scaling(detector: Detector) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of all features (F,), in their order."""
    features = detector.features
    parts = list(features.parts) if isinstance(features, JoinedFeatures) else [features]
    own = [part for part in parts if isinstance(part, Features)]
    return torch.cat([part.mean for part in own]), torch.cat([part.std for part in own])


def side_by_side(detectors: Sequence[Detector]) -> Detector:
    """One detector of the same features and heads. Raises CheckpointError where they do not fit together."""
    first = detectors[0].config
    for config in (d.config for d in detectors):
        alike = (config.features, config.families, config.gate) == (first.features, first.families, first.gate)
        if not alike or config.network.head != "linear" or config.network.kind == BRANCHES:
            raise CheckpointError(
                "networks stand side by side that have the same features and families and linear heads"
            )
    members = tuple(d.config.network for d in detectors)
    network = NetworkConfig(BRANCHES, dropout=0.0, members=members)
    plain = replace(first, network=network, calibration=Calibration(), telephone_calibration=None)
    made = Detector(plain)
    state = made.state_dict()
    mean, std = scaling(detectors[0])
    for name, tensor in detectors[0].state_dict().items():
        if name.startswith("features."):
            state[name].copy_(tensor)
    for i, detector in enumerate(detectors):
        own_mean, own_std = scaling(detector)
        state["network.frontend.scale"][i] = std / own_std
        state["network.frontend.shift"][i] = (mean - own_mean) / own_std
        for name, tensor in detector.state_dict().items():
            part, _, rest = name.removeprefix("network.").partition(".")
            if part in ("frontend", "recurrent"):
                state[f"network.{part}.branches.{i}.{rest}"].copy_(tensor)
    for head in ("speech", "spoof", "family"):
        linear = [getattr(d.network, head) for d in detectors]
        state[f"network.{head}.weight"].copy_(torch.cat([layer.weight.data for layer in linear], 1) / len(linear))
        state[f"network.{head}.bias"].copy_(torch.stack([layer.bias.data for layer in linear]).mean(0))
    made.load_state_dict(state)
    return made
