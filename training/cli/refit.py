"""`training refit`: the last layer of a trained network, fitted anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Corpora, Workers, named_weights


def refit(
    weights: Annotated[Path, typer.Argument(help="Weights file with a linear head, or one beside a codec head.")],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(help="The weights file to write; calibrate it with `training average`.")],
    channel: Annotated[
        list[str] | None,
        typer.Option(help="Channel whose shift of all scores is taken away. May be repeated. Default: none"),
    ] = None,
    versions: Annotated[int, typer.Option(min=1, help="Copies of the speech, the clean one included.")] = 3,
    per_voice: Annotated[int, typer.Option(min=1, help="Clips of each voice of each system at most.")] = 3,
    part_weights: Annotated[
        str, typer.Option(help="Shares of the parts of the corpora among the clips of each label: pages=0.7,tts=0.3.")
    ] = "",
    ridge: Annotated[float, typer.Option(min=0, help="Penalty on what is added to the head.")] = 0.1,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
) -> None:
    """Fit the head that tells bona fide from spoof anew, on training clips balanced by voice and by source."""
    from training.learn.refit_head import RefitPlan, run

    channels = tuple(channel or ())
    parts = named_weights(part_weights, "part_weights")
    plan = RefitPlan(weights, corpus, out, cache, versions, per_voice, ridge, parts, channels, workers=workers)
    run(plan, typer.echo)
