"""Reads and verifies journals and folders of evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import SAMPLE_RATE
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.journal import chain, journal_files
from monitor.journal.verify_files import check
from monitor.report.call_records import CallRecords, EvidenceFolder, Picture, number
from monitor.store.folder import SETTINGS, TIMELINE
from monitor.store.seal import read_manifest
from monitor.store.verify_evidence import folders, verify_folder

LARGEST_PICTURE = 4 << 20
LARGEST_CLIP = 32 << 20
"""Bytes; of 16 bits at 16 kHz about half an hour of speech."""


@dataclass(frozen=True)
class VerifiedSource:
    """A journal or folder that was read. kind: "journal" or "evidence". result: what verifying it found, in words.

    sound: bool, nothing speaks against it. skipped: lines that are no events.
    """

    path: str
    kind: str
    result: str
    sound: bool
    skipped: int = 0


def read(
    paths: Sequence[Path], only: str | None, key: bytes | None, *, audio: bool = False
) -> tuple[CallRecords, list[VerifiedSource]]:
    """Read journals and evidence. only: the name of the only call wanted. key: checks the seals. audio: read the clips.

    Raises BadInputError for what cannot be read, and where there is no call in it.
    """
    records, sources = CallRecords(only), []
    several = len(paths) > 1 or any(path.is_dir() for path in paths)
    for path in sorted(paths, key=lambda p: p.is_dir()):  # journals first: they tell the whole
        try:
            sources += _evidence(path, records, key, audio) if path.is_dir() else [_journal(path, records, several)]
        except OSError as error:
            raise BadInputError(f"cannot read {path}: {error.strerror}", "name a journal or evidence") from error
    if not records.calls:
        which = f"no call {only}" if only else "no call"
        hint = "leave --call out to get every call" if only else "name a journal or evidence"
        raise BadInputError(f"there is {which} in {', '.join(map(str, paths))}", hint)
    return records, sources


def _journal(path: Path, records: CallRecords, several: bool) -> VerifiedSource:
    """Read a journal and the files that it has rotated to."""
    with journal_files.opened(path) as parts:
        if not parts:
            raise BadInputError(f"there is no journal {path}", "give the file of --journal or journal.path")
        found, broken = check(parts)
        skipped = 0
        for _, part in parts:
            part.seek(0)
            skipped += sum(not _add_line(line, records, several) for line in part)
    result = f"whole: the chain of {found.records} records holds"
    if broken is not None:
        result = f"{broken.name}, line {found.line}: {found.fault}"
    return VerifiedSource(str(path), "journal", result, broken is None, skipped)


def _add_line(line: bytes, records: CallRecords, may_repeat: bool) -> bool:
    if line.startswith(chain.SEALED):
        return True
    try:
        records.add_event(wire.decode(line).event, may_repeat=may_repeat)
    except (BadInputError, TypeError, AttributeError, OverflowError):
        return False
    return True


def _evidence(path: Path, records: CallRecords, key: bytes | None, audio: bool) -> list[VerifiedSource]:
    sources = []
    for folder in folders(path):
        verdict = verify_folder(folder, key)
        seal = "no seal" if not verdict.sealed else "sealed (not checked)" if key is None else "the seal holds"
        result = verdict.difference or f"whole: {verdict.files} files agree with their checksums; {seal}"
        sources.append(VerifiedSource(str(folder), "evidence", result, not verdict.difference))
        try:
            manifest = read_manifest(folder)
        except (OSError, ValueError):
            continue
        holes = tuple(_timeline(folder, records))
        pictures = dict(_pictures(folder, manifest))
        clips = dict(_clips(folder, manifest)) if audio and not verdict.difference else {}
        records.add_evidence(
            EvidenceFolder(folder.name, manifest, _settings(folder), pictures, holes, verdict.difference, seal, clips)
        )
    return sources


def _timeline(folder: Path, records: CallRecords) -> Iterator[tuple[str, float, float, str]]:
    """Add the events, and yield the holes: channel, start and length in seconds, why."""
    try:
        text = (folder / TIMELINE).read_bytes()
    except OSError:
        return
    for line in text.splitlines():
        if not line.startswith(b'{"type":"hole"'):
            _add_line(line, records, may_repeat=True)
            continue
        try:
            hole = json.loads(line)
            start, length = number(hole["sample"]) / SAMPLE_RATE, number(hole["samples"]) / SAMPLE_RATE
            yield str(hole["channel"]), start, length, str(hole["why"])
        except (ValueError, KeyError):
            continue


def _pictures(folder: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, Picture]]:
    """Yield the pictures by channel; files that are not PNG are left out."""
    listed = manifest.get("audio")
    for facts in listed if isinstance(listed, list) else ():
        name = facts.get("picture") if isinstance(facts, dict) else None
        path = folder / Path(str(name)).name
        if not name or path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_PICTURE:
            continue
        data, first = path.read_bytes(), number(facts.get("start_sample")) / SAMPLE_RATE
        if data.startswith(b"\x89PNG"):
            last = first + number(facts.get("samples")) / SAMPLE_RATE
            yield str(facts.get("channel", "")), Picture(data, first, last)


def _clips(folder: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, tuple[bytes, float]]]:
    """Yield the audio by channel with its first second; files that are not FLAC, or very long, are left out."""
    listed = manifest.get("audio")
    for facts in listed if isinstance(listed, list) else ():
        name = facts.get("file") if isinstance(facts, dict) else None
        path = folder / Path(str(name)).name
        if not name or path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_CLIP:
            continue
        data = path.read_bytes()
        if data.startswith(b"fLaC"):
            yield str(facts.get("channel", "")), (data, number(facts.get("start_sample")) / SAMPLE_RATE)


def _settings(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / SETTINGS).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
