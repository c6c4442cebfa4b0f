"""Verifies the files of a journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.errors import BadInputError
from monitor.journal.verify import Findings, Verifier


def check(paths: Sequence[Path]) -> tuple[Findings, Path | None]:
    """What was found in the files of a journal, the oldest first, and the file with the fault, if any.

    Raises BadInputError for a file that cannot be read.
    """
    verifier = Verifier()
    for path in paths:
        try:
            with path.open("rb") as lines:
                whole = verifier.file(lines)
        except OSError as error:
            raise BadInputError(f"cannot read {path}: {error.strerror}", "check the path") from error
        if not whole:
            return verifier.found, path
    return verifier.found, None
