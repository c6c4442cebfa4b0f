"""`training average`: the mean of several trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Corpora, Workers


def average(
    weights: Annotated[
        list[Path], typer.Argument(help="Weights files of trainings that started from the same weights.")
    ],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(help="The weights file to write.")],
    split: Annotated[str, typer.Option(help="Split of the corpora that the calibration is fitted on.")] = "dev",
    channel: Annotated[
        list[str] | None,
        typer.Option(help="Channel that the calibration is fitted through. May be repeated. Default: clean"),
    ] = None,
    side_by_side: Annotated[
        bool,
        typer.Option(
            "--side-by-side",
            help="Take the mean of what the networks say instead of their weights: they may differ, and cost as much "
            "as all of them.",
        ),
    ] = False,
    share: Annotated[
        list[float] | None,
        typer.Option(help="Weight of each network for --side-by-side, in their order. Default: equal weights."),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(help="Part of the corpora that the calibration is fitted on. May be repeated. Default: all"),
    ] = None,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
) -> None:
    """Average the weights of several trainings, or take those of one, and fit the calibration."""
    from training.learn.average import AveragePlan, run

    channels = tuple(channel or ("clean",))
    shares = tuple(share or ())
    parts = tuple(part or ())
    run(AveragePlan(weights, corpus, split, channels, out, cache, workers, side_by_side, shares, parts), typer.echo)
