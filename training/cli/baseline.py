"""`training baseline`: train the network to compare with, which hears whole clips."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from monitor.cli.typer_commands import expand_options, from_options
from training.baseline.baseline_settings import BaselineSettings
from training.cli.recipe import Recipe
from training.cli.train_options import Dropout, Optimiser, RunOptions, WeightDecay


@dataclass(frozen=True, kw_only=True)
class BaselineOptions(RunOptions):
    """The options of every training, with the baseline's own defaults."""

    dropout: Dropout = 0.0
    weight_decay: WeightDecay = BaselineSettings.weight_decay
    optimiser: Optimiser = BaselineSettings.optimiser


@expand_options
def baseline(recipe: Recipe = None, *, options: BaselineOptions) -> None:  # noqa: ARG001
    """Train the offline network seed-bilstm (bidirectional LSTM over whole clips), for `training evaluate --beside`.

    This project began with that network (docs/training.md).
    """
    if options.tensorboard:
        from training.learn.curves import check_tensorboard

        check_tensorboard()
    from training.baseline.run import BaselinePlan, run

    plan = from_options(BaselinePlan, options, corpora=options.corpus)
    run(from_options(BaselineSettings, options), plan, typer.echo)
