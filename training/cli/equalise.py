"""`training equalise`: take out of a corpus what gives its labels away by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.corpora.work_progress import log_progress


def equalise(
    corpus: Annotated[
        list[Path], typer.Argument(help="A manifest.csv, or a folder that holds one. All are taken together.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the clips and a manifest.csv.")],
    split: Annotated[str, typer.Option(help="Only clips of this split.")] = "train",
    seed: Annotated[int, typer.Option(help="Seed of the pairing of clips.")] = 0,
) -> None:
    """Bring bona fide and synthetic clips of each page to one band, noise floor, length and file format."""
    from training.vocoding.equalise import equalise as run

    manifests = [c if c.suffix == ".csv" else c / "manifest.csv" for c in corpus]
    progress = log_progress(typer.echo, "read, each clip twice", every=500)
    typer.echo(f"wrote {run(manifests, out, progress, split=split, seed=seed)}")
