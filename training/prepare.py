"""From the corpora that the user names to a training run: decode, render channels, make other sounds, train."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import best_device, describe, read_detector
from model.config import SAMPLE_RATE, DetectorConfig
from training.bank import AudioBank, build_bank
from training.channels import random_channel
from training.corpora import Clip
from training.grow import grown
from training.nonspeech import random_sound
from training.sampler import CallSampler, Weights
from training.splits import gather, learned_from
from training.train import TrainConfig, train
from training.validation import DevSet

OTHER_SOUNDS_S = 1200
Say = Callable[[str], None]
Int16 = NDArray[np.int16]


@dataclass(frozen=True)
class Plan:
    """What a run learns from and where it works."""

    corpora: Sequence[Path]
    out: Path
    cache: Path
    part_weights: dict[str, float]
    versions: int
    workers: int
    device: str
    start: Path | None = None
    shared_speakers: bool = False


def _progress(say: Say, what: str) -> Callable[[int, int], None]:
    return lambda done, total: say(f"{what}: {done} of {total}")


def _through_channel(job: tuple[NDArray[np.int16], int]) -> Int16:
    audio, seed = job
    rng = np.random.default_rng(seed)
    x = random_channel(audio.astype(np.float32) / 32768.0, rng)
    return np.clip(np.round(x * 32768.0 + rng.random(len(x)) - rng.random(len(x))), -32768, 32767).astype(np.int16)


def _seed(*words: object) -> int:
    return int(hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()[:12], 16)


def render_versions(bank: AudioBank, count: int, cache: Path, workers: int, say: Say) -> Int16:
    """int16 (count, total): the clips as they are, and count - 1 times each through a random channel.

    Clips of one sentence go through the same channel, so that the channel never tells them apart.
    """
    key = hashlib.sha256(json.dumps([count, *(str(c.path) for c in bank.clips)]).encode()).hexdigest()[:16]
    path = cache / f"versions-{key}.npy"
    if path.is_file():
        return np.asarray(np.load(path))  # in memory: drawn at random, a mapped file would be read page by page
    versions = np.empty((count, len(bank.audio)), dtype=np.int16)
    versions[0] = bank.audio
    spans = list(zip(bank.bounds[:-1].tolist(), bank.bounds[1:].tolist(), strict=True))
    with ProcessPoolExecutor(workers) as pool:
        for version in range(1, count):
            jobs = [
                (np.asarray(bank.audio[a:b]), _seed(clip.pair or clip.path.name, version))
                for (a, b), clip in zip(spans, bank.clips, strict=True)
            ]
            for (a, b), part in zip(spans, pool.map(_through_channel, jobs, chunksize=32), strict=True):
                versions[version, a:b] = part
            say(f"channels: version {version} of {count - 1}")
    np.save(path, versions)
    return versions


def _sound(seed: int) -> Int16:
    rng = np.random.default_rng(seed)
    x = random_sound(rng, 4 * SAMPLE_RATE)
    return np.clip(np.round(x * 32767.0 + rng.random(len(x)) - rng.random(len(x))), -32768, 32767).astype(np.int16)


def other_sounds(seconds: int, cache: Path, workers: int) -> Int16:
    """Sounds that are not speech, end to end."""
    path = cache / f"other-sounds-{seconds}.npy"
    if not path.is_file():
        with ProcessPoolExecutor(workers) as pool:
            np.save(path, np.concatenate(list(pool.map(_sound, range(seconds // 4), chunksize=8))))
    return np.asarray(np.load(path))


def dev_set(bank: AudioBank) -> DevSet:
    """The dev clips, part by part."""
    parts: dict[str, Any] = {}
    for name in sorted({c.part for c in bank.clips}):
        rows = [i for i, c in enumerate(bank.clips) if c.part == name]
        labels = np.array([bank.clips[i].label for i in rows], dtype=np.int64)
        if len(set(labels.tolist())) == 2:
            parts[name or "dev"] = ([bank.clip(i) for i in rows], labels)
    return DevSet(parts)


def _provenance(plan: Plan, clips: Sequence[Clip], seconds: float) -> dict[str, Any]:
    earlier = {"started from": describe(plan.start)} if plan.start else {}
    return earlier | learned_from(plan.corpora, clips, seconds)


@dataclass(frozen=True)
class Material:
    """Speech and sounds to learn from. versions: int16 (V, total) of the bank's audio. others: int16 (M,)."""

    bank: AudioBank
    dev: AudioBank
    versions: Int16
    others: Int16


def prepare(plan: Plan, say: Say) -> Material:
    """Decode the speech, send it through channels, make other sounds; or take all that from the cache."""
    clips, dev_clips = gather(plan.corpora, plan.shared_speakers)
    say(f"{len(clips)} training clips, {len(dev_clips)} dev clips, {len({c.speaker for c in clips})} speakers")
    plan.cache.mkdir(parents=True, exist_ok=True)
    bank = build_bank(clips, plan.cache, plan.workers, _progress(say, "decoding"))
    dev = build_bank(dev_clips, plan.cache, plan.workers, _progress(say, "decoding dev"))
    versions = render_versions(bank, plan.versions, plan.cache, plan.workers, say)
    return Material(bank, dev, versions, other_sounds(OTHER_SOUNDS_S, plan.cache, plan.workers))


def run(model: DetectorConfig, config: TrainConfig, plan: Plan, say: Say) -> Path:
    """Prepare the speech and train; returns the weights file. Raises CorpusError, CheckpointError and ValueError."""
    return learn(model, config, plan, prepare(plan, say), say)


def learn(model: DetectorConfig, config: TrainConfig, plan: Plan, material: Material, say: Say) -> Path:
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
    bank, dev = material.bank, dev_set(material.dev)
    device = torch.device(best_device() if plan.device == "auto" else plan.device)
    if device.type == "cpu":
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
    torch.set_float32_matmul_precision("high")
    weights = Weights(plan.part_weights)
    sampler = CallSampler(bank, material.versions, material.others, model.families, weights, device, config.seed)
    provenance = _provenance(plan, bank.clips, len(bank.audio) / SAMPLE_RATE)
    path = train(model, config, sampler, dev, plan.out, provenance, say, str(device), start)
    say(f"wrote {path}")
    return path
