"""`monitor report`: what was found, as a page."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import KeyFile
from monitor.errors import BadInputError


def report(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="A journal or a folder of evidence; several make one page.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The page to write.")] = Path("report.html"),
    call: Annotated[str | None, typer.Option(metavar="NAME", help="Report this call alone.")] = None,
    key: KeyFile = None,
    with_audio: Annotated[
        bool, typer.Option("--with-audio", help="Put the audio of the evidence into the page, to be played there.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the segments of all sides to this CSV file, too.")
    ] = None,
) -> None:
    """Write a report on calls as one page, to read, print or hand on, without scripts or external resources.

    A journal covers whole calls; evidence adds the spectrograms of each alert, the settings and, on request, the audio.
    Both are verified, and the page shows the result. A page of several calls begins with an index.
    """
    from monitor.events import wire
    from monitor.report.collect import read
    from monitor.report.page import page
    from monitor.report.segment_table import as_csv
    from monitor.store.seal import read_key

    seal_key = read_key(key) if key is not None else None
    records, sources = read(paths, call, seal_key, audio=with_audio)
    program = f"deepfake-speech-monitor {version('deepfake-speech-monitor')}"
    text = page(records, sources, f"report made {wire.utc_now()[:19].replace('T', ' ')} UTC by {program}")
    _write("page", out, text)
    if csv is not None:
        _write("table", csv, as_csv(records.calls.values()))
    print(f"{out}: {len(records.calls)} call{'s' * (len(records.calls) != 1)}")
    if csv is not None:
        print(f"{csv}: the segments as CSV")
    if with_audio and not any(folder.clips for found in records.calls.values() for folder in found.evidence):
        print("note: there is no sound evidence with audio; name a folder of evidence that can be verified")
    for source in sources:
        if not source.sound:
            print(f"note: {source.path}: {source.result}")


def _write(kind: str, path: Path, content: str) -> None:
    from monitor.disk.private import write_private

    try:
        write_private(path, content.encode("utf-8", "backslashreplace"))
    except OSError as error:
        hint = "name a file in a directory that exists"
        raise BadInputError(f"the {kind} {path} cannot be written: {error.strerror}", hint) from error
