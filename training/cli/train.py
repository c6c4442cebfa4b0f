"""`training train`: train a network on corpora of bona fide and synthetic speech."""

from __future__ import annotations

import typer

from monitor.cli.typer_commands import expand_options
from training.cli.recipe import Recipe
from training.cli.train_options import TrainOptions

OFFLINE = "seed-bilstm"


@expand_options
def train(recipe: Recipe = None, *, options: TrainOptions) -> None:  # noqa: ARG001
    """Train a network on corpora of bona fide and synthetic speech, from scratch or from other weights.

    Clips of the split "dev" are for validation and calibration; where a corpus has none, a tenth of its speakers is.
    """
    if options.network == OFFLINE:
        raise typer.BadParameter(
            f"{OFFLINE} hears whole clips: train it with 'training baseline'", param_hint="--network"
        )
    if options.tensorboard:
        from training.learn.curves import check_tensorboard

        check_tensorboard()
    from training.learn.prepare import run

    run(options.detector_config(), options.train_config(), options.plan(), typer.echo)
