"""`training shortcuts`: how far a corpus gives its labels away."""

from __future__ import annotations

from typing import Annotated

import typer

from training.cli.options import Corpora
from training.corpora.work_progress import log_progress


def shortcuts(
    corpus: Corpora,
    split: Annotated[str, typer.Option(help="train, dev, another split of the manifest, or all.")] = "train",
) -> None:
    """Measure how far length, level, silence, bandwidth and file format alone give the labels of a corpus away."""
    from training.corpora.layouts import load_corpus
    from training.evaluate.shortcuts import find_shortcuts

    clips = [c for source in corpus for c in load_corpus(source) if split in (c.split, "all")]
    for found in find_shortcuts(clips, log_progress(typer.echo, "clips", every=500)):
        typer.echo(f"{found.name:14s}  AUC {found.auc:.3f}")
