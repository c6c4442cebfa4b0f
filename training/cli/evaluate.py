"""`training evaluate`: measure a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.typer_commands import expand_options, from_options
from training.cli.options import Cache, Corpora, Device, WeightsFile, Workers


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """The options of `training evaluate`."""

    corpus: Corpora
    weights: WeightsFile = Path("default")
    manifest: Annotated[
        Path | None, typer.Option(help="A list of clips for the corpus, whose folder its paths are relative to.")
    ] = None
    split: Annotated[str, typer.Option(help="dev, train, another split of the manifest, or all.")] = "dev"
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="clean, a channel of training/channels, CHANNEL-loss-PERCENT, or babble-DB. May be repeated. If "
            "none: clean, g711-mu, opus-wide, amr"
        ),
    ] = None
    matrix: Annotated[bool, typer.Option("--matrix", help="Add error rates by codec and lost packets.")] = False
    noise: Annotated[bool, typer.Option("--noise", help="Add error rates against background babble.")] = False
    matrix_clips: Annotated[
        int, typer.Option(min=4, help="Clips for --matrix and --noise, of every part and class.")
    ] = 400
    calls: Annotated[
        Path | None, typer.Option(help="Show a result of benchmarks/calls.py: time to detect, false alarms per hour.")
    ] = None
    drift: Annotated[
        Path | None, typer.Option(help="Show a result of benchmarks/drift.py: an hour through one carried state.")
    ] = None
    beside: Annotated[
        Path | None,
        typer.Option(
            help="Weights of `training baseline`: its figures, over whole files, beside those of "
            "--weights. It cannot stream."
        ),
    ] = None
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="Keep the level of each clip, as `monitor score` does.")
    ] = False
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json, scores.txt and pictures.")] = Path(
        "runs/evaluation"
    )
    workers: Workers = 2
    cache: Cache = Path("data/cache")
    device: Device = "auto"
    rounds: Annotated[int, typer.Option(min=20, help="Resamplings for the confidence intervals.")] = 500


@expand_options
def evaluate(*, options: EvaluateOptions) -> None:
    """Measure a network: error rates by corpus part, family, system, language, channel and seconds of speech."""
    from model.weights_file import weights_path
    from training.baseline.beside import comparison
    from training.evaluate.evaluate import CHANNELS, EvaluationPlan
    from training.evaluate.evaluate import evaluate as run

    plan = from_options(
        EvaluationPlan,
        options,
        corpora=options.corpus,
        weights=weights_path(options.weights),
        channels=tuple(dict.fromkeys(options.channel or CHANNELS)),
        beside=comparison(options.beside, options.device) if options.beside else None,
    )
    run(plan, typer.echo)
