"""Deletes evidence that is too old or too much; only what the program made itself."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.store.seal import MANIFEST, is_evidence_folder
from monitor.store.verify_evidence import UNFINISHED

DAY_S = 86_400.0
GB = 1e9
ABANDONED_S = DAY_S
"""What nobody has written to for so long was left behind by a program that died."""


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """A folder of evidence. made_at: Unix time."""

    path: Path
    made_at: float
    size: int


def to_delete(kept: Sequence[StoredFolder], now: float, keep_days: float, keep_gb: float) -> list[StoredFolder]:
    """Return the folders to delete, the oldest first. 0 = no limit. The newest stays: it was just written. Pure."""
    oldest_first = sorted(kept, key=lambda k: k.made_at)
    total = sum(k.size for k in oldest_first)
    going = []
    for k in oldest_first[:-1]:
        too_old = keep_days > 0 and now - k.made_at > keep_days * DAY_S
        too_much = keep_gb > 0 and total > keep_gb * GB
        if too_old or too_much:
            going.append(k)
            total -= k.size
    return going


def stored_folders(root: Path) -> Iterator[StoredFolder]:
    """Yield the evidence in a folder. Raises OSError."""
    for path in root.iterdir():
        if path.name.startswith(UNFINISHED) or not path.is_dir() or path.is_symlink() or not is_evidence_folder(path):
            continue
        with contextlib.suppress(OSError):  # somebody is deleting it
            sizes = [file.lstat().st_size for file in path.iterdir()]
            yield StoredFolder(path, (path / MANIFEST).stat().st_mtime, sum(sizes))


def apply(root: Path, keep_days: float, keep_gb: float) -> list[Path]:
    """Delete what is too old or too much. Returns what went; raises OSError."""
    if not keep_days and not keep_gb:
        return []
    going = [k.path for k in to_delete(list(stored_folders(root)), time.time(), keep_days, keep_gb)]
    for path in going:
        # Out of sight first: a folder is there as a whole, or not at all.
        hidden = path.rename(path.with_name(f"{UNFINISHED}deleted-{path.name}"))
        shutil.rmtree(hidden)
    return going


def sweep(root: Path) -> None:
    """Delete what programs that died left half written. Raises OSError."""
    for path in root.iterdir():
        if path.name.startswith(UNFINISHED) and path.is_dir() and not path.is_symlink():
            newest = max((f.lstat().st_mtime for f in (path, *path.iterdir())), default=0.0)
            if time.time() - newest > ABANDONED_S or path.name.startswith(f"{UNFINISHED}deleted-"):
                shutil.rmtree(path, ignore_errors=True)
