"""`training gather`: cut pieces of real speech out of collections of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Workers
from training.corpora.work_progress import log_progress


def gather(
    recipe: Annotated[Path, typer.Argument(help="TOML file with the folders of the collections and their speakers.")],
    root: Annotated[Path, typer.Option(help="Folder that holds the collections which the recipe names.")],
    out: Annotated[Path, typer.Option(help="Folder for the pieces and a manifest.csv.")],
    keep_out: Annotated[
        list[Path] | None,
        typer.Option(help="A manifest.csv; speakers and recordings of its dev split are left out. May be repeated."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Longest piece.")] = 6.0,
    split: Annotated[str, typer.Option(help="Split of the manifest: train, or dev to measure on.")] = "train",
    workers: Workers = 2,
) -> None:
    """Cut pieces of real speech out of collections of recordings: to train on, or to measure false alarms on."""
    from training.vocoding.gather import gather as run
    from training.vocoding.gather import keep_dev_out, read_recipe

    sources, kept = read_recipe(recipe), keep_dev_out(keep_out or [])
    progress = log_progress(typer.echo, "speakers", every=100)
    path, unreadable = run(sources, root, out, kept, progress, longest_s=seconds, split=split, workers=workers)
    for fault in unreadable:
        typer.echo(f"passed over: {fault}")
    typer.echo(f"wrote {path}")
