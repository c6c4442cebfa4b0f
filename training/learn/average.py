"""training average: the mean of the weights of several trainings, calibrated anew.

Trainings that went on from the same weights end in one valley, and their mean lies lower than each of them, the more so
on data of another kind (Wortsman, 2022, Model soups).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint import describe, read_detector, save_detector, use_all_cores
from model.config import Calibration, DetectorConfig
from model.stream import Detector
from model.weights_file import CheckpointError
from training.corpora.bank import AudioBank, build_bank
from training.corpora.work_progress import Log, log_progress
from training.evaluate.conditions import part_of_bank
from training.evaluate.detection_metrics import cllr, min_cllr
from training.evaluate.scoring import score_clips
from training.evaluate.trials import check_channels, choose, through_channel
from training.learn.calibration import described, fitted, leave_out, llrs, with_config
from training.learn.side_by_side import side_by_side
from training.learn.validation import folded_copy


@dataclass(frozen=True)
class AveragePlan:
    """The networks that are averaged, and the speech that the calibration is fitted on: the split of the corpora
    through each channel, these parts of it (all if none): those of systems that no training met make llr mean what it
    says on others of the kind.
    """

    weights: Sequence[Path]
    corpora: Sequence[Path]
    split: str
    channels: Sequence[str]
    out: Path
    cache: Path
    workers: int = 2
    side_by_side: bool = False
    shares: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()


def _kind(config: DetectorConfig) -> DetectorConfig:
    """Return the configuration without what trainings of one network may differ in."""
    return replace(
        config, calibration=Calibration(), telephone_calibration=None, network=replace(config.network, dropout=0.0)
    )


def average(detectors: Sequence[Detector]) -> Detector:
    """Return the mean of the floating tensors; the rest, and the configuration, are the first's. Raises
    CheckpointError."""
    first = detectors[0]
    if any(_kind(d.config) != _kind(first.config) for d in detectors):
        raise CheckpointError("the mean of weights needs trainings of one configuration")
    states = [d.state_dict() for d in detectors]
    mean = {
        name: torch.stack([s[name] for s in states]).mean(0) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }
    made = Detector(first.config)
    made.load_state_dict(mean)
    return made


def calibrate(detector: Detector, banks: Sequence[AudioBank], log: Log) -> tuple[Detector, dict[str, float]]:
    """Return the detector with its calibration fitted on all clips of the banks; and what it costs where a source, such
    as a page, had no part in it: Cllr with each source left out in turn, and the least that a calibration could reach.
    """
    ready = folded_copy(detector)
    scores = [s for bank in banks for s in score_clips(ready, [bank.clip(i) for i in range(len(bank.clips))])]
    clips = [clip for bank in banks for clip in bank.clips]
    labels = np.array([clip.label for clip in clips], dtype=np.int64)
    config = fitted(detector.config, scores, labels)
    sources = [clip.source or clip.speaker for clip in clips]
    figures = {
        "cllr": cllr(llrs(config, scores), labels),
        "cllr, source left out": cllr(leave_out(detector.config, scores, labels, sources), labels),
        "least cllr": min_cllr(llrs(config, scores), labels),
    }
    log(", ".join(f"{name} {value:.3f}" for name, value in figures.items()) + f"; {len(set(sources))} sources")
    return with_config(detector, config), figures


def lineage(metadata: Mapping[str, str], into: dict[str, Any]) -> str:
    """Put what a weights file and all before it learned from into `into`, once by hash; returns the file's hash."""
    training = json.loads(metadata.get("training", "{}"))
    into.update(training.pop("lineage", {}))
    for one in ("started from", "shrunk from", "part of"):
        if isinstance(training.get(one), dict):
            training[one] = lineage(training[one], into)
    for several in ("mean of", "side by side", "taught by"):
        if several in training:
            training[several] = [m if isinstance(m, str) else lineage(m, into) for m in training[several]]
    into[metadata["sha256"]] = training
    return metadata["sha256"]


def run(plan: AveragePlan, log: Log) -> Path:
    """Write plan.out, a weights file. Raises CheckpointError and CorpusError."""
    check_channels(plan.channels)
    if plan.shares and not plan.side_by_side:
        raise ValueError("--share is of networks side by side: say --side-by-side too")
    read = [read_detector(path) for path in plan.weights]
    mean = side_by_side(read, plan.shares) if plan.side_by_side else average(read)
    every = choose(plan.corpora, plan.split)
    plan.cache.mkdir(parents=True, exist_ok=True)
    bank = build_bank(every, plan.cache, plan.workers, log_progress(log, "decoding"))
    rows = [i for i, clip in enumerate(every) if not plan.parts or clip.part in plan.parts]
    rendered = [through_channel(bank, name, plan.cache, plan.workers, log) for name in plan.channels]
    banks = [part_of_bank(each, rows) for each in rendered]
    use_all_cores()
    final, figures = calibrate(mean, banks, log)
    calibration: dict[str, Any] = {"split": plan.split, "channels": list(plan.channels), "clips": len(rows)}
    calibration |= {k: round(v, 4) for k, v in figures.items()} | ({"parts": list(plan.parts)} if plan.parts else {})
    before: dict[str, Any] = {}
    members = [lineage(describe(path), before) for path in plan.weights]
    kind = "side by side" if plan.side_by_side else "mean of"
    shares = {"shares": list(plan.shares)} if plan.shares else {}
    save_detector(final, plan.out, {kind: members, **shares, "calibrated on": calibration, "lineage": before})
    log(f"wrote {plan.out}: {described(final.config)}")
    return plan.out
