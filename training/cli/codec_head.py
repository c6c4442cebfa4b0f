"""`training codec-head`: a layer that detects a codec which leaves little of what tells a fake."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Corpora, Workers


def codec_head(
    weights: Annotated[Path, typer.Argument(help="Weights file with a linear head, or one beside a codec head.")],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(help="The weights file to write; calibrate it with `training average`.")],
    channel: Annotated[list[str] | None, typer.Option(help="Codec to detect. May be repeated. Default: amr")] = None,
    scale: Annotated[float, typer.Option(min=0, max=1, help="Scale of the logit under such a codec.")] = 0.3,
    offset: Annotated[float, typer.Option(help="Added to the logit there.")] = -0.3,
    clips: Annotated[int, typer.Option(min=10, help="Training clips, each through every channel.")] = 1200,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
) -> None:
    """Add a layer that detects a low-rate codec, under which logits are reduced."""
    from training.learn.codec_head import CodecHeadPlan, run

    codecs = tuple(channel or ("amr",))
    run(CodecHeadPlan(weights, corpus, out, cache, codecs, scale, offset, clips=clips, workers=workers), typer.echo)
