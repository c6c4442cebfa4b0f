"""From the corpora that the user names to the weights of the bidirectional LSTM."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import torch

from model.checkpoint import best_device
from model.config import SAMPLE_RATE
from training.bank import build_bank
from training.baseline.clips import class_names, class_numbers
from training.baseline.learner import BaselineLearner, BaselineSettings
from training.baseline.network import NAME, BaselineConfig, save_bilstm
from training.loop import Say, run_loop
from training.splits import gather, learned_from


@dataclass(frozen=True)
class BaselinePlan:
    """What it learns from and where it works. units, dropout: of the network."""

    corpora: Sequence[Path]
    out: Path
    cache: Path
    workers: int
    device: str
    shared_speakers: bool = False
    units: tuple[int, ...] = (256, 1024)
    dropout: float = 0.0


def _decoding(say: Say, what: str) -> Callable[[int, int], None]:
    return lambda done, total: say(f"{what}: {done} of {total}")


def run(settings: BaselineSettings, plan: BaselinePlan, say: Say) -> Path:
    """Prepare the speech and train; writes plan.out/checkpoint.pt, history.json and weights.safetensors, whose path it
    returns. Raises CorpusError and ValueError.
    """
    training_clips, dev_clips = gather(plan.corpora, plan.shared_speakers)
    clips = list(chain(*training_clips))
    classes = class_names(clips)
    counts = Counter(class_numbers(clips, classes).tolist())
    say(f"{len(clips)} training clips, {len(dev_clips)} dev clips, {len({c.speaker for c in clips})} speakers")
    say(f"{len(classes)} classes: " + ", ".join(f"{name} {counts[i]}" for i, name in enumerate(classes)))
    plan.cache.mkdir(parents=True, exist_ok=True)
    bank = build_bank(clips, plan.cache, plan.workers, _decoding(say, "decoding"))
    dev = build_bank(dev_clips, plan.cache, plan.workers, _decoding(say, "decoding dev"))
    device = torch.device(best_device() if plan.device == "auto" else plan.device)
    if device.type == "cpu":
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
    say(f"{NAME} on {device}: hears whole clips, cannot stream")
    learner = BaselineLearner(BaselineConfig(classes, plan.units, plan.dropout), settings, bank, dev, device)
    plan.out.mkdir(parents=True, exist_ok=True)
    if (plan.out / "checkpoint.pt").exists():
        learner.resume(plan.out / "checkpoint.pt")
        say(f"resumed at step {learner.done}")
    else:
        learner.fit_scaling()
    run_loop(learner, settings.validate_every, plan.out, say)
    training = learned_from(plan.corpora, clips, len(bank.audio) / SAMPLE_RATE)
    training |= {"settings": asdict(settings), "steps": learner.done, "dev": learner.history[-1]}
    path = plan.out / "weights.safetensors"
    save_bilstm(learner.network, path, training)
    say(f"wrote {path}")
    return path
