"""Runs the training of the bidirectional LSTM, from corpora to a weights file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from model.checkpoint import use_all_cores
from model.config import SAMPLE_RATE
from training.baseline.baseline_settings import BaselineSettings
from training.baseline.bilstm import BaselineConfig, save_bilstm
from training.baseline.clip_store import class_names, class_numbers
from training.baseline.learner import BaselineLearner
from training.corpora.bank import AudioBank, build_bank, join_banks
from training.corpora.clips import Clip
from training.corpora.splits import gather, learned_from
from training.corpora.work_progress import Log, log_progress
from training.evaluate.comparison import BASELINE
from training.learn.distributed import first_goes_ahead, first_process_only, joined, own_device, share_weights
from training.learn.training_loop import run_loop


@dataclass(frozen=True)
class BaselinePlan:
    """The material of a training of the baseline, and its folders. units, dropout: of the network."""

    corpora: Sequence[Path]
    out: Path
    cache: Path
    workers: int
    device: str
    shared_speakers: bool = False
    units: tuple[int, ...] = (256, 1024)
    dropout: float = 0.0


def _speech(corpora: Sequence[Sequence[Clip]], plan: BaselinePlan, log: Log, what: str) -> AudioBank:
    """Return the clips of several corpora, end to end, from the cache that other trainings have too."""
    plan.cache.mkdir(parents=True, exist_ok=True)
    banks = [build_bank(clips, plan.cache, plan.workers, log_progress(log, what)) for clips in corpora if clips]
    return join_banks(banks, np.concatenate([b.audio for b in banks]))


def run(settings: BaselineSettings, plan: BaselinePlan, log: Log) -> Path:
    """Prepare the speech and train; writes plan.out/checkpoint.pt, history.json and weights.safetensors, whose path it
    returns. Of several processes the first one alone writes. Raises CorpusError and ValueError.
    """
    device = own_device(plan.device)
    with joined(device):
        log = first_process_only(log)
        with first_goes_ahead():
            training, dev_clips = gather(plan.corpora, plan.shared_speakers)
            bank, dev = _speech(training, plan, log, "decoding"), _speech([dev_clips], plan, log, "decoding dev")
        return _learn(settings, plan, bank, dev, torch.device(device), log)


def _learn(
    settings: BaselineSettings, plan: BaselinePlan, bank: AudioBank, dev: AudioBank, device: torch.device, log: Log
) -> Path:
    clips, classes = bank.clips, class_names(bank.clips)
    counts = Counter(class_numbers(clips, classes).tolist())
    log(f"{len(clips)} training clips, {len(dev.clips)} dev clips, {len({c.speaker for c in clips})} speakers")
    log(f"{len(classes)} classes: " + ", ".join(f"{name} {counts[i]}" for i, name in enumerate(classes)))
    if device.type == "cpu":
        use_all_cores()
    log(f"{BASELINE} on {device}: hears whole clips, cannot stream")
    learner = BaselineLearner(BaselineConfig(classes, plan.units, plan.dropout), settings, bank, dev, device)
    plan.out.mkdir(parents=True, exist_ok=True)
    path = plan.out / "weights.safetensors"
    if (plan.out / "checkpoint.pt").exists():
        learner.resume(plan.out / "checkpoint.pt")
        log(f"resumed at step {learner.done}")
    else:
        learner.fit_scaling()
    share_weights(learner.network)
    history = run_loop(learner, settings, plan.out, log)
    if history is not None:
        facts = learned_from(plan.corpora, clips, len(bank.audio) / SAMPLE_RATE)
        save_bilstm(
            learner.network, path, facts | {"settings": asdict(settings), "steps": learner.done, "dev": history}
        )
        log(f"wrote {path}")
    return path
