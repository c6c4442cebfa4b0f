"""`training leave-out`: how well synthesis is detected that no training clip was made by."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.typer_commands import expand_options
from training.cli.recipe import Recipe
from training.cli.train_options import TrainOptions


@expand_options
def leave_out(
    recipe: Recipe = None,  # noqa: ARG001
    family: Annotated[
        list[str] | None,
        typer.Option(help="A family to leave out. May be repeated. Default: every family in the corpus."),
    ] = None,
    fewest: Annotated[int, typer.Option(min=1, help="Least number of clips of a family.")] = 20,
    *,
    options: TrainOptions,
) -> None:
    """Train once for each family of synthesis without its clips, and measure how well those are detected.

    Takes all options of `training train`: --minutes and --steps count for each training. A finished
    family is not trained again; an interrupted training continues. Writes leave-out.json into --out.
    """
    from training.learn.leave_out import run

    model, config = options.detector_config(), options.train_config()
    run(model, config, options.plan(), typer.echo, families=tuple(family or ()), fewest=fewest)
