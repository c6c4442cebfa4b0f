"""`training fetch`: download a public corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="librisevoc (some 12 GB).")],
    out: Annotated[Path, typer.Option(help="Folder for the corpus.")] = Path("data"),
    record: Annotated[str, typer.Option("--from", metavar="URL", help="Another place of the same form.")] = "",
    unverified: Annotated[bool, typer.Option("--unverified", help="Take files without a known sum, too.")] = False,
) -> None:
    """Download a public corpus: it goes on where it broke off, checks what came, and unpacks it."""
    from training.corpora.clips import CorpusError
    from training.corpora.fetch import RECORDS
    from training.corpora.fetch import fetch as run

    if corpus not in RECORDS:
        raise CorpusError(f"cannot fetch {corpus!r}; there are {', '.join(RECORDS)}")
    run(record or RECORDS[corpus], out, typer.echo, unverified=unverified)
    folders = [p for p in sorted(out.iterdir()) if p.is_dir() and p.name.lower().startswith(corpus)]
    typer.echo("now train with " + " ".join(f"--corpus {p}" for p in folders or [out]))
