"""The clips of a split as the network gets to hear them: chosen, decoded, sent through a channel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.channels.channels import CHANNELS, CLEAN, PATTERNS, find_channel
from training.corpora.bank import AudioBank, save_samples
from training.corpora.clips import Clip, CorpusError, by_split, load_manifest, seed_of_name, split_by_speaker
from training.corpora.layouts import load_corpus
from training.corpora.work_progress import Log, log_progress

Int16 = NDArray[np.int16]

DEV_SHARE = 0.1
"""The share of speakers held out of a corpus that names no dev split; the same speakers that training holds out."""


def choose(corpora: Sequence[Path], split: str, manifest: Path | None = None) -> list[Clip]:
    """Return the clips of a split: dev, train, any name in the manifests, or all. Raises CorpusError.

    manifest: a list for the one corpus, whose folder its paths are relative to.
    """
    clips = _all_clips(corpora, manifest)
    chosen = clips if split == "all" else by_split(clips, split)
    if split == "dev" and not chosen:
        chosen = split_by_speaker(clips, DEV_SHARE)[1]
    if {c.label for c in chosen} != {0, 1}:
        splits = ", ".join(sorted({c.split for c in clips}))
        raise CorpusError(
            f"split {split!r} needs bona fide and spoof clips and has {len(chosen)} clips; there are {splits}"
        )
    return chosen


def choose_both(corpora: Sequence[Path]) -> tuple[list[Clip], list[Clip]]:
    """Return the training and the dev clips; where no split is named, a tenth of the speakers is dev."""
    clips = _all_clips(corpora)
    train, dev = by_split(clips, "train"), by_split(clips, "dev")
    return (train, dev) if dev else split_by_speaker(clips, DEV_SHARE)


def _all_clips(corpora: Sequence[Path], manifest: Path | None = None) -> list[Clip]:
    if manifest is None:
        return [clip for source in corpora for clip in load_corpus(source)]
    if len(corpora) != 1:
        raise CorpusError("a manifest belongs to one corpus: name one with --corpus")
    return load_manifest(manifest, corpora[0])


def check_channels(names: Sequence[str]) -> None:
    """Check that the channels exist. Raises CorpusError for one that does not."""
    unknown = sorted({name for name in names if find_channel(name) is None})
    if unknown:
        raise CorpusError(f"no channel {', '.join(unknown)}; there are {', '.join([CLEAN, *CHANNELS])}, {PATTERNS}")


def _through(job: tuple[Int16, int], channel: str) -> Int16:
    audio, seed = job
    treat = find_channel(channel)
    assert treat is not None, channel
    treated = treat(audio.astype(np.float32) / np.float32(32768.0), np.random.default_rng(seed))
    return np.clip(np.round(treated * 32768.0), -32768, 32767).astype(np.int16)


def through_channel(bank: AudioBank, channel: str, cache: Path, workers: int, log: Log) -> AudioBank:
    """Return the bank as it sounds through a channel, kept in the cache. Clips of one sentence meet the same
    settings."""
    if channel == CLEAN:
        return bank
    listing = json.dumps([channel, *([str(c.path), c.pair] for c in bank.clips), bank.bounds.tolist()])
    kind = "" if bank.equalised else "as-recorded-"
    path = cache / f"{kind}channel-{channel}-{hashlib.sha256(listing.encode()).hexdigest()[:16]}.npy"
    if not path.is_file():
        save_samples(render(bank, channel, workers, log), path)
    audio: NDArray[Any] = np.load(path, mmap_mode="r")
    return AudioBank(bank.clips, audio, bank.bounds, bank.equalised)


def render(bank: AudioBank, channel: str, workers: int, log: Log) -> Int16:
    """Return int16 (total,): the bank's audio through a channel."""
    spans = list(zip(bank.bounds[:-1].tolist(), bank.bounds[1:].tolist(), strict=True))
    jobs = [
        (np.asarray(bank.audio[a:b]), seed_of_name(clip.pair or clip.path.name, channel))
        for (a, b), clip in zip(spans, bank.clips, strict=True)
    ]
    treated = np.empty(len(bank.audio), dtype=np.int16)
    progress = log_progress(log, f"{channel}, clips rendered", every=200)
    with ProcessPoolExecutor(workers) as pool:
        parts = pool.map(partial(_through, channel=channel), jobs, chunksize=16)
        for done, ((a, b), part) in enumerate(zip(spans, parts, strict=True), 1):
            treated[a:b] = part
            progress(done, len(jobs))
    return treated
