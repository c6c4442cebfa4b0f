"""training gather: pieces of real speech out of recordings of many shapes, for `training vocode` and `training train`.

A recipe (TOML) says where speech lies and who speaks. Speakers and recordings that another manifest keeps for its dev
split stay out, so that what is learned from never touches what is measured on.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from model.config import HOP, SAMPLE_RATE
from model.vocoding.spectra import Audio
from training.corpora.bank import read_audio
from training.corpora.clips import AUDIO_SUFFIXES, CorpusError, read_rows
from training.corpora.work_progress import Progress
from training.learn.sampler import speech_cells
from training.vocoding.vocode import REAL, write_flac, write_manifest

SPOKEN = 0.5
"""Share of speech that a piece needs."""
SHORTEST_S = 1.0


@dataclass(frozen=True)
class CollectionSource:
    """Recordings of one collection.

    folder: below the folder of all collections. files: glob within it. speaker: regular expression searched in a
    file's path within folder, whose group names who speaks; a path without a match is not taken. name: goes before
    the speaker. seconds: at most so much of one speaker. part: of the manifest.
    """

    folder: str
    files: str
    speaker: str
    name: str
    language: str = ""
    licence: str = ""
    seconds: float = 30.0
    part: str = "gathered"


def read_recipe(path: Path) -> list[CollectionSource]:
    """Return the [[source]] tables of a recipe. Raises CorpusError."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("source", [])
    except OSError as error:
        raise CorpusError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"the recipe {path} is not TOML: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise CorpusError(f"the recipe {path} names no [[source]]")
    return [_source(table, path, number) for number, table in enumerate(tables, 1)]


def _source(table: Any, path: Path, number: int) -> CollectionSource:
    known = [f.name for f in fields(CollectionSource)]
    if not isinstance(table, dict) or not {"folder", "files", "speaker", "name"} <= set(table) <= set(known):
        raise CorpusError(f"{path}, source {number}: needs folder, files, speaker, name; may have {', '.join(known)}")
    try:
        groups = re.compile(table["speaker"]).groups
    except re.error as error:
        raise CorpusError(f"{path}, source {number}: speaker is not a regular expression: {error}") from error
    if groups != 1:
        raise CorpusError(f"{path}, source {number}: speaker needs one group, such as ([0-9]+)-")
    return CollectionSource(**table)


@dataclass(frozen=True)
class HeldOut:
    """Speakers, and stems of file names, that are left out."""

    speakers: frozenset[str]
    stems: frozenset[str]


def keep_dev_out(manifests: Sequence[Path]) -> HeldOut:
    """Return speakers and recordings of the dev splits of manifests with the columns split, speaker, origin.

    Raises CorpusError.
    """
    rows = [row for path in manifests for row in read_rows(path) if row.get("split") == "dev"]
    names = ((row.get("origin") or "").replace("\\", "/").rsplit("/", 1)[-1] for row in rows)
    return HeldOut(
        frozenset(row.get("speaker") or "" for row in rows) - {""},
        frozenset(name.rsplit(".", 1)[0] for name in names) - {""},
    )


def recordings(source: CollectionSource, root: Path, kept: HeldOut) -> dict[str, list[Path]]:
    """Return files of each speaker, in an order that depends on their names alone. Raises CorpusError."""
    folder = root / source.folder
    paths = [p for p in sorted(folder.glob(source.files)) if p.suffix.lower() in AUDIO_SUFFIXES]
    if not paths:
        raise CorpusError(f"{folder} has no audio at {source.files}")
    found: dict[str, list[Path]] = {}
    for path in paths:
        match = re.search(source.speaker, path.relative_to(folder).as_posix())
        if match is None or path.stem in kept.stems:
            continue
        speaker = source.name + match.group(1)
        if speaker not in kept.speakers:
            found.setdefault(speaker, []).append(path)
    return {who: sorted(files, key=lambda p: sha256(p.name.encode()).digest()) for who, files in sorted(found.items())}


def pieces(x: Audio, longest_s: float) -> Iterator[Audio]:
    """Yield stretches (n,) of at most longest_s that begin with speech and are at least half speech."""
    spoken = speech_cells((x * 32767.0).astype(np.int16), np.array([0, len(x)]))[: len(x) // HOP]
    size, at = int(longest_s * SAMPLE_RATE / HOP), 0
    while spoken[at:].any():
        begin = at + int(np.argmax(spoken[at:]))
        at = begin + size
        last = begin + int(np.flatnonzero(spoken[begin:at]).max()) + 1
        if (last - begin) * HOP >= SHORTEST_S * SAMPLE_RATE and spoken[begin:last].mean() >= SPOKEN:
            yield x[begin * HOP : last * HOP]


def gather(
    sources: Sequence[CollectionSource],
    root: Path,
    out: Path,
    kept: HeldOut,
    progress: Progress,
    *,
    longest_s: float = 6.0,
    split: str = "train",
    workers: int = 1,
) -> tuple[Path, list[str]]:
    """Write pieces as FLAC, 16 kHz, mono, to out, and their manifest, which puts all into one split. Returns its path,
    and why files were passed over.

    Raises CorpusError.
    """
    jobs = [(s, who, files) for s in sources for who, files in recordings(s, root, kept).items()]
    rows: list[dict[str, str]] = []
    unreadable: list[str] = []
    with ProcessPoolExecutor(workers) as pool:
        work = partial(_speaker, root, out, longest_s, split)
        for done, (part, faults) in enumerate(pool.map(work, jobs, chunksize=4), 1):
            rows += part
            unreadable += faults
            progress(done, len(jobs))
    return write_manifest(out / "manifest.csv", rows), unreadable


def _speaker(
    root: Path, out: Path, longest_s: float, split: str, job: tuple[CollectionSource, str, list[Path]]
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the pieces of one speaker, from as many recordings as it takes, and why some could not be read."""
    source, who, files = job
    rows: list[dict[str, str]] = []
    unreadable: list[str] = []
    left = source.seconds
    for path in files:
        origin = path.relative_to(root).as_posix()
        digest = sha256(origin.encode()).hexdigest()
        try:
            audio = read_audio(path)
        except CorpusError as error:
            unreadable.append(str(error))
            continue
        for number, stretch in enumerate(pieces(audio, longest_s)):
            piece = stretch[: int(left * SAMPLE_RATE)]
            if len(piece) < SHORTEST_S * SAMPLE_RATE:
                return rows, unreadable
            left -= len(piece) / SAMPLE_RATE
            name = f"{source.name}{path.stem}-{digest[:6]}-{number}"
            write_flac(out / REAL / f"{name}.flac", piece, np.random.default_rng([int(digest[:12], 16), number]))
            rows.append(
                {"path": f"{REAL}/{name}.flac", "label": REAL, "part": source.part, "system": REAL, "family": REAL}
                | {"speaker": who, "pair": name, "language": source.language, "split": split}
                | {"duration_s": f"{len(piece) / SAMPLE_RATE:.2f}"}
                | {"origin": f"{origin} ({source.licence or 'licence not stated'})"}
            )
    return rows, unreadable
