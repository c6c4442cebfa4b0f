"""A trained network with more features: it says at first what it said before, and learns from there."""

from __future__ import annotations

from dataclasses import replace

import torch

from model.features import Features, JoinedFeatures
from model.stream import Detector


def grown(start: Detector, features: str) -> Detector:
    """Extend a detector with features such as "mel+envelope", where start has those before the first +.

    What follows the new features begins at zero, so that the scores are the same. Their scaling is yet to be fitted
    (fit_new_scaling). Raises ValueError where the features do not begin with start's.
    """
    if not features.startswith(start.config.features.kind + "+"):
        raise ValueError(f"features {features!r} must begin with {start.config.features.kind}+, as the weights have it")
    config = replace(start.config, features=replace(start.config.features, kind=features))
    made = Detector(config)
    old, new = start.state_dict(), made.state_dict()
    for name, tensor in new.items():
        former = old.get(name, old.get(_former(name, joined=isinstance(start.features, JoinedFeatures))))
        if former is None:
            continue
        if former.shape == tensor.shape:
            tensor.copy_(former)
        else:
            tensor.zero_()[:, : former.shape[1]] = former
    made.load_state_dict(new)
    return made


def _former(name: str, *, joined: bool) -> str:
    """Return the name of a tensor before there were several parts."""
    return name if joined else name.replace("frontend.parts.0.", "frontend.").replace("features.parts.0.", "features.")


def unfitted_features(detector: Detector) -> list[Features]:
    """Return those of joined features whose scaling was never fitted: the mean of what is heard is nowhere exactly
    zero."""
    features = detector.features
    parts = features.parts if isinstance(features, JoinedFeatures) else ()
    return [part for part in parts if isinstance(part, Features) and not part.mean.any()]


def fit_new_scaling(detector: Detector, spectrum: torch.Tensor) -> None:
    """Fit the scaling of those features that never had one, from spectra (N, T, BINS)."""
    for part in unfitted_features(detector):
        part.fit_scaling(spectrum)
