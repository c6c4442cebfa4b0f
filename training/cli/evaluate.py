"""Commands of `training` that measure: evaluate, classes, leave-out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from training.cli.options import Cache, Corpora, Device, Workers

Weights = Annotated[
    Path, typer.Option(metavar="FILE", help="Weights file to measure, or one that ships: default, compact.")
]


def evaluate(
    corpus: Corpora,
    weights: Weights = Path("default"),
    manifest: Annotated[
        Path | None, typer.Option(help="A list of clips for the corpus, whose folder its paths are relative to.")
    ] = None,
    split: Annotated[str, typer.Option(help="dev, train, another split of the manifest, or all.")] = "dev",
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="clean, a channel of training/channels, CHANNEL-loss-PERCENT, or babble-DB. May be repeated. If "
            "none: clean, g711-mu, opus-wide, amr"
        ),
    ] = None,
    matrix: Annotated[bool, typer.Option("--matrix", help="Add error rates by codec and lost packets.")] = False,
    noise: Annotated[bool, typer.Option("--noise", help="Add error rates against background babble.")] = False,
    matrix_clips: Annotated[
        int, typer.Option(min=4, help="Clips for --matrix and --noise, of every part and class.")
    ] = 400,
    calls: Annotated[
        Path | None, typer.Option(help="Show a result of benchmarks/calls.py: time to detect, false alarms per hour.")
    ] = None,
    drift: Annotated[
        Path | None, typer.Option(help="Show a result of benchmarks/drift.py: an hour through one carried state.")
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(
            help="Weights of `training train --network seed-bilstm`: its figures, over whole files, beside those of "
            "--weights. It cannot stream."
        ),
    ] = None,
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="Clips at their own level, as `monitor score` hears them.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json, scores.txt and pictures.")] = Path(
        "runs/evaluation"
    ),
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
    rounds: Annotated[int, typer.Option(min=20, help="Resamplings for the confidence intervals.")] = 500,
) -> None:
    """Measure a network: error rates by corpus part, family, system, language, channel and seconds of speech."""
    from model.checkpoint import weights_path
    from training.baseline.beside import comparison
    from training.evaluate.evaluate import CHANNELS, EvaluationPlan
    from training.evaluate.evaluate import evaluate as run

    plan = EvaluationPlan(
        corpora=corpus,
        weights=weights_path(weights),
        out=out,
        cache=cache,
        manifest=manifest,
        split=split,
        channels=tuple(dict.fromkeys(channel or CHANNELS)),
        workers=workers,
        device=device,
        rounds=rounds,
        matrix=matrix,
        noise=noise,
        matrix_clips=matrix_clips,
        calls=calls,
        drift=drift,
        as_recorded=as_recorded,
        beside=comparison(beside, device) if beside else None,
    )
    run(plan, typer.echo)


def classes(
    corpus: Corpora,
    weights: Weights = Path("default"),
    out: Annotated[
        Path, typer.Option(help="Folder for classes.json, systems.safetensors and pictures; best beside the weights.")
    ] = Path("runs/classes"),
    part: Annotated[str, typer.Option(help="Only this part of the corpora, such as lab.")] = "",
    fewest: Annotated[int, typer.Option(min=2, help="Training clips that a system needs to be a class.")] = 20,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
) -> None:
    """Measure how well kinds of synthesis are named, and fit a classifier of systems over the network's embedding."""
    from model.checkpoint import weights_path
    from training.evaluate.classify import ClassesPlan, run

    run(ClassesPlan(corpus, weights_path(weights), out, cache, part, fewest, workers, device), typer.echo)


def leave_out(
    context: typer.Context,
    family: Annotated[
        list[str] | None, typer.Option(help="A family to leave out. May be repeated. If none: every one in the corpus.")
    ] = None,
    fewest: Annotated[int, typer.Option(min=1, help="Clips that a family needs.")] = 20,
) -> None:
    """Train once for each family of synthesis without its clips, and measure how well those are detected.

    Takes all options of `training train`: --minutes and --steps are of each training. A family that is done is not
    done again; a training that broke off goes on. Writes leave-out.json into --out.
    """
    from functools import partial

    from training.learn.leave_out import run

    group = context.parent and context.parent.command
    train: Any = getattr(group, "commands", {})["train"]
    runner = partial(run, families=tuple(family or ()), fewest=fewest)
    with train.make_context(context.info_name, list(context.args), parent=context.parent, obj=runner) as inner:
        train.invoke(inner)
