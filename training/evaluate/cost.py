"""Counts the floating-point operations of a block of 20 ms; a multiplication and an addition are two.

Transforms and products of matrices are counted; logarithms, normalisation (folded) and the gates of the LSTM are not.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2
from typing import Any

import torch
from torch import Tensor, nn

from model.config import FRAMES_PER_BLOCK, N_FFT
from model.features import EnvelopeFeatures, Features, JoinedFeatures
from model.filterbanks import BINS
from model.stream import Detector

TRANSFORM = round(2.5 * N_FFT * log2(N_FFT))
"""Operations for one window's spectrum: a fast Fourier transform of real samples (Cooley and Tukey, 1965)."""


def _filterbank(part: Features) -> int:
    """Return the operations of one frame's filters over the bins that they cover, and what is added."""
    products: int = sum(2 * (bins.stop - bins.start) * (bands.stop - bands.start) for bins, bands in part.groups)
    power = 3 * BINS
    if isinstance(part, EnvelopeFeatures):
        return len(part.SHIFTS) * (6 * BINS + 2 * products) + power + products
    return power + products + (0 if part.basis is None else 2 * part.basis.numel())


def flops(detector: Detector) -> dict[str, int]:
    """Return the operations by feature and by layer."""
    features = detector.features
    parts = (
        [p for p in features.parts if isinstance(p, Features)] if isinstance(features, JoinedFeatures) else [features]
    )
    kinds = detector.config.features.kind.split("+")
    counted = {"spectrum": FRAMES_PER_BLOCK * TRANSFORM}
    counted |= {f"features {k}": FRAMES_PER_BLOCK * _filterbank(p) for k, p in zip(kinds, parts, strict=True)}
    return counted | _layers(detector)


def _layers(detector: Detector) -> dict[str, int]:
    counted: dict[str, int] = {}

    def counts(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def count(module: nn.Module, _: Any, output: Tensor) -> None:
            weight = module.weight
            assert isinstance(weight, Tensor)
            places = output.shape[1:].numel() if isinstance(module, nn.Conv2d) else output.shape[-1]
            counted[name] = 2 * places * weight[0].numel()

        return count

    network = detector.network
    hooks = [
        module.register_forward_hook(counts(name))
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    size = sum(part.size for part in detector.features.layout)
    was = network.training
    network.eval()
    with torch.no_grad():
        yes = torch.ones(1, 1, dtype=torch.bool)
        network(torch.zeros(1, FRAMES_PER_BLOCK, size), yes, network.init_state(1), yes)
    network.train(was)
    for hook in hooks:
        hook.remove()
    for name, module in network.named_modules():
        if isinstance(module, nn.LSTM):
            counted[name] = 2 * sum(w.numel() for w in module.parameters() if w.ndim == 2)
    return counted


def total(detector: Detector) -> int:
    """Return the operations of a block and stream, features included."""
    return sum(flops(detector).values())
