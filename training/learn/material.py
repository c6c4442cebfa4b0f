"""Prepares training material: speech decoded and sent through channels, and other sounds; cached on disk.

The cache holds a file for each corpus and each version, so that a corpus more, or a version more, costs only
itself; and one file with all that a training hears, which every process that trains on it maps: they share its memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.config import SAMPLE_RATE
from training.channels.channels import random_channel
from training.channels.nonspeech import random_sound
from training.corpora.bank import AudioBank, build_bank, join_banks, save_samples
from training.corpora.clips import seed_of_name
from training.corpora.splits import gather
from training.corpora.work_progress import Log, log_progress

OTHER_SOUNDS_S = 1200
Int16 = NDArray[np.int16]


@dataclass(frozen=True)
class Material:
    """Speech and sounds to learn from. versions: int16 (V, total): the bank's audio, and V - 1 times each clip through
    a random channel. others: int16 (M,).
    """

    bank: AudioBank
    dev: AudioBank
    versions: Int16
    others: Int16


def prepare(
    corpora: Sequence[Path], versions: int, cache: Path, workers: int, log: Log, *, shared_speakers: bool = False
) -> Material:
    """Decode the speech, send it through channels, make other sounds; or take all that from the cache.

    Raises CorpusError.
    """
    training, dev_clips = gather(corpora, shared_speakers)
    count, speakers = sum(map(len, training)), len({c.speaker for c in chain(*training)})
    log(f"{count} training clips, {len(dev_clips)} dev clips, {speakers} speakers")
    cache.mkdir(parents=True, exist_ok=True)
    banks = [build_bank(clips, cache, workers, log_progress(log, "decoding")) for clips in training if clips]
    dev = build_bank(dev_clips, cache, workers, log_progress(log, "decoding dev"))
    rendered = together(banks, versions, cache, workers, log)
    return Material(join_banks(banks, rendered[0]), dev, rendered, other_sounds(OTHER_SOUNDS_S, cache, workers))


def together(banks: Sequence[AudioBank], versions: int, cache: Path, workers: int, log: Log) -> Int16:
    """Return all versions of all banks, end to end: int16 (V, total), mapped from the cache."""
    path = cache / f"speech-{_digest(*map(_listing, banks))}-{versions}.npy"
    if not path.is_file():
        partial = path.with_suffix(".partial.npy")
        shape = (versions, sum(len(bank.audio) for bank in banks))
        mapped = np.lib.format.open_memmap(partial, "w+", np.int16, shape)
        at = 0
        for bank in banks:
            for version, samples in enumerate(render(bank, versions, cache, workers, log)):
                mapped[version, at : at + len(samples)] = samples
            at += len(bank.audio)
        mapped.flush()
        del mapped  # a file that is mapped cannot be renamed on every system
        partial.replace(path)
    return np.asarray(np.load(path, mmap_mode="c"))  # copy on write: torch asks for arrays that it may change


def render(bank: AudioBank, count: int, cache: Path, workers: int, log: Log) -> Iterator[Int16]:
    """Yield int16 (total,) for each of count versions: the clips as they are, then each through a random channel.

    Clips of one sentence go through the same channel, so that the channel never tells them apart.
    """
    yield np.asarray(bank.audio)
    key = _digest(_listing(bank))
    spans = [slice(a, b) for a, b in zip(bank.bounds[:-1].tolist(), bank.bounds[1:].tolist(), strict=True)]
    for version in range(1, count):
        path = cache / f"version-{key}-{version}.npy"
        if not path.is_file():
            jobs = (
                (np.asarray(bank.audio[span]), seed_of_name(clip.pair or clip.path.name, version))
                for span, clip in zip(spans, bank.clips, strict=True)
            )
            with ProcessPoolExecutor(workers) as pool:
                save_samples(np.concatenate(list(pool.map(_through_channel, jobs, chunksize=32))), path)
            log(f"channels: version {version} of {count - 1}, {len(bank.clips)} clips")
        yield np.load(path, mmap_mode="r")


def other_sounds(seconds: int, cache: Path, workers: int) -> Int16:
    """Return sounds that are not speech, end to end."""
    path = cache / f"other-sounds-{seconds}.npy"
    if not path.is_file():
        with ProcessPoolExecutor(workers) as pool:
            save_samples(np.concatenate(list(pool.map(_sound, range(seconds // 4), chunksize=8))), path)
    return np.asarray(np.load(path))


def _listing(bank: AudioBank) -> str:
    """Return what a bank holds: other files, or other lengths of them, have another listing."""
    return "\n".join(f"{clip.path} {end}" for clip, end in zip(bank.clips, bank.bounds[1:], strict=True))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _through_channel(job: tuple[Int16, int]) -> Int16:
    audio, seed = job
    rng = np.random.default_rng(seed)
    return _dithered(random_channel(audio.astype(np.float32) / 32768.0, rng) * 32768.0, rng)


def _sound(seed: int) -> Int16:
    rng = np.random.default_rng(seed)
    return _dithered(random_sound(rng, 4 * SAMPLE_RATE) * 32767.0, rng)


def _dithered(x: NDArray[np.float32], rng: np.random.Generator) -> Int16:
    return np.clip(np.round(x + rng.random(len(x)) - rng.random(len(x))), -32768, 32767).astype(np.int16)
