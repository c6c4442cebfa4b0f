"""`training synthesise`: let installed synthesisers speak texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.corpora.work_progress import log_progress


def synthesise(
    recipe: Annotated[Path, typer.Argument(help="TOML file with texts, and the voices that speak them.")],
    out: Annotated[Path, typer.Option(help="Folder for the clips and a manifest.csv.")],
    part: Annotated[str, typer.Option(help="Name of the part that the manifest puts all into.")] = "synthesised",
    system: Annotated[
        list[str] | None, typer.Option(help="Only this system of the recipe. May be repeated. Default: all.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Longest clip.")] = 6.0,
    seed: Annotated[int, typer.Option(help="Seed of the choice of sentences.")] = 0,
) -> None:
    """Synthesise speech from text with the installed engines."""
    from training.vocoding.synthesise import chosen, plan, read_recipe
    from training.vocoding.synthesise import synthesise as run

    speakers, texts = read_recipe(recipe)
    clips = list(plan(chosen(speakers, system or []), texts, seed))
    path, failures = run(clips, out, log_progress(typer.echo, "clips", every=50), part=part, longest_s=seconds)
    for why in failures:
        typer.echo(f"passed over: {why}")
    typer.echo(f"wrote {path}")
