"""`training shrink`: a cheaper network that says nearly what a trained one says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Corpora, Workers
from training.cli.train_options import whole_numbers


def shrink(
    weights: Annotated[Path, typer.Argument(help="Weights of the kind cnn-lstm.")],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(help="The weights file to write.")],
    features: Annotated[
        str, typer.Option(help="Features to keep, from the first of the weights' features on. Default: all.")
    ] = "",
    hidden: Annotated[int, typer.Option(min=8, help="Units of the LSTM that are kept.")] = 216,
    ranks: Annotated[str, typer.Option(help="Ranks of the convolutions after the first.")] = "16,24,32",
    families: Annotated[str, typer.Option(help="Families of synthesis to add, with commas.")] = "",
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
) -> None:
    """Make a smaller network (factored-lstm) from a trained one, to continue training from."""
    from training.learn.shrink import ShrinkPlan, run

    named = tuple(name for name in families.split(",") if name)
    kept = whole_numbers(ranks, "--ranks")
    run(ShrinkPlan(weights, corpus, out, cache, features, hidden, kept, named, workers), typer.echo)
