"""`monitor verify`: whether a journal, or evidence, is as it was written."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.errors import BadInputError
from monitor.journal import files
from monitor.journal.verify import Findings
from monitor.journal.verify_files import check

WHOLE, BROKEN = 0, 2


def verify(path: Path, key: Path | None, *, as_json: bool) -> int:
    """Check what a path names. Returns the exit status; raises BadInputError where there is nothing to read."""
    if path.is_dir():
        from monitor.commands.verify_evidence import verify_evidence

        return verify_evidence(path, key, as_json=as_json)
    if key is not None:
        raise BadInputError("--key is for evidence", "the lines of a journal are chained without a key")
    return verify_journal(path, as_json=as_json)


def verify_journal(journal: Path, *, as_json: bool) -> int:
    """Check a journal and the files that were rotated away before it."""
    try:
        with files.opened(journal) as parts:
            found, broken = check(parts)
    except OSError as error:
        raise BadInputError(f"cannot read {error.filename or journal}: {error.strerror}", "check the path") from error
    if not parts:
        raise BadInputError(f"there is no journal {journal}", "name the file that journal.path names")
    _say(found, broken, len(parts), as_json)
    return WHOLE if broken is None else BROKEN


def _say(found: Findings, broken: Path | None, count: int, as_json: bool) -> None:
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
