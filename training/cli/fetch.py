"""`training fetch`: download a public corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="librisevoc (some 12 GB).")],
    out: Annotated[Path, typer.Option(help="Folder for the corpus.")] = Path("data"),
    record: Annotated[str, typer.Option("--from", metavar="URL", help="Other server with the same files.")] = "",
    unverified: Annotated[bool, typer.Option("--unverified", help="Accept files whose checksum is not known.")] = False,
) -> None:
    """Download a public corpus: an interrupted download continues; files are checked and unpacked."""
    from training.corpora.clips import CorpusError
    from training.corpora.fetch import RECORDS
    from training.corpora.fetch import fetch as run

    if corpus not in RECORDS:
        raise CorpusError(f"cannot fetch {corpus!r}; there are {', '.join(RECORDS)}")
    run(record or RECORDS[corpus], out, typer.echo, unverified=unverified)
    folders = [p for p in sorted(out.iterdir()) if p.is_dir() and p.name.lower().startswith(corpus)]
    typer.echo("now train with " + " ".join(f"--corpus {p}" for p in folders or [out]))
