"""Verifies the files of a journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from monitor.journal.journal_verifier import JournalFindings, JournalVerifier


def check(
    parts: Sequence[tuple[Path, BinaryIO]], key: bytes = b"", anchors: Sequence[str] = ()
) -> tuple[JournalFindings, Path | None]:
    """Return what was found in the files of a journal (files.opened), and the file with the fault, if any. Raises
    OSError."""
    verifier = JournalVerifier(key, anchors)
    for path, file in parts:
        if not verifier.file(file):
            return verifier.found, path
    if parts and verifier.end():
        return verifier.found, parts[-1][0]
    return verifier.found, None
