"""`training channels`: draw what each channel does to speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def channels(
    speech: Annotated[Path, typer.Argument(help="A recording of speech; its first 2.5 seconds are drawn.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")] = Path("runs/channels.png"),
    seed: Annotated[int, typer.Option(help="Seed of the random settings of each channel.")] = 0,
) -> None:
    """Plot what each channel of the augmentation does to speech."""
    from training.corpora.bank import read_audio
    from training.evaluate.gallery import draw

    typer.echo(f"wrote {draw(read_audio(speech)[:40_000], out, seed)}")
