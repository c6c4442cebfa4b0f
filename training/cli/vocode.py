"""`training vocode`: re-synthesise speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Workers
from training.corpora.work_progress import log_progress


def vocode(
    speech: Annotated[Path, typer.Argument(help="Recordings: a manifest.csv, a folder that holds one, or a folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the recordings, their copies and a manifest.csv.")],
    system: Annotated[
        list[str] | None,
        typer.Option(
            help="A vocoder of model/vocoding/vocoders.py, or of training/vocoding/open_vocoders/registry.py with its "
            "variant, such as hifigan-v2+smooth. May be repeated. Default: all that can run."
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PATH: weights of an open vocoder, such as hifigan-v2=generator_v2. May be repeated."),
    ] = None,
    per_clip: Annotated[int, typer.Option(min=0, help="Vocoders each recording goes through; 0 = all.")] = 0,
    split: Annotated[str, typer.Option(help="Only recordings of this split of a manifest, such as train.")] = "",
    part: Annotated[str, typer.Option(help="Name of the part that the new manifest puts all into.")] = "vocoded",
    workers: Workers = 2,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
) -> None:
    """Re-synthesise speech with classical and open neural vocoders: training material made of recordings."""
    from model.vocoding.vocoders import VOCODERS, VocoderError
    from training.corpora.clips import CorpusError, by_split
    from training.corpora.layouts import load_corpus
    from training.vocoding.open_vocoders.registry import systems
    from training.vocoding.vocode import find_speech, into_part
    from training.vocoding.vocode import vocode as run

    listed = speech.suffix == ".csv" or (speech / "manifest.csv").is_file()
    clips = load_corpus(speech) if listed else find_speech(speech)
    clips = into_part(by_split(clips, split) if split else clips, part)

    progress = log_progress(typer.echo, "files", every=50)
    held = _paths(weights or [])
    chosen = system or [*VOCODERS, *systems(held)]
    try:
        path = run(clips, out, chosen, progress, weights=held, per_clip=per_clip, seed=seed, workers=workers)
    except VocoderError as error:
        raise CorpusError(str(error)) from error
    typer.echo(f"wrote {path}")


def _paths(pairs: list[str]) -> dict[str, Path]:
    """Return paths by name, of NAME=PATH texts."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise typer.BadParameter(f"{pair!r}: write NAME=PATH, such as hifigan-v2=generator_v2")
    return {name: Path(path) for name, _, path in (pair.partition("=") for pair in pairs)}
