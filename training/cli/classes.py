"""`training classes`: how well kinds of synthesis are named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Corpora, Device, WeightsFile, Workers


def classes(
    corpus: Corpora,
    weights: WeightsFile = Path("default"),
    out: Annotated[Path, typer.Option(help="Folder for classes.json and pictures; best beside the weights.")] = Path(
        "runs/classes"
    ),
    part: Annotated[str, typer.Option(help="Only this part of the corpora, such as lab.")] = "",
    fewest: Annotated[
        int, typer.Option(min=2, help="Least number of training clips of a system that makes a class.")
    ] = 20,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
) -> None:
    """Measure how well kinds of synthesis are named, and fit a classifier of systems over the network's embedding."""
    from model.weights_file import weights_path
    from training.evaluate.classify import ClassesPlan, run

    run(ClassesPlan(corpus, weights_path(weights), out, cache, part, fewest, workers, device), typer.echo)
