"""Trained networks side by side as one network, which says the weighted mean of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.config import Calibration, NetworkConfig
from model.features import Features, JoinedFeatures
from model.network import BRANCHES
from model.stream import Detector
from model.weights_file import CheckpointError


def scaling(detector: Detector) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation of all features (F,), in their order."""
    features = detector.features
    parts = list(features.parts) if isinstance(features, JoinedFeatures) else [features]
    own = [part for part in parts if isinstance(part, Features)]
    return torch.cat([part.mean for part in own]), torch.cat([part.std for part in own])


def side_by_side(detectors: Sequence[Detector], shares: Sequence[float] = ()) -> Detector:
    """Return one detector of the same features and heads. shares: what each counts for, relative to the others; alike
    without.

    Raises CheckpointError where they do not fit together.
    """
    counts = list(shares) or [1.0] * len(detectors)
    if len(counts) != len(detectors) or min(counts) <= 0:
        raise CheckpointError(f"{len(counts)} shares for {len(detectors)} networks: give each one above 0")
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
    weights = [count / sum(counts) for count in counts]
    for head in ("speech", "spoof", "family"):
        linear = [(w, getattr(d.network, head)) for w, d in zip(weights, detectors, strict=True)]
        state[f"network.{head}.weight"].copy_(torch.cat([w * layer.weight.data for w, layer in linear], 1))
        state[f"network.{head}.bias"].copy_(torch.stack([w * layer.bias.data for w, layer in linear]).sum(0))
    made.load_state_dict(state)
    return made
