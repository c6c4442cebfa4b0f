"""Runs a training: prepares the material from the corpora, and trains on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint import best_device, describe, read_detector, use_all_cores
from model.config import SAMPLE_RATE, DetectorConfig
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip
from training.corpora.splits import learned_from
from training.corpora.work_progress import Log
from training.learn import hard_sources, material
from training.learn.distributed import first_goes_ahead, first_process_only, joined, own_device, seed_of
from training.learn.grow import grown
from training.learn.material import Material
from training.learn.sampler import CallSampler, SamplingWeights
from training.learn.settings import TrainConfig
from training.learn.trainer import train
from training.learn.validation import DevSet


@dataclass(frozen=True)
class TrainingPlan:
    """The corpora and folders of a run. hard_sources: parts whose sources are drawn by what start makes of them."""

    corpora: Sequence[Path]
    out: Path
    cache: Path
    part_weights: dict[str, float]
    versions: int
    workers: int
    device: str
    start: Path | None = None
    shared_speakers: bool = False
    teachers: Sequence[Path] = ()
    family_weights: dict[str, float] = field(default_factory=dict)
    hard_sources: Sequence[str] = ()


def dev_set(bank: AudioBank) -> DevSet:
    """Return the dev clips, part by part."""
    parts: dict[str, Any] = {}
    for name in sorted({c.part for c in bank.clips}):
        rows = [i for i, c in enumerate(bank.clips) if c.part == name]
        labels = np.array([bank.clips[i].label for i in rows], dtype=np.int64)
        if len(set(labels.tolist())) == 2:
            parts[name or "dev"] = ([bank.clip(i) for i in rows], labels)
    return DevSet(parts)


def _provenance(plan: TrainingPlan, clips: Sequence[Clip], seconds: float) -> dict[str, Any]:
    earlier: dict[str, Any] = {"started from": describe(plan.start)} if plan.start else {}
    if plan.teachers:
        earlier["taught by"] = [describe(path) for path in plan.teachers]
    return earlier | learned_from(plan.corpora, clips, seconds)


def prepare(plan: TrainingPlan, log: Log) -> Material:
    """Return the material of a plan. Raises CorpusError."""
    return material.prepare(
        plan.corpora, plan.versions, plan.cache, plan.workers, log, shared_speakers=plan.shared_speakers
    )


def run(model: DetectorConfig, config: TrainConfig, plan: TrainingPlan, log: Log) -> Path:
    """Prepare the speech and train; returns the weights file. Raises CorpusError, CheckpointError and ValueError."""
    device = own_device(plan.device)
    with joined(device):
        log = first_process_only(log)
        with first_goes_ahead():
            held = prepare(plan, log)
        return learn(model, config, replace(plan, device=device), held, log)


def learn(model: DetectorConfig, config: TrainConfig, plan: TrainingPlan, held: Material, log: Log) -> Path:
    """Train on what was prepared; returns the weights file. With plan.start, a weights file, its features and network
    take the place of model's, but for the dropout, and for features that model adds to them with a +.

    Raises CheckpointError and ValueError.
    """
    start = read_detector(plan.start) if plan.start else None
    if start:
        network = replace(start.config.network, dropout=model.network.dropout)
        if "+" in model.features.kind:
            start = grown(start, model.features.kind)
        model = replace(start.config, network=network)
    bank, dev = held.bank, dev_set(held.dev)
    device = torch.device(best_device(plan.device))
    if device.type == "cpu":
        use_all_cores()
    torch.set_float32_matmul_precision("high")
    mined = hard_sources.mined(start, bank, plan.hard_sources, log) if start and plan.hard_sources else None
    weights = SamplingWeights(plan.part_weights, plan.family_weights, mined)
    sampler = CallSampler(bank, held.versions, held.others, model.families, weights, device, seed_of(config.seed))
    provenance = _provenance(plan, bank.clips, len(bank.audio) / SAMPLE_RATE)
    teachers = [read_detector(path) for path in plan.teachers]
    path = train(model, config, sampler, dev, plan.out, provenance, log, str(device), start, teachers)
    log(f"wrote {path}")
    return path
