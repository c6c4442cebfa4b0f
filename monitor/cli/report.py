"""`monitor report`: what was found, as a page."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import KeyFile


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="A journal or a folder of evidence; several make one page."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The page to write.")] = Path("report.html"),
    call: Annotated[str | None, typer.Option(metavar="NAME", help="Report this call alone.")] = None,
    key: KeyFile = None,
) -> None:
    """Write a report on calls as one page, to read, print or hand on, without scripts or external resources.

    A journal covers whole calls; evidence adds the spectrograms of each alert. Both are verified, and the page
    shows the result.
    """
    from monitor.disk.private import write_private
    from monitor.errors import BadInputError
    from monitor.events import wire
    from monitor.report.collect import read
    from monitor.report.page import page
    from monitor.store.seal import read_key

    history, sources = read(paths, call, read_key(key) if key is not None else None)
    program = f"deepfake-speech-monitor {version('deepfake-speech-monitor')}"
    text = page(history, sources, f"report made {wire.utc_now()[:19].replace('T', ' ')} UTC by {program}")
    try:
        write_private(out, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        hint = "name a file in a directory that exists"
        raise BadInputError(f"the page {out} cannot be written: {error.strerror}", hint) from error
    print(f"{out}: {len(history.calls)} call{'s' * (len(history.calls) != 1)}")
    for source in sources:
        if not source.sound:
            print(f"note: {source.path}: {source.result}")
