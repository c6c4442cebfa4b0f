"""The public corpora of the field, as they lie on disk once unpacked: how each is recognised, and its clips.

A corpus with protocol files is read by them; its audio is found by its name anywhere below the same folder.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.clips import AUDIO_SUFFIXES, BONA_FIDE, Clip, CorpusError, load_manifest, text_of

Lines = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True)
class CorpusLayout:
    """fits: whether a folder holds this corpus. load: its clips; raises CorpusError."""

    fits: Callable[[Path], bool]
    load: Callable[[Path], list[Clip]]


@dataclass(frozen=True)
class ProtocolColumns:
    """The columns of a protocol file, counted from 0. subset: of the split, -1 = the file's name says it."""

    speaker: int
    name: int
    system: int
    key: int
    count: int
    subset: int = -1


PROTOCOLS: Mapping[str, ProtocolColumns] = {
    "ASVspoof2019.LA.cm.*.txt": ProtocolColumns(speaker=0, name=1, system=3, key=4, count=5),
    "trial_metadata.txt": ProtocolColumns(speaker=0, name=1, system=4, key=5, count=8, subset=7),
    "ASVspoof5.*.tsv": ProtocolColumns(speaker=0, name=1, system=7, key=8, count=9),
    "ASVspoof5.*.txt": ProtocolColumns(speaker=0, name=1, system=7, key=8, count=9),
}
"""Protocols by the names of their files: ASVspoof 2019 LA (Wang et al., 2020), ASVspoof 2021 LA and DF (the keys of Liu
et al., 2023, whose lines for DF go on behind the eighth column), ASVspoof 5 (Wang et al., 2024).
"""

BONA_FIDE_NAMES = frozenset({"gt", "bonafide", "bona-fide", "real", "genuine"})

FAMILY_OF_FOLDER = {
    "diffwave": "diffusion-vocoder",
    "wavegrad": "diffusion-vocoder",
    "melgan": "gan-vocoder",
    "parallel_wave_gan": "gan-vocoder",
    "wavenet": "autoregressive-vocoder",
    "wavernn": "autoregressive-vocoder",
}
"""Families of the folders of LibriSeVoc (Sun et al., 2023); the family of another folder is its name."""

SPLITS = {"train": "train", "trn": "train", "dev": "dev", "eval": "test", "progress": "test", "hidden": "test"}
SPLITS |= {"training": "train", "validation": "dev", "testing": "test"}
"""The names of splits in corpora, and the ones used here; nothing is ever tuned on test."""

CONVERTED = frozenset({"A05", "A06", "A13", "A14", "A15", "A17", "A18", "A19"})
"""Attacks of ASVspoof 2019 and 2021 that convert a voice (Wang et al., 2020, table 3); the others synthesise text."""

WAVEFAKE = {
    "melgan": "gan-vocoder",
    "parallel_wavegan": "gan-vocoder",
    "hifigan": "gan-vocoder",
    "waveglow": "flow-vocoder",
    "conformer_fastspeech2": "end-to-end-tts",
    "fastspeech2": "end-to-end-tts",
}
"""WaveFake (Frank and Schönherr, 2021): its folders are named CORPUS_SYSTEM."""


def _protocols(root: Path) -> list[tuple[Path, ProtocolColumns]]:
    found = ((path, columns) for pattern, columns in PROTOCOLS.items() for path in sorted(root.rglob(pattern)))
    # The keys of 2021 have a second file of that name, for speaker verification.
    return [(path, columns) for path, columns in found if path.parent.name != "ASV"]


def audio_by_name(root: Path) -> dict[str, Path]:
    """Return every audio file below a folder by its name without the ending."""
    return {p.stem: p for p in sorted(root.rglob("*")) if p.suffix.lower() in AUDIO_SUFFIXES}


def _asvspoof(root: Path) -> list[Clip]:
    audio = audio_by_name(root)
    clips = [clip for path, columns in _protocols(root) for clip in _listed(path, columns, audio)]
    if not clips:
        raise CorpusError(f"{root} has protocols, and none of the audio that they list: unpack it below {root}")
    return clips


def _lines(path: Path) -> Lines:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if line.strip():
            yield number, line.split()


def _listed(path: Path, columns: ProtocolColumns, audio: Mapping[str, Path]) -> Iterator[Clip]:
    """Yield the clips of one protocol whose audio is there."""
    of_file = next((SPLITS[word] for word in path.stem.split(".") if word in SPLITS), "test")
    for number, words in _lines(path):
        if len(words) < columns.count or words[columns.key] not in ("bonafide", "spoof"):
            raise CorpusError(f"{path}, line {number}: not of the form of {path.name}")
        name = words[columns.name].removesuffix(".flac")
        if name not in audio:
            continue
        genuine = words[columns.key] == "bonafide"
        system = BONA_FIDE if genuine else words[columns.system]
        family = BONA_FIDE if genuine else "voice-conversion" if system in CONVERTED else "end-to-end-tts"
        split = SPLITS.get(words[columns.subset], of_file) if columns.subset >= 0 else of_file
        yield Clip(audio[name], int(not genuine), family, system, words[columns.speaker], pair=name, split=split)


def _in_the_wild(root: Path) -> list[Clip]:
    """Read In-the-Wild (Müller et al., 2022): meta.csv with file, speaker, label. Public figures, so that the same
    speaker is heard as bona fide and as spoof; the systems are unknown.
    """
    audio = {p.name: p for p in root.rglob("*.wav")}
    rows = list(csv.DictReader(io.StringIO(text_of(_meta(root)), newline="")))
    clips = [_wild(row, number, root, audio) for number, row in enumerate(rows, 2)]
    if not clips:
        raise CorpusError(f"{root}: meta.csv lists no clips")
    return clips


def _meta(root: Path) -> Path:
    found: Sequence[Path] = sorted(root.glob("**/meta.csv"))
    return found[0] if found else root / "meta.csv"


def _wild(row: Mapping[str, str | None], number: int, root: Path, audio: Mapping[str, Path]) -> Clip:
    label, name = row.get("label"), row.get("file") or ""
    if label not in ("bona-fide", "spoof"):
        raise CorpusError(f"{root}: meta.csv, line {number}: label {label!r}; it should be bona-fide or spoof")
    if name not in audio:
        raise CorpusError(f"{root}: meta.csv, line {number}: there is no file {name}")
    kind = BONA_FIDE if label == "bona-fide" else "unknown"
    return Clip(audio[name], int(label == "spoof"), kind, kind, row.get("speaker") or "", split="test")


def _fake_or_real(root: Path) -> list[Clip]:
    """FoR (Reimao and Tzerpos, 2019): training, validation and testing with fake and real in each; no speakers."""
    return [
        Clip(path, int(kind == "fake"), family, family, "", split=SPLITS[split])
        for split in ("training", "validation", "testing")
        for kind, family in (("real", BONA_FIDE), ("fake", "end-to-end-tts"))
        for path in sorted((root / split / kind).glob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES
    ]


def _wavefake(root: Path) -> list[Clip]:
    """Folders CORPUS_SYSTEM of copies, beside a folder of the recordings such as LJSpeech-1.1/wavs or ljspeech.

    The corpora have one reader each, who is the speaker.
    """
    clips = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        reader = folder.name.lower().replace("-", "_").split("_")[0]
        system = folder.name.partition("_")[2].lower()
        genuine = _family(system) is None
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES):
            kinds = (BONA_FIDE, BONA_FIDE) if genuine else (_family(system) or "", system)
            clips.append(Clip(path, int(not genuine), *kinds, speaker=reader, pair=path.stem.removesuffix("_gen")))
    return clips


def _family(system: str) -> str | None:
    """Return the clips of a folder of WaveFake; None for a folder of recordings."""
    flat = system.replace("-", "_")
    return next((family for name, family in reversed(WAVEFAKE.items()) if name in flat), None)


def _classes(root: Path) -> list[Clip]:
    """Return a folder a class: bona fide by its name (gt, real ...), else the copies by the system that it is named
    after."""
    return [
        _of_class(path, folder.name)
        for folder in sorted(p for p in root.iterdir() if p.is_dir())
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES
    ]


def _of_class(path: Path, folder: str) -> Clip:
    genuine = folder.lower() in BONA_FIDE_NAMES
    system = BONA_FIDE if genuine else folder
    family = FAMILY_OF_FOLDER.get(system.lower(), system)
    sentence = path.stem.removesuffix("_gen")
    speaker = sentence.replace("-", "_").split("_")[0]
    return Clip(path, int(not genuine), family, system, speaker, pair=sentence, part=path.parent.parent.name)


def _has_folders(*names: str) -> Callable[[Path], bool]:
    return lambda root: all((root / name).is_dir() for name in names)


def _is_wavefake(root: Path) -> bool:
    folders = [p.name.lower() for p in root.iterdir() if p.is_dir()]
    return any(name.startswith(("ljspeech_", "jsut_", "common_voices_")) for name in folders)


def _is_in_the_wild(root: Path) -> bool:
    return _meta(root).is_file() and text_of(_meta(root)).startswith("file,speaker,label")


LAYOUTS: Mapping[str, CorpusLayout] = {
    "ASVspoof": CorpusLayout(lambda root: bool(_protocols(root)), _asvspoof),
    "In-the-Wild": CorpusLayout(_is_in_the_wild, _in_the_wild),
    "FoR": CorpusLayout(_has_folders("training/fake", "training/real"), _fake_or_real),
    "WaveFake": CorpusLayout(_is_wavefake, _wavefake),
    "classes": CorpusLayout(lambda _: True, _classes),
}
"""Layouts in the order in which they are tried. LibriSeVoc (Sun et al., 2023) is a folder of classes."""


def load_folder(root: Path) -> list[Clip]:
    """Return the clips of a folder in one of LAYOUTS. Raises CorpusError."""
    if not root.is_dir():
        raise CorpusError(f"there is no folder {root}")
    clips = next(layout for layout in LAYOUTS.values() if layout.fits(root)).load(root)
    if not clips:
        raise CorpusError(f"{root} holds no folder with audio; put each class into a folder of its own")
    return clips


def load_corpus(source: Path) -> list[Clip]:
    """Return a manifest (.csv), a folder that holds manifest.csv, or a folder in one of LAYOUTS. Raises CorpusError."""
    if source.suffix == ".csv":
        return load_manifest(source)
    return load_manifest(source / "manifest.csv") if (source / "manifest.csv").is_file() else load_folder(source)
