"""`training select`: a list of chosen clips of other lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def select(
    corpus: Annotated[list[Path], typer.Argument(help="A manifest.csv, or a folder that holds one.")],
    out: Annotated[Path, typer.Option(help="Folder for the new manifest.csv; clips are not copied.")],
    part: Annotated[
        list[str] | None, typer.Option(help="Training clips of this part alone. May be repeated. Default: all.")
    ] = None,
    without: Annotated[
        Path | None, typer.Option(help="Text file: sources (column detail) to leave out, one a line.")
    ] = None,
    systems: Annotated[
        int,
        typer.Option(
            min=0, help="Number of synthesis systems to keep, drawn by --seed, besides those of part lab; 0: all."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the choice of systems.")] = 0,
    training_only: Annotated[bool, typer.Option("--training-only", help="Leave out clips of other splits.")] = False,
    new_pairs: Annotated[
        str, typer.Option(help="Prefix for the names of pairs, so that they differ from those of another list.")
    ] = "",
) -> None:
    """Choose clips of manifests: by part and source, or with fewer systems of synthesis."""
    from training.corpora.clips import text_of
    from training.corpora.select import Selection
    from training.corpora.select import select as run
    from training.vocoding.vocode import write_manifest

    left_out = [line for line in text_of(without).splitlines() if line] if without else []
    chosen = Selection(part or (), left_out, systems, seed, training_only, new_pairs)
    manifests = [c if c.suffix == ".csv" else c / "manifest.csv" for c in corpus]
    rows = run(manifests, chosen)
    out.mkdir(parents=True, exist_ok=True)
    typer.echo(f"wrote {write_manifest(out / 'manifest.csv', rows)}: {len(rows)} clips")
