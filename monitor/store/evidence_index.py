"""Finds the folders of evidence that belong to a call. Folders are looked up by what their manifests say, never by a
name that somebody asks for.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from monitor.store.seal import MANIFEST, read_manifest
from monitor.store.verify_evidence import UNFINISHED

MOST_FOLDERS = 20_000
"""The newest by name, which begins with the time."""
LARGEST_MANIFEST = 1 << 20
REFRESH_S = 1.0
"""Between two looks into the folder."""
ID_DIGITS = 20


@dataclass(frozen=True, slots=True)
class EvidenceAudioFile:
    """The audio of one channel. picture: file of its spectrogram, or ""."""

    channel: str
    file: str
    picture: str
    start: int
    samples: int
    missing: int


@dataclass(frozen=True, slots=True)
class IndexedEvidence:
    """A folder of evidence, by its manifest. alert, channel: "" for the audio of a whole call."""

    id: str
    folder: Path
    epoch: str
    call: str
    alert: str
    channel: str
    time: str
    audio: tuple[EvidenceAudioFile, ...]


class EvidenceIndex:
    """root: `evidence_store.path`; None where none is kept. Any thread may ask."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._folders: dict[str, IndexedEvidence | None] = {}
        self._by_call: dict[tuple[str, str], list[IndexedEvidence]] = {}
        self._refreshed_at = float("-inf")
        self._lock = threading.Lock()

    def of_call(self, epoch: str, call: str) -> list[IndexedEvidence]:
        """Return the evidence of a call, the oldest first."""
        with self._lock:
            if time.monotonic() - self._refreshed_at > REFRESH_S:
                self._refresh()
                self._refreshed_at = time.monotonic()
            return list(self._by_call.get((epoch, call), ()))

    def _refresh(self) -> None:
        """Read the manifests of folders that are new: what is in a folder does not change."""
        if self._root is None:
            return
        try:
            names = sorted(name for name in os.listdir(self._root) if not name.startswith(UNFINISHED))[-MOST_FOLDERS:]
        except OSError:
            names = []
        if names == list(self._folders):
            return
        before = self._folders
        self._folders = {name: before[name] if name in before else _read(self._root / name) for name in names}
        self._by_call = {}
        for found in self._folders.values():
            if found is not None:
                self._by_call.setdefault((found.epoch, found.call), []).append(found)


def _read(folder: Path) -> IndexedEvidence | None:
    """Return what a folder is; None for what is no folder of evidence."""
    try:
        if not folder.is_dir() or (folder / MANIFEST).stat().st_size > LARGEST_MANIFEST:
            return None
        fields = read_manifest(folder)
    except (OSError, ValueError):
        return None
    listed = fields.get("audio")
    audio = (_audio(facts) for facts in (listed if isinstance(listed, list) else ()))
    identity = sha256(folder.name.encode("utf-8", "surrogateescape")).hexdigest()[:ID_DIGITS]
    return IndexedEvidence(
        id=identity,
        folder=folder,
        epoch=str(fields.get("epoch") or ""),
        call=str(fields.get("call") or ""),
        alert=str(fields.get("alert") or ""),
        channel=str(fields.get("channel") or ""),
        time=str(fields.get("time") or ""),
        audio=tuple(found for found in audio if found is not None),
    )


def _audio(facts: object) -> EvidenceAudioFile | None:
    if not isinstance(facts, Mapping):
        return None
    start, samples, missing = (facts.get(key) for key in ("start_sample", "samples", "missing_samples"))
    if not isinstance(start, int) or not isinstance(samples, int) or not isinstance(missing, int):
        return None
    if min(start, samples, missing) < 0:
        return None
    file, picture = (str(facts.get(key) or "") for key in ("file", "picture"))
    return EvidenceAudioFile(str(facts.get("channel", "")), file, picture, start, samples, missing)


def file_within(folder: Path, name: str) -> Path | None:
    """Return a file that a manifest names; None for what does not lie in the folder itself, or is a link."""
    path = folder / name
    plain = name and path.name == name and not path.is_symlink() and path.is_file()
    return path if plain else None
