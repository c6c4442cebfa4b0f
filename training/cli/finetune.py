"""`training finetune`: go on from trained weights with own fakes and real voices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Device, Workers


def finetune(
    folder: Annotated[
        Path,
        typer.Argument(help="Holds real/ and fake/ with recordings; a folder within them is one voice, or one system."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run. Resumes where it stopped.")],
    start: Annotated[Path, typer.Option(help="Weights to go on from, or default, those that ship.")] = Path("default"),
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="Corpus to learn from beside it, so that what is known is not forgotten. May be repeated."),
    ] = None,
    held_back: Annotated[
        list[Path] | None,
        typer.Option(help="Corpus whose test split is measured, and never learned from. May be repeated."),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Stop after this many minutes of training ...")] = 30.0,
    steps: Annotated[int, typer.Option(min=1, help="... or this many steps, whichever comes first.")] = 500,
    learning_rate: Annotated[float, typer.Option(min=0, help="Learning rate after the warm-up.")] = 1e-4,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 1,
) -> None:
    """Go on from trained weights with a folder of own fakes and real voices, and measure before and after.

    A fifth of the voices is held back. 'monitor calibrate --marks' writes such a folder of marked alerts.
    """
    from model.weights_file import weights_path
    from training.learn.finetune import FineTunePlan, advice, fine_tune, table

    plan = FineTunePlan(
        folder=folder,
        out=out,
        start=weights_path(start),
        corpora=tuple(corpus or ()),
        held_back=tuple(held_back or ()),
        minutes=minutes,
        steps=steps,
        learning_rate=learning_rate,
        cache=cache,
        workers=workers,
        device=device,
        seed=seed,
    )
    figures = fine_tune(plan, typer.echo)
    for line in (*table(figures), advice(figures)):
        typer.echo(line)
    typer.echo(f"to use them: training export {out / 'weights.safetensors'}, then monitor --weights FILE ...")
