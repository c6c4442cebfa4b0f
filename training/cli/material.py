"""Commands of `training` that make or judge material: vocode, vocoder, gather, fetch, shortcuts, channels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Corpora, Device, Workers


def vocode(
    speech: Annotated[Path, typer.Argument(help="Recordings: a manifest.csv, a folder that holds one, or a folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the recordings, their copies and a manifest.csv.")],
    system: Annotated[
        list[str] | None,
        typer.Option(
            help="A vocoder of model/vocoding/vocoders.py, or of training/open_vocoders with its variant, such as "
            "hifigan-v2+smooth. May be repeated. If none: all that can run."
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
    seed: Annotated[int, typer.Option()] = 0,
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

    def progress(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            typer.echo(f"{done} of {total} files")

    held = _paths(weights or [])
    chosen = system or [*VOCODERS, *systems(held)]
    try:
        path = run(clips, out, chosen, progress, weights=held, per_clip=per_clip, seed=seed, workers=workers)
    except VocoderError as error:
        raise CorpusError(str(error)) from error
    typer.echo(f"wrote {path}")


def vocoder(
    corpus: Corpora,
    out: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoint, history, weights. Resumes where it stopped.")
    ],
    kind: Annotated[
        str, typer.Option(help="istft-gan: a harmonic and noise source, shaped by a network.")
    ] = "istft-gan",
    minutes: Annotated[float, typer.Option(min=0.01, help="Stop after so many minutes of training ...")] = 20.0,
    steps: Annotated[int, typer.Option(min=1, help="... or so many steps, whichever comes first.")] = 100_000,
    rows: Annotated[int, typer.Option(min=1, help="Pieces of 0.8 s in a batch.")] = 12,
    learning_rate: Annotated[float, typer.Option(min=0)] = 1.5e-3,
    warm_up: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the training before the discriminators are switched on.")
    ] = 0.4,
    report_every: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 100,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Train a small neural vocoder from scratch on the bona fide clips of the train split, for vocode to make copies
    with: --weights neural-istft=OUT/weights.safetensors.
    """
    from training.vocoding.neural_vocoder.config import TrainConfig, VocoderConfig
    from training.vocoding.neural_vocoder.prepare import VocoderPlan, run

    config = TrainConfig(
        steps=steps,
        minutes=minutes,
        rows=rows,
        learning_rate=learning_rate,
        warm_up=warm_up,
        report_every=report_every,
        seed=seed,
    )
    run(VocoderConfig.from_dict({"kind": kind}), config, VocoderPlan(corpus, out, cache, workers, device), typer.echo)


def gather(
    recipe: Annotated[Path, typer.Argument(help="TOML file that says where speech lies, and who speaks.")],
    root: Annotated[Path, typer.Option(help="Folder that holds the collections which the recipe names.")],
    out: Annotated[Path, typer.Option(help="Folder for the pieces and a manifest.csv.")],
    keep_out: Annotated[
        list[Path] | None,
        typer.Option(help="A manifest.csv; speakers and recordings of its dev split stay out. May be repeated."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Longest piece.")] = 6.0,
    workers: Workers = 2,
) -> None:
    """Cut pieces of real speech out of collections of recordings: training material for vocode and train."""
    from training.vocoding.gather import gather as run
    from training.vocoding.gather import keep_dev_out, read_recipe

    def progress(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            typer.echo(f"{done} of {total} speakers")

    sources, kept = read_recipe(recipe), keep_dev_out(keep_out or [])
    path, unread = run(sources, root, out, kept, progress, longest_s=seconds, workers=workers)
    for fault in unread:
        typer.echo(f"passed over: {fault}")
    typer.echo(f"wrote {path}")


def fetch(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="librisevoc (some 12 GB).")],
    out: Annotated[Path, typer.Option(help="Folder for the corpus.")] = Path("data"),
    record: Annotated[str, typer.Option("--from", metavar="URL", help="Another place of the same form.")] = "",
) -> None:
    """Download a public corpus: it goes on where it broke off, checks what came, and unpacks it."""
    from training.corpora.clips import CorpusError
    from training.corpora.fetch import RECORDS
    from training.corpora.fetch import fetch as run

    if corpus not in RECORDS:
        raise CorpusError(f"cannot fetch {corpus!r}; there are {', '.join(RECORDS)}")
    run(record or RECORDS[corpus], out, typer.echo)
    folders = [p for p in sorted(out.iterdir()) if p.is_dir() and p.name.lower().startswith(corpus)]
    typer.echo("now train with " + " ".join(f"--corpus {p}" for p in folders or [out]))


def shortcuts(
    corpus: Corpora,
    split: Annotated[str, typer.Option(help="train, dev, another split of the manifest, or all.")] = "train",
) -> None:
    """Tell how far a corpus gives its labels away by length, level, silence, bandwidth and file format alone."""
    from training.corpora.layouts import load_corpus
    from training.evaluate.shortcuts import find_shortcuts

    def progress(done: int, total: int) -> None:
        if done % 500 == 0 or done == total:
            typer.echo(f"{done} of {total} clips")

    clips = [c for source in corpus for c in load_corpus(source) if split in (c.split, "all")]
    for found in find_shortcuts(clips, progress):
        typer.echo(f"{found.name:14s}  AUC {found.auc:.3f}")


def _paths(pairs: list[str]) -> dict[str, Path]:
    """Paths by name, of NAME=PATH texts."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise typer.BadParameter(f"{pair!r}: write NAME=PATH, such as hifigan-v2=generator_v2")
    return {name: Path(path) for name, _, path in (pair.partition("=") for pair in pairs)}


def channels(
    speech: Annotated[Path, typer.Argument(help="A recording of speech; its first 2.5 seconds are drawn.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")] = Path("runs/channels.png"),
    seed: Annotated[int, typer.Option(help="Of the settings that a channel draws.")] = 0,
) -> None:
    """Draw what each channel that training uses does to speech."""
    from training.corpora.bank import read_audio
    from training.evaluate.gallery import draw

    typer.echo(f"wrote {draw(read_audio(speech)[:40_000], out, seed)}")
