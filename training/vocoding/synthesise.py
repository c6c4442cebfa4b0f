"""training synthesise: speech made from text by the synthesisers that registries carry, as training material.

A recipe (TOML) holds the texts and says which voices speak how many of them. Voices of dev_voices say sentences that no
other voice says, and go into the dev split: neither they nor their texts are learned from. A stopped run goes on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from model.config import SAMPLE_RATE
from model.resample import resample_all
from training.corpora.clips import SEEDS, CorpusError, read_rows, seed_of_name
from training.corpora.work_progress import Progress
from training.vocoding.gather import SHORTEST_S, pieces
from training.vocoding.synthesisers import ENGINES, SpeakingStyle, SynthesisError
from training.vocoding.texts import Phrases
from training.vocoding.vocode import write_flac, write_manifest

DEV_SHARE = 0.2
"""Share of all sentences that only the dev split says."""
RATES = 0.8, 1.25
MOST_MUTE = 3
"""Sentences that a voice may fail at before it has spoken one."""
TRIES = 200
"""Sentences tried for a clip until one fits the split and is long enough."""


@dataclass(frozen=True)
class Speaker:
    """Voices of one synthesiser that speak one language.

    engine: of ENGINES. system and family: as the manifest has them. text: which texts of the recipe. clips: of the
    train split, spread over voices; dev_clips: of the dev split, over dev_voices.
    """

    engine: str
    system: str
    family: str
    language: str
    voices: tuple[str, ...]
    text: str = "en"
    clips: int = 0
    dev_voices: tuple[str, ...] = ()
    dev_clips: int = 0
    licence: str = ""


@dataclass(frozen=True)
class SpeechJob:
    """One clip to be made."""

    speaker: Speaker
    voice: str
    text: str
    split: str
    style: SpeakingStyle

    @property
    def speaker_name(self) -> str:
        return f"{self.speaker.system}-{self.voice}"

    @property
    def name(self) -> str:
        """Return a file name that depends on what is said, by whom and how."""
        identity = f"{self.speaker.system}/{self.voice}/{self.text}/{self.style}"
        return sha256(identity.encode()).hexdigest()[:12]


def read_recipe(path: Path) -> tuple[list[Speaker], dict[str, Phrases]]:
    """Return the [[synthesiser]] and [texts.NAME] tables of a recipe. Raises CorpusError."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"the recipe {path} is not TOML: {error}") from error
    texts = {name: _phrases(table, path, name) for name, table in tables.get("texts", {}).items()}
    speakers = [_speaker(table, path, n, texts) for n, table in enumerate(tables.get("synthesiser", []), 1)]
    if not speakers:
        raise CorpusError(f"the recipe {path} names no [[synthesiser]]")
    return speakers, texts


def _phrases(table: Mapping[str, Any], path: Path, name: str) -> Phrases:
    try:
        words = {slot: tuple(choice) for slot, choice in table.get("words", {}).items()}
        return Phrases(tuple(table.get("patterns", ())), words)
    except CorpusError as error:
        raise CorpusError(f"{path}, texts.{name}: {error}") from error


def _speaker(table: Mapping[str, Any], path: Path, number: int, texts: Mapping[str, Phrases]) -> Speaker:
    known = [f.name for f in fields(Speaker)]
    needed = {"engine", "system", "family", "language", "voices"}
    if not needed <= set(table) <= set(known):
        raise CorpusError(
            f"{path}, synthesiser {number}: needs {', '.join(sorted(needed))}; may have {', '.join(known)}"
        )
    made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    speaker = Speaker(**made)
    if speaker.engine not in ENGINES:
        raise CorpusError(f"{path}, synthesiser {number}: no engine {speaker.engine!r}; there are {', '.join(ENGINES)}")
    if speaker.text not in texts:
        raise CorpusError(f"{path}, synthesiser {number}: no texts.{speaker.text}; there are {', '.join(texts)}")
    if set(speaker.voices) & set(speaker.dev_voices):
        raise CorpusError(f"{path}, synthesiser {number}: a voice is in voices and in dev_voices")
    return speaker


def chosen(speakers: Sequence[Speaker], systems: Sequence[str]) -> list[Speaker]:
    """Return the tables of some systems, or all if none is named. Raises CorpusError for a system that no table has."""
    known = {s.system for s in speakers}
    unknown = sorted(set(systems) - known)
    if unknown:
        raise CorpusError(f"no system {', '.join(unknown)} in the recipe; there are {', '.join(sorted(known))}")
    return [s for s in speakers if not systems or s.system in systems]


def plan(speakers: Sequence[Speaker], texts: Mapping[str, Phrases], seed: int) -> Iterator[SpeechJob]:
    """Yield every clip, voices in turn; a clip depends on its table and the seed alone."""
    for speaker in speakers:
        key = int(sha256(f"{speaker.system}/{speaker.language}".encode()).hexdigest()[:8], 16)
        shares = (("train", speaker.voices, speaker.clips), ("dev", speaker.dev_voices, speaker.dev_clips))
        for share, (split, voices, count) in enumerate(shares):
            for i in range(count if voices else 0):
                rng = np.random.default_rng([seed, key, share, i])
                text = _sentence(texts[speaker.text], split, rng)
                style = SpeakingStyle(float(rng.uniform(*RATES)), float(rng.random()), int(rng.integers(2**31)))
                yield SpeechJob(speaker, voices[i % len(voices)], text, split, style)


def _sentence(phrases: Phrases, split: str, rng: np.random.Generator) -> str:
    """Return one or two sentences of a split. Raises CorpusError where the texts are too few for two splits."""
    for _ in range(TRIES):
        text = " ".join(phrases.sentence(rng) for _ in range(1 + int(rng.random() < 0.4)))
        if (seed_of_name(text) / SEEDS < DEV_SHARE) == (split == "dev"):
            return text
    raise CorpusError(f"the texts have too few sentences for a {split} split: add patterns or words")


def synthesise(
    clips: Sequence[SpeechJob], out: Path, progress: Progress, *, part: str, longest_s: float = 6.0
) -> tuple[Path, list[str]]:
    """Write clips as FLAC, 16 kHz, mono, to out, and their manifest. Returns its path, and why clips were passed over.

    Where it is stopped, the manifest lists what is there; what an earlier run made stays listed. Raises CorpusError
    where a program or package is missing, SynthesisError where a voice speaks none of its first sentences.
    """
    rows: list[dict[str, str]] = []
    failures: list[str] = []
    out.mkdir(parents=True, exist_ok=True)
    try:
        for done, clip in enumerate(clips, 1):
            try:
                rows.append(_speak(clip, out, longest_s) | {"part": part})
            except SynthesisError as error:
                failures.append(f"{clip.speaker_name}: {error}")
                mute = sum(why.startswith(f"{clip.speaker_name}: ") for why in failures)
                if mute == MOST_MUTE and not any(row["speaker"] == clip.speaker_name for row in rows):
                    raise
            progress(done, len(clips))
    finally:
        path = write_manifest(out / "manifest.csv", _with_earlier(out / "manifest.csv", rows))
    return path, failures


def _with_earlier(manifest: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows, after those of the manifest whose files are still there."""
    made = {row["path"] for row in rows}
    listed = [{k: v or "" for k, v in row.items()} for row in read_rows(manifest)] if manifest.is_file() else []
    return [r for r in listed if r["path"] not in made and (manifest.parent / r["path"]).is_file()] + rows


def _speak(clip: SpeechJob, out: Path, longest_s: float) -> dict[str, str]:
    """Return the row of one clip. Raises SynthesisError where there is less than a second of speech."""
    import soundfile

    relative = f"{clip.speaker.system}/{clip.name}.flac"
    path = out / relative
    if not path.is_file():
        samples, rate = ENGINES[clip.speaker.engine](clip.text, clip.voice, clip.style)
        piece = next(pieces(np.asarray(resample_all(samples, rate), dtype=np.float32), longest_s), None)
        if piece is None or len(piece) < SHORTEST_S * SAMPLE_RATE:
            raise SynthesisError(f"less than a second of speech: {clip.text}")
        write_flac(path, piece, np.random.default_rng(clip.style.seed))
    speaker = clip.speaker
    return {
        "path": relative,
        "label": "spoof",
        "system": speaker.system,
        "family": speaker.family,
        "speaker": clip.speaker_name,
        "pair": f"said-{clip.name}",
        "language": speaker.language,
        "split": clip.split,
        "duration_s": f"{soundfile.info(path).duration:.2f}",
        "licence": speaker.licence,
        "origin": f"{speaker.engine}, voice {clip.voice}: {clip.text}",
    }
