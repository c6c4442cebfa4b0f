"""All clips of a corpus decoded into one array, cached on disk, so that training never waits for files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.resample import resample_all
from training.corpora.clips import Clip, CorpusError
from training.corpora.work_progress import Progress

Load = Callable[[tuple[Path, int]], NDArray[np.int16]]

PEAK = 0.5


@dataclass(frozen=True)
class AudioBank:
    """audio: int16 (total,), the clips end to end at 16 kHz. bounds: int64 (clips + 1,), where each begins and ends.
    equalised: brought to one level, and dithered.
    """

    clips: list[Clip]
    audio: NDArray[np.int16]
    bounds: NDArray[np.int64]
    equalised: bool = True

    def clip(self, i: int) -> NDArray[np.float32]:
        """Return the samples of clip i, full scale = 1."""
        return np.asarray(self.audio[self.bounds[i] : self.bounds[i + 1]], dtype=np.float32) / np.float32(32768.0)


def read_audio(path: Path) -> NDArray[np.float32]:
    """Read a file as float32 (n,) at 16 kHz, channels averaged. Raises CorpusError."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise CorpusError(f"cannot read {path}: {error}") from error
    mono = samples.mean(axis=1)
    return np.asarray(resample_all(mono, rate), dtype=np.float32)


def _load(job: tuple[Path, int]) -> NDArray[np.int16]:
    """Return one clip at a peak of 0.5, with triangular dither, so that no runs of exact zeros are left to learn
    from."""
    path, seed = job
    x = read_audio(path)
    rng = np.random.default_rng(seed)
    x = x * (PEAK / max(float(np.abs(x).max(initial=0.0)), 1e-4))
    dither = rng.random(len(x)) - rng.random(len(x))
    return np.clip(np.round(x * 32768.0 + dither), -32768, 32767).astype(np.int16)


def _as_recorded(job: tuple[Path, int]) -> NDArray[np.int16]:
    """Return one clip at its own level: the very samples of a file of 16 bit at 16 kHz."""
    return np.clip(np.round(read_audio(job[0]) * 32768.0), -32768, 32767).astype(np.int16)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error


def build_bank(
    clips: Sequence[Clip], cache: Path, workers: int, progress: Progress, *, as_recorded: bool = False
) -> AudioBank:
    """Decode clips, or take them from the cache where the same files, by name and size, were decoded before.

    as_recorded: at their own level and without dither. progress(done, total) is called now and then. Raises
    CorpusError for a file that cannot be read.
    """
    listing = json.dumps([(str(c.path), _size(c.path)) for c in clips])
    kind = "as-recorded-" if as_recorded else ""
    folder = cache / f"{kind}{hashlib.sha256(listing.encode()).hexdigest()[:16]}"
    if not (folder / "bounds.npy").is_file():
        _decode(clips, folder, workers, progress, _as_recorded if as_recorded else _load)
    audio: NDArray[Any] = np.load(folder / "audio.npy", mmap_mode="r")
    return AudioBank(list(clips), audio, np.load(folder / "bounds.npy"), equalised=not as_recorded)


def join_banks(banks: Sequence[AudioBank], audio: NDArray[np.int16]) -> AudioBank:
    """Return the clips of several banks as one. audio: that of the banks, end to end."""
    lengths = np.concatenate([np.diff(bank.bounds) for bank in banks])
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return AudioBank([clip for bank in banks for clip in bank.clips], audio, bounds)


def save_samples(samples: NDArray[np.int16], path: Path) -> None:
    """Write a .npy file, whole or not at all: a run that is stopped leaves no half file behind."""
    partial = path.with_suffix(".partial.npy")
    np.save(partial, samples)
    partial.replace(path)


def _decode(clips: Sequence[Clip], folder: Path, workers: int, progress: Progress, load: Load) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(clip.path, i) for i, clip in enumerate(clips)]
    parts: list[NDArray[np.int16]] = []
    with ProcessPoolExecutor(workers) as pool:
        for part in pool.map(load, jobs, chunksize=32):
            parts.append(part)
            if len(parts) % 200 == 0 or len(parts) == len(jobs):
                progress(len(parts), len(jobs))
    np.save(folder / "audio.npy", np.concatenate(parts))
    np.save(folder / "bounds.npy", np.concatenate([[0], np.cumsum([len(p) for p in parts])]).astype(np.int64))
