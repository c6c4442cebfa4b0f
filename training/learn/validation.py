"""Measures a detector in training on the dev split, and fits its calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.config import GateConfig
from model.stream import Detector
from training.evaluate.clip_stacks import Stack, mean_logits, stacked
from training.evaluate.detection_metrics import auc, eer
from training.evaluate.scoring import Audio, score_clips
from training.learn.calibration import fitted, with_config


@dataclass(frozen=True)
class DevSet:
    """Named lists of clips to validate on: audio float32 (n,), labels, families."""

    parts: Mapping[str, tuple[list[Audio], NDArray[np.int64]]]

    @cached_property
    def stacks(self) -> dict[str, list[Stack]]:
        """Return each part's clips as the network hears them, judged by the gate once."""
        return {name: stacked(clips, GateConfig()) for name, (clips, _) in self.parts.items()}


def folded_copy(detector: Detector) -> Detector:
    """Return an inference-ready copy, so that the trained one stays trainable."""
    copy = Detector(detector.config)
    copy.load_state_dict(detector.state_dict())
    return copy.prepared().to(detector.device)


def validate(detector: Detector, dev: DevSet) -> dict[str, float]:
    """Return the figures of each part of the dev set, from a cold state as in a live call: EER and AUC; before
    calibration and with both labels weighed alike, the accuracy of even odds and the cross entropy in nats.
    """
    ready, figures = folded_copy(detector), {}
    for name, (_, labels) in dev.parts.items():
        scores = mean_logits(ready, dev.stacks[name])
        figures[f"{name}_eer"] = eer(scores, labels)
        figures[f"{name}_auc"] = auc(scores, labels)
        wrong = np.where(labels == 1, -scores, scores)
        figures[f"{name}_accuracy"] = float(np.mean([np.mean(wrong[labels == k] < 0) for k in (0, 1)]))
        figures[f"{name}_loss"] = float(np.mean([np.logaddexp(0.0, wrong[labels == k]).mean() for k in (0, 1)]))
    return figures


def calibrated(detector: Detector, dev: DevSet) -> Detector:
    """Return the detector with its calibration fitted on all parts of the dev set together."""
    ready = folded_copy(detector)
    clips = [c for audio, _ in dev.parts.values() for c in audio]
    labels = np.concatenate([labels for _, labels in dev.parts.values()])
    return with_config(detector, fitted(detector.config, score_clips(ready, clips), labels))
