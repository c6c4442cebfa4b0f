"""training vocode: real speech in, a folder of classes out: the recordings and their copies by vocoders.

The vocoders are the classical ones of model/vocoding/vocoders.py and the open ones of open_vocoders/, whose weights are
given by path.

The folder has the shape of LibriSeVoc (a folder a system) and a manifest.csv. A stopped run goes on where it ended.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from model.config import SAMPLE_RATE
from model.vocoding.spectra import Audio
from model.vocoding.vocoders import VOCODERS, Vocoder
from training.corpora.bank import read_audio
from training.corpora.clips import AUDIO_SUFFIXES, Clip, CorpusError
from training.corpora.work_progress import Progress
from training.vocoding.open_vocoders import registry

PEAK = 0.12
COLUMNS: tuple[str, ...] = (
    "path",
    "label",
    "part",
    "system",
    "family",
    "detail",
    "speaker",
    "pair",
    "language",
    "split",
)
COLUMNS += ("native_sample_rate", "duration_s", "licence", "origin")
REAL = "bonafide"


@dataclass(frozen=True)
class VocoderJob:
    """One output file. system: a classical or open vocoder, or REAL for the recording itself.

    weights: of the open vocoders, (name, path).
    """

    clip: Clip
    name: str
    system: str
    seed: int
    out: Path
    weights: tuple[tuple[str, Path], ...] = ()


def find_speech(folder: Path) -> list[Clip]:
    """Return all audio below a folder as bona fide clips; the speaker is the name of the folder that a file is in.

    Raises CorpusError.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
    if not paths:
        raise CorpusError(f"{folder} holds no audio files")
    return [Clip(p, 0, REAL, REAL, speaker=p.parent.name if p.parent != folder else p.stem) for p in paths]


def into_part(clips: Sequence[Clip], part: str) -> list[Clip]:
    """Return the same clips as a part of their own, whose sentences are not those of the corpus that they come from."""
    return [replace(c, part=part, pair=f"{part}/{c.pair}" if c.pair else "") for c in clips]


def vocode(
    clips: Sequence[Clip],
    out: Path,
    systems: Sequence[str],
    progress: Progress,
    *,
    weights: Mapping[str, Path] = MappingProxyType({}),
    per_clip: int = 0,
    seed: int = 0,
    workers: int = 1,
) -> Path:
    """Write recordings and their copies to out as FLAC at 16 kHz; returns the manifest.

    weights: paths by the names of open vocoders. per_clip: systems a recording goes through, drawn by seed and file
    name; 0 = all. progress(done, total) is called as files are ready. Where it is stopped, the manifest lists what is
    there. Raises CorpusError for an unknown system or unreadable speech or weights, VocoderError for a vocoder whose
    package is missing.
    """
    known = [*VOCODERS, *registry.systems(weights)]
    unknown = sorted(set(systems) - set(known))
    if unknown or not systems:
        raise CorpusError(f"no vocoder {', '.join(unknown) or 'named'}; there are {', '.join(known)}")
    real = [c for c in clips if c.label == 0]
    if not real:
        raise CorpusError("none of these clips is bona fide speech")
    held = tuple(sorted(weights.items()))
    jobs = [
        replace(job, weights=held) for clip in real for job in _jobs(clip, out, systems, per_clip or len(systems), seed)
    ]
    manifest, rows = out / "manifest.csv", []
    try:
        with ProcessPoolExecutor(workers, initializer=_in_one_thread) as pool:
            for done, row in enumerate(pool.map(_render, jobs, chunksize=4), 1):
                rows.append(row)
                progress(done, len(jobs))
    finally:
        if rows:
            write_manifest(manifest, rows)
    return manifest


def _in_one_thread() -> None:
    """Use one thread: workers share the cores, and OpenMP hangs in a fork of a process with threads."""
    import torch

    torch.set_num_threads(1)


def write_manifest(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    """Return a manifest that training.corpora.clips.load_manifest reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _jobs(clip: Clip, out: Path, systems: Sequence[str], count: int, seed: int) -> list[VocoderJob]:
    digest = hashlib.sha256(f"{seed}/{clip.path}".encode()).hexdigest()
    name = f"{clip.path.stem}-{digest[:8]}"
    rng = np.random.default_rng(int(digest[:12], 16))
    chosen = sorted(rng.permutation(len(systems))[:count].tolist())
    return [
        VocoderJob(clip, name, system, int(digest[12:20], 16), out) for system in (REAL, *(systems[i] for i in chosen))
    ]


def _render(job: VocoderJob) -> dict[str, str]:
    real = job.system == REAL
    relative = f"{job.system}/{job.name}{'' if real else '_gen'}.flac"
    path = job.out / relative
    seconds = _seconds(path) if path.is_file() else _write(job, path)
    clip = job.clip
    return {
        "path": relative,
        "label": "bonafide" if real else "spoof",
        "part": clip.part,
        "system": job.system,
        "family": _family(job.system),
        "speaker": clip.speaker,
        "pair": clip.pair or job.name,
        "language": clip.language,
        "split": clip.split,
        "duration_s": f"{seconds:.2f}",
        "origin": str(clip.path) if real else f"re-synthesis of {REAL}/{job.name}.flac",
    }


def _family(system: str) -> str:
    if system == REAL:
        return REAL
    return "signal-vocoder" if system in VOCODERS else registry.family(system)


def _vocoder(system: str, weights: tuple[tuple[str, Path], ...]) -> Vocoder:
    return VOCODERS[system] if system in VOCODERS else registry.open_system(system, dict(weights))


def _seconds(path: Path) -> float:
    import soundfile

    return float(soundfile.info(path).duration)


def _write(job: VocoderJob, path: Path) -> float:
    x = read_audio(job.clip.path)
    rng = np.random.default_rng(job.seed)
    y = x if job.system == REAL else _vocoder(job.system, job.weights)(x, job.seed)
    write_flac(path, y, rng)
    return len(y) / SAMPLE_RATE


def write_flac(path: Path, x: Audio, rng: np.random.Generator) -> None:
    """Write 16 bit at a peak of 0.12 with triangular dither: neither level nor runs of zeros tell the classes apart."""
    import soundfile

    scaled = x * (PEAK / max(float(np.abs(x).max(initial=0.0)), 1e-4))
    samples = np.round(scaled * 32768.0 + rng.random(len(x)) - rng.random(len(x))).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    soundfile.write(partial, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
    os.replace(partial, path)
