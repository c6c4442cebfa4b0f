"""`training finetune`: go on from trained weights with own fakes and real voices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.typer_commands import expand_options, from_options
from training.cli.options import Cache, Device, Minutes, Seed, Steps, Workers
from training.cli.train_options import LearningRate


@dataclass(frozen=True, kw_only=True)
class FineTuneOptions:
    """The options of `training finetune`."""

    folder: Annotated[
        Path,
        typer.Argument(help="Holds real/ and fake/ with recordings; a folder within them is one voice, or one system."),
    ]
    out: Annotated[Path, typer.Option(help="Folder of the run. Resumes where it stopped.")]
    start: Annotated[Path, typer.Option(help="Weights to start from, or default, those that ship.")] = Path("default")
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="Corpus to learn from beside it, so that what is known is not forgotten. May be repeated."),
    ] = None
    held_back: Annotated[
        list[Path] | None,
        typer.Option(help="Corpus whose test split is measured, and never learned from. May be repeated."),
    ] = None
    minutes: Minutes = 30.0
    steps: Steps = 500
    learning_rate: LearningRate = 1e-4
    workers: Workers = 2
    cache: Cache = Path("data/cache")
    device: Device = "auto"
    seed: Seed = 1


@expand_options
def finetune(*, options: FineTuneOptions) -> None:
    """Continue from trained weights with a folder of your own fakes and real voices, and measure before and after.

    A fifth of the voices is held back. 'monitor calibrate --marks' writes such a folder of marked alerts.
    """
    from model.weights_file import weights_path
    from training.learn.finetune import FineTunePlan, advice, fine_tune, table

    corpora, held_back = tuple(options.corpus or ()), tuple(options.held_back or ())
    plan = from_options(FineTunePlan, options, corpora=corpora, held_back=held_back, start=weights_path(options.start))
    figures = fine_tune(plan, typer.echo)
    for line in (*table(figures), advice(figures)):
        typer.echo(line)
    typer.echo(f"to use them: training export {plan.out / 'weights.safetensors'}, then monitor --weights FILE ...")
