"""`monitor verify`: whether a journal, or evidence, is as it was written."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from monitor.cli.options import JsonOnly, KeyFile
from monitor.errors import BadInputError
from monitor.journal import journal_files

if TYPE_CHECKING:
    from monitor.journal.journal_verifier import JournalFindings
    from monitor.store.verify_evidence import FolderCheck

WHOLE, BROKEN = 0, 2
LOOKED_AT, LONGEST_LINE = 100, 1 << 20


def verify(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A journal (its rotated files are included), or a folder of evidence."),
    ],
    key: KeyFile = None,
    anchor: Annotated[
        str | None,
        typer.Option(
            metavar="HASH|FILE",
            help="Of a journal: a chain value kept elsewhere, or a file of lines that hold such, the oldest first.",
        ),
    ] = None,
    json_lines: JsonOnly = False,
) -> None:
    """Check that nothing in a journal or evidence was changed, removed or added. Exit status 0: whole, 2: not.

    Without --key and --anchor this shows damage and careless changes: whoever can write there can make new checksums
    and chains too. With --key the manifest, or the journal up to the end of its last run, must have been sealed by the
    holder of that secret. With --anchor the journal must hold what it held then.
    """
    if path.is_dir():
        if anchor is not None:
            raise BadInputError("--anchor is for a journal", "evidence is sealed with evidence_store.key: give --key")
        raise typer.Exit(_verify_evidence(path, key, as_json=json_lines))
    raise typer.Exit(_verify_journal(path, key, anchor, as_json=json_lines))


def _verify_journal(journal: Path, key: Path | None, anchor: str | None, *, as_json: bool) -> int:
    """Check a journal and the files that were rotated away before it. Returns the exit status."""
    from monitor.journal.verify_files import check
    from monitor.store.seal import read_key

    secret = read_key(key) if key is not None else b""
    anchors = _read_anchors(anchor) if anchor is not None else ()
    try:
        with journal_files.opened(journal) as parts:
            found, broken = check(parts, secret, anchors)
            if broken is not None and not found.records and not any(map(_holds_records, parts)):
                raise BadInputError(f"{journal} is not a journal", "give the file of --journal or journal.path")
    except OSError as error:
        raise BadInputError(f"cannot read {error.filename or journal}: {error.strerror}", "check the path") from error
    if not parts:
        raise BadInputError(f"there is no journal {journal}", "give the file of --journal or journal.path")
    _print_journal(found, broken, len(parts), bool(secret), as_json)
    return WHOLE if broken is None else BROKEN


def _read_anchors(given: str) -> tuple[str, ...]:
    """Return a chain value, or those in a file. Raises BadInputError where there is none."""
    from monitor.journal.anchors import read_anchors

    found = read_anchors(given)
    if found:
        return found
    hint = "write the 64 digits of a chain value, or name a file of lines that hold such"
    try:
        found = read_anchors(Path(given).read_text("utf-8", "replace"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"--anchor: {given!r} is neither a chain value nor a file", hint) from error
    if not found:
        raise BadInputError(f"--anchor: {given} holds no chain value", hint)
    return found


def _holds_records(part: tuple[Path, BinaryIO]) -> bool:
    """Return whether any of the first lines of a file is a record of a journal, altered or not."""
    from monitor.journal import chain

    part[1].seek(0)
    lines = (part[1].readline(LONGEST_LINE) for _ in range(LOOKED_AT))
    return any(chain.number(line) is not None for line in lines)


def _print_journal(found: JournalFindings, broken: Path | None, count: int, checked: bool, as_json: bool) -> None:
    if as_json:
        place = {"file": str(broken), "line": found.line, "fault": found.fault} if broken else {}
        notes = {"notes": found.notes, "chain": found.last, "seals": found.seals, "seal_checked": checked}
        notes["anchors"] = asdict(found.anchors)
        print(json.dumps({"whole": broken is None, "records": found.records, **place, **notes}))
        return
    for note in found.notes:
        print(f"note: {note}")
    if broken:
        print(f"{broken}, line {found.line}: {found.fault}" if found.line else f"{broken}: {found.fault}")
        return
    print(f"whole: {found.records} records in {count} file{'s' * (count != 1)}")
    if found.last:
        print(f"chain: {found.last}")
    _print_proof(found, checked)


def _print_proof(found: JournalFindings, checked: bool) -> None:
    """Print what a whole journal proves, and what it does not. checked: with a key."""
    anchors = found.anchors
    if anchors.found:
        held = f"{anchors.found} anchor{'s' * (anchors.found != 1)}"
        print(f"proven: up to seq {anchors.at[1]} of {anchors.at[0]} this is the journal of the {held}")
        if anchors.earlier:
            print(f"note: {anchors.earlier} older anchors are not in these files")
        behind = anchors.behind
        print(f"not proven by anchors: the {behind} records after that" if behind else "no record stands after that")
    if checked:
        print("proven: the holder of the key wrote these records, and the end of the last run is here")
        print("not proven: that no later run was cut off; keep the chain value elsewhere")
        return
    if anchors.found:
        return
    print("proven: nothing was altered, left out or moved by accident, or by somebody who did not make the chain anew")
    remedy = "give --key FILE" if found.seals else "set journal.key or journal.anchor_s"
    print(f"caution: nobody can tell now whether the end was cut off, or all was written anew: {remedy}")


def _verify_evidence(path: Path, key: Path | None, *, as_json: bool) -> int:
    """Check a folder of evidence, or each one within a folder. Names the first difference; returns the exit status."""
    from monitor.store.seal import read_key
    from monitor.store.verify_evidence import folders, verify_folder

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
        _print_evidence(verdicts, broken, secret is not None)
    return WHOLE if broken is None else BROKEN


def _answer(verdicts: list[FolderCheck], broken: FolderCheck | None, checked: bool) -> dict[str, object]:
    place = {"folder": str(broken.folder), "fault": broken.difference} if broken else {}
    return {"whole": broken is None, "folders": len(verdicts), **place, "seal_checked": checked}


def _print_evidence(verdicts: list[FolderCheck], broken: FolderCheck | None, checked: bool) -> None:
    for verdict in verdicts:
        if verdict.difference:
            print(f"{verdict.folder}: {verdict.difference}")
    if broken is not None:
        return
    count = len(verdicts)
    print(f"whole: {sum(v.files for v in verdicts)} files in {count} folder{'s' * (count != 1)}")
    if checked:
        print("seal: made with this key")
        print("not proven: that no folder is missing")
    elif any(v.sealed for v in verdicts):
        print("note: sealed, and the seal was not checked: give --key FILE")
    else:
        print("note: checksums alone show damage, not a forger who makes them anew: see evidence_store.key")
