"""A detector that hears on the telephone what make_detector() hears at 16 kHz."""

from __future__ import annotations

from pathlib import Path

import torch
from helpers import make_detector

from model.checkpoint import save_detector
from model.export.step import export_weights

LOW, HIGH = slice(0, 20), slice(26, 36)
"""Bands of 100 Hz: below 2 kHz, and 2.6 to 3.6 kHz, where the voice of helpers.py has nothing but hiss."""


def make_telephone_weights(path: Path) -> Path:
    """Synthetic where there is hiss, from audio at 8 kHz too."""
    detector = make_detector("hiss")
    contrast = torch.zeros(2, detector.config.features.n_filters)
    contrast[:, HIGH] = 0.5 / (HIGH.stop - HIGH.start)
    contrast[:, LOW] = -0.5 / (LOW.stop - LOW.start)
    with torch.no_grad():
        detector.network.frontend.project[0].weight.copy_(contrast.reshape(1, -1))
    save_detector(detector, path, {"data": "none: made by hand for tests"})
    export_weights(path)
    return path
