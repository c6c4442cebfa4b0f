"""Commands about what was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import JsonOnly

KeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="The secret that sealed the evidence (evidence_store.key).")
]


def verify(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A journal, with the files it has rotated to; or evidence, one folder or several in one.",
        ),
    ],
    key: KeyFile = None,
    json_lines: JsonOnly = False,
) -> None:
    """Find what was altered in a journal or in evidence, left out or added. Exit status 0: whole, 2: not.

    Without --key this shows damage and careless changes: whoever can write to a folder of evidence can make new
    checksums too. With --key its manifest must have been sealed by the holder of that secret.
    """
    from monitor.commands.verify import verify as run

    raise typer.Exit(run(path, key, as_json=json_lines))


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="A journal, a folder of evidence, or several of them: told as one."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The page to write.")] = Path("report.html"),
    call: Annotated[str | None, typer.Option(metavar="NAME", help="Only this call.")] = None,
    key: KeyFile = None,
) -> None:
    """Write what was found as one page to read, print or hand on: no script, nothing loaded from elsewhere.

    A journal tells of whole calls; evidence adds the pictures of each alert. Both are verified, and the page says so.
    """
    from monitor.commands.report import report as run

    run(paths, out, call, key)
