"""Runs the training of a vocoder, on the genuine speech of the corpora."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from model.checkpoint import best_device, use_all_cores
from model.config import SAMPLE_RATE
from training.corpora.bank import build_bank
from training.corpora.clips import Clip, CorpusError, by_split, split_by_speaker
from training.corpora.layouts import load_corpus
from training.corpora.work_progress import Log, log_progress
from training.vocoding.neural_vocoder.segment_sampler import SegmentSampler
from training.vocoding.neural_vocoder.vocoder_config import VocoderConfig, VocoderTrainConfig
from training.vocoding.neural_vocoder.vocoder_trainer import VocoderTrainer, train

HELD_OUT = 0.05
"""Share of the speakers whom the vocoder never hears and is measured on."""
MEASURED = 24


@dataclass(frozen=True)
class VocoderPlan:
    """The material of a training of a vocoder, and its folders."""

    corpora: Sequence[Path]
    out: Path
    cache: Path
    workers: int
    device: str


def real_speech(corpora: Sequence[Path]) -> tuple[list[Clip], list[Clip]]:
    """Return bona fide clips of the train splits, without the speakers of the dev splits; and those of some speakers to
    measure on. Raises CorpusError.
    """
    clips = [clip for source in corpora for clip in load_corpus(source)]
    kept_out = {c.speaker for c in clips if c.split != "train"} - {""}
    real = [c for c in by_split(clips, "train") if c.label == 0 and c.speaker not in kept_out]
    if not real:
        raise CorpusError("none of these clips is bona fide speech of a train split")
    learned, held = split_by_speaker(real, HELD_OUT)
    if not learned or not held:
        learned, held = real[1:] or real, real[:1]
    return learned, held[:: -(-len(held) // MEASURED)]


def run(model: VocoderConfig, config: VocoderTrainConfig, plan: VocoderPlan, log: Log) -> Path:
    """Prepare the speech and train; returns the weights file. Raises CorpusError."""
    learned, held = real_speech(plan.corpora)
    plan.cache.mkdir(parents=True, exist_ok=True)
    bank, others = (
        build_bank(clips, plan.cache, plan.workers, log_progress(log, "decoding")) for clips in (learned, held)
    )
    seconds = len(bank.audio) / SAMPLE_RATE
    provenance: dict[str, Any] = {
        "command": "training " + " ".join(sys.argv[1:]),
        "corpora": [p.name for p in plan.corpora],
        "clips": len(learned),
        "hours": round(seconds / 3600, 2),
        "speakers": len({c.speaker for c in learned}),
        "torch": torch.__version__,
    }
    log(f"{len(learned)} recordings, {seconds / 3600:.1f} h, of {provenance['speakers']} speakers")
    device = torch.device(best_device(plan.device))
    if device.type == "cpu":
        use_all_cores()
    trainer = VocoderTrainer(model, config, SegmentSampler(bank, config.frames, config.seed), device)
    path = train(trainer, [others.clip(i) for i in range(len(held))], plan.out, provenance, log)
    log(f"wrote {path}")
    return path
