"""`monitor verify`: whether a journal is as it was written."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.errors import BadInputError
from monitor.journal import files
from monitor.journal.verify import Verifier

WHOLE, BROKEN = 0, 2


def verify(journal: Path, *, as_json: bool) -> int:
    """Check a journal and the files that were rotated away before it. Returns the exit status; raises BadInputError
    where there is nothing to read.
    """
    paths, verifier = files.all_files(journal), Verifier()
    if not paths:
        raise BadInputError(f"there is no journal {journal}", "name the file that journal.path names")
    broken = None
    for path in paths:
        try:
            with path.open("rb") as lines:
                whole = verifier.file(lines)
        except OSError as error:
            raise BadInputError(f"cannot read {path}: {error.strerror}", "check the path") from error
        if not whole:
            broken = path
            break
    _say(verifier, broken, len(paths), as_json)
    return WHOLE if broken is None else BROKEN


def _say(verifier: Verifier, broken: Path | None, count: int, as_json: bool) -> None:
    found = verifier.found
    if as_json:
        place = {"file": str(broken), "line": found.line, "fault": found.fault} if broken else {}
        notes = {"notes": found.notes, "chain": found.last}
        print(json.dumps({"whole": broken is None, "records": found.records, **place, **notes}))
        return
    for note in found.notes:
        print(f"note: {note}")
    if broken:
        print(f"{broken}, line {found.line}: {found.fault}")
        return
    print(f"whole: {found.records} records in {count} file{'s' * (count != 1)}")
    if found.last:
        print(f"chain: {found.last}")
