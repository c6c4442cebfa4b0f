"""The speech to learn from: lists of clips with labels, read from manifests and folders."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BONA_FIDE = "bonafide"
"""System and family of a clip that is a recording."""
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a"})


SEEDS = 16**12


class CorpusError(ValueError):
    """A corpus that cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Clip:
    """One recording.

    label: 0 bona fide, 1 spoof. pair: clips of the same sentence share it. native_rate: Hz of the original
    recording, 0 = unknown. source: where it comes from, such as a page (column `detail`). Unknown text fields are "".
    """

    path: Path
    label: int
    family: str
    system: str
    speaker: str
    pair: str = ""
    language: str = ""
    part: str = ""
    split: str = "train"
    native_rate: int = 0
    source: str = ""


def seed_of_name(*words: object) -> int:
    """Return a number from 0 to SEEDS - 1, the same in every run for the same words."""
    return int(hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()[:12], 16)


def text_of(path: Path) -> str:
    """Read a text file, whole. Raises CorpusError."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not text in UTF-8") from error
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error


def read_rows(path: Path) -> list[dict[str, str | None]]:
    """Read the rows of a CSV manifest as text; at least one. Raises CorpusError."""
    rows = list(csv.DictReader(io.StringIO(text_of(path), newline="")))
    if not rows:
        raise CorpusError(f"the manifest {path} lists no clips")
    return rows


def load_manifest(path: Path, root: Path | None = None) -> list[Clip]:
    """Return the clips of a CSV file with the columns path and label (bonafide | spoof), and, where known, family,
    system, speaker, pair, language, part, split, native_sample_rate, detail. Paths are relative to root, or to the
    file's folder.
    Raises CorpusError.
    """
    rows = read_rows(path)
    missing = {"path", "label"} - set(rows[0])
    if missing:
        raise CorpusError(f"the manifest {path} lacks the column {' and '.join(sorted(missing))}")
    return [_from_row(row, path, number, root or path.parent) for number, row in enumerate(rows, 2)]


def _from_row(row: Mapping[str, str | None], manifest: Path, line: int, root: Path) -> Clip:
    name = row["label"]
    if name not in ("bonafide", "spoof"):
        raise CorpusError(f"{manifest}, line {line}: label {name!r}; write bonafide or spoof")
    texts = {k: row.get(k) or "" for k in ("family", "system", "speaker", "pair", "language", "part")}
    split = row.get("split") or "train"
    rate = row.get("native_sample_rate") or "0"
    if not rate.isdigit():
        raise CorpusError(f"{manifest}, line {line}: native_sample_rate {rate!r}; write whole Hz")
    place = {"split": split, "source": row.get("detail") or ""}
    return Clip(root / (row["path"] or ""), int(name == "spoof"), native_rate=int(rate), **place, **texts)


def split_by_speaker(clips: Sequence[Clip], dev_share: float, seed: int = 0) -> tuple[list[Clip], list[Clip]]:
    """Train and dev clips that share no speaker; a speaker's place depends on its name and the seed alone."""

    def place(speaker: str) -> float:
        return seed_of_name(seed, speaker) / SEEDS

    dev = [c for c in clips if place(c.speaker) < dev_share]
    return [c for c in clips if place(c.speaker) >= dev_share], dev


def by_split(clips: Iterable[Clip], split: str) -> list[Clip]:
    """Return the clips that a manifest puts into a split."""
    return [c for c in clips if c.split == split]
