"""`monitor verify` of a folder: whether evidence is as it was written."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.errors import BadInputError
from monitor.store.seal import read_key
from monitor.store.verify import Verdict, folders, verify_folder

WHOLE, BROKEN = 0, 2


def verify_evidence(path: Path, key: Path | None, *, as_json: bool) -> int:
    """Check a folder of evidence, or each one within a folder. The first difference is named."""
    secret = read_key(key) if key is not None else None
    try:
        found = folders(path)
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", "check the path") from error
    if not found:
        raise BadInputError(f"there is no evidence in {path}", "name a folder that --evidence made")
    verdicts = [verify_folder(folder, secret) for folder in found]
    broken = next((v for v in verdicts if v.difference), None)
    if as_json:
        print(json.dumps(_answer(verdicts, broken, secret is not None)))
    else:
        _say(verdicts, broken, secret is not None)
    return WHOLE if broken is None else BROKEN


def _answer(verdicts: list[Verdict], broken: Verdict | None, checked: bool) -> dict[str, object]:
    place = {"folder": str(broken.folder), "fault": broken.difference} if broken else {}
    return {"whole": broken is None, "folders": len(verdicts), **place, "seal_checked": checked}


def _say(verdicts: list[Verdict], broken: Verdict | None, checked: bool) -> None:
    for verdict in verdicts:
        if verdict.difference:
            print(f"{verdict.folder}: {verdict.difference}")
    if broken is not None:
        return
    count = len(verdicts)
    print(f"whole: {sum(v.files for v in verdicts)} files in {count} folder{'s' * (count != 1)}")
    if checked:
        print("seal: made with this key")
    elif any(v.sealed for v in verdicts):
        print("note: sealed, and the seal was not checked: give --key FILE")
    else:
        print("note: checksums alone show damage, not a forger who makes them anew: see evidence_store.key")
