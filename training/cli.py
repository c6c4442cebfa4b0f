"""The command `training`: learn a network, measure one, re-synthesise speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def training() -> None:
    """Train and measure the networks of the deepfake speech monitor."""


Corpora = Annotated[
    list[Path],
    typer.Option("--corpus", help="A manifest.csv, a folder that holds one, or a folder of classes. May be repeated."),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that prepare the speech.")]
Cache = Annotated[Path, typer.Option(help="Folder for prepared speech.")]


def _device(name: str) -> str:
    """A device that this machine has."""
    if name not in ("auto", "cpu", "cuda", "mps"):
        raise typer.BadParameter(f"{name!r}: auto, cpu, cuda or mps")
    if name in ("cuda", "mps"):
        import torch

        if not (torch.cuda if name == "cuda" else torch.backends.mps).is_available():
            raise typer.BadParameter(f"this machine has no {name} device; auto takes what there is")
    return name


Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", callback=_device)]


@app.command()
def train(
    corpus: Corpora,
    out: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoint, history, weights. Resumes where it stopped.")
    ],
    start: Annotated[
        Path | None,
        typer.Option(help="Go on from this weights file, with its features and network, instead of from scratch."),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Stop after so many minutes of training ...")] = 60.0,
    steps: Annotated[int, typer.Option(min=1, help="... or so many steps, whichever comes first.")] = 100_000,
    rows: Annotated[int, typer.Option(min=2, help="Calls in a batch; even.")] = 32,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each call in a batch.")] = 8.0,
    features: Annotated[str, typer.Option(help="linear, mel, lfcc or mfcc.")] = "linear",
    filters: Annotated[int, typer.Option(min=8, max=200, help="Filters of the filterbank.")] = 80,
    network: Annotated[str, typer.Option(help="cnn-lstm, lstm or cnn.")] = "cnn-lstm",
    channels: Annotated[str, typer.Option(help="Channels of the convolutions.")] = "24,32,48,64",
    hidden: Annotated[int, typer.Option(min=8, help="Units of the LSTM.")] = 192,
    layers: Annotated[int, typer.Option(min=1, max=4, help="Layers of the LSTM.")] = 1,
    dropout: Annotated[float, typer.Option(min=0, max=0.9)] = 0.1,
    learning_rate: Annotated[float, typer.Option(min=0)] = 1e-3,
    weight_decay: Annotated[float, typer.Option(min=0)] = 0.01,
    average: Annotated[float, typer.Option(min=0, max=1, help="Decay of the moving average of the weights.")] = 0.999,
    part_weights: Annotated[str, typer.Option(help="How often parts of the corpus are drawn: lab=1,wild=1.")] = "",
    versions: Annotated[
        int, typer.Option(min=1, help="Copies of the speech through codecs, the clean one included.")
    ] = 4,
    augment: Annotated[float, typer.Option(min=0, max=1, help="Strength of the augmentation once it is full.")] = 1.0,
    ramp: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the training over which the augmentation grows.")
    ] = 0.4,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between two looks at the dev split.")] = 500,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Train a network from scratch on corpora of bona fide and synthetic speech.

    Clips of the split "dev" are for validation and calibration; where a corpus has none, a tenth of its speakers is.
    """
    from model.config import DetectorConfig, FeatureConfig, NetworkConfig
    from training.prepare import Plan, run
    from training.train import TrainConfig

    model = DetectorConfig(
        features=FeatureConfig(kind=features, n_filters=filters, n_ceps=min(40, filters)),
        network=NetworkConfig(network, _numbers(channels), hidden=hidden, layers=layers, dropout=dropout),
    )
    config = TrainConfig(
        steps=steps,
        minutes=minutes,
        rows=rows - rows % 2,
        seconds=seconds,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        average=average,
        validate_every=validate_every,
        full_strength=augment,
        ramp=ramp,
        seed=seed,
    )
    plan = Plan(corpus, out, cache, _weights(part_weights), versions, workers, device, start)
    run(model, config, plan, typer.echo)


@app.command()
def evaluate(
    corpus: Corpora,
    weights: Annotated[Path | None, typer.Option(help="Weights file to measure; the shipped one if none.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="A list of clips for the corpus, whose folder its paths are relative to.")
    ] = None,
    split: Annotated[str, typer.Option(help="dev, train, another split of the manifest, or all.")] = "dev",
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="clean, or a channel of training/channels.py. May be repeated. If none: clean, g711-mu, opus-wide, amr"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json, scores.txt and pictures.")] = Path(
        "runs/evaluation"
    ),
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
    rounds: Annotated[int, typer.Option(min=20, help="Resamplings for the confidence intervals.")] = 500,
) -> None:
    """Measure a network: error rates by corpus part, family, system, language, channel and seconds of speech."""
    from model.checkpoint import DEFAULT_WEIGHTS
    from training.evaluate import CHANNELS, EvaluationPlan
    from training.evaluate import evaluate as run

    channels = tuple(dict.fromkeys(channel or CHANNELS))
    plan = EvaluationPlan(
        corpus, weights or DEFAULT_WEIGHTS, out, cache, manifest, split, channels, workers, device, rounds
    )
    run(plan, typer.echo)


@app.command()
def vocode(
    speech: Annotated[Path, typer.Argument(help="Recordings: a manifest.csv, a folder that holds one, or a folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the recordings, their copies and a manifest.csv.")],
    system: Annotated[
        list[str] | None, typer.Option(help="A vocoder of model/vocoders.py. May be repeated. If none: all.")
    ] = None,
    per_clip: Annotated[int, typer.Option(min=0, help="Vocoders each recording goes through; 0 = all.")] = 0,
    split: Annotated[str, typer.Option(help="Only recordings of this split of a manifest, such as train.")] = "",
    part: Annotated[str, typer.Option(help="Name of the part that the new manifest puts all into.")] = "vocoded",
    workers: Workers = 2,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Re-synthesise speech with classical vocoders: training material made of recordings of your own."""
    from model.vocoders import VOCODERS, VocoderError
    from training.corpora import CorpusError, by_split
    from training.layouts import load_corpus
    from training.vocode import find_speech, into_part
    from training.vocode import vocode as run

    listed = speech.suffix == ".csv" or (speech / "manifest.csv").is_file()
    clips = load_corpus(speech) if listed else find_speech(speech)
    clips = into_part(by_split(clips, split) if split else clips, part)

    def progress(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            typer.echo(f"{done} of {total} files")

    try:
        path = run(clips, out, system or list(VOCODERS), progress, per_clip=per_clip, seed=seed, workers=workers)
    except VocoderError as error:
        raise CorpusError(str(error)) from error
    typer.echo(f"wrote {path}")


@app.command()
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
    from training.gather import gather as run
    from training.gather import keep_dev_out, read_recipe

    def progress(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            typer.echo(f"{done} of {total} speakers")

    sources, kept = read_recipe(recipe), keep_dev_out(keep_out or [])
    path, unread = run(sources, root, out, kept, progress, longest_s=seconds, workers=workers)
    for fault in unread:
        typer.echo(f"passed over: {fault}")
    typer.echo(f"wrote {path}")


@app.command()
def fetch(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="librisevoc (some 12 GB).")],
    out: Annotated[Path, typer.Option(help="Folder for the corpus.")] = Path("data"),
    record: Annotated[str, typer.Option("--from", metavar="URL", help="Another place of the same form.")] = "",
) -> None:
    """Download a public corpus: it goes on where it broke off, checks what came, and unpacks it."""
    from training.corpora import CorpusError
    from training.fetch import RECORDS
    from training.fetch import fetch as run

    if corpus not in RECORDS:
        raise CorpusError(f"cannot fetch {corpus!r}; there are {', '.join(RECORDS)}")
    run(record or RECORDS[corpus], out, typer.echo)
    folders = [p for p in sorted(out.iterdir()) if p.is_dir() and p.name.lower().startswith(corpus)]
    typer.echo("now train with " + " ".join(f"--corpus {p}" for p in folders or [out]))


@app.command()
def shortcuts(
    corpus: Corpora,
    split: Annotated[str, typer.Option(help="train, dev, another split of the manifest, or all.")] = "train",
) -> None:
    """Tell how far a corpus gives its labels away by length, level, silence, bandwidth and file format alone."""
    from training.layouts import load_corpus
    from training.shortcuts import find_shortcuts

    def progress(done: int, total: int) -> None:
        if done % 500 == 0 or done == total:
            typer.echo(f"{done} of {total} clips")

    clips = [c for source in corpus for c in load_corpus(source) if split in (c.split, "all")]
    for found in find_shortcuts(clips, progress):
        typer.echo(f"{found.name:14s}  AUC {found.auc:.3f}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write whole numbers with commas, such as 24,32,48,64") from None


def _weights(text: str) -> dict[str, float]:
    try:
        return {k.strip(): float(v) for k, _, v in (part.partition("=") for part in text.split(",") if part)}
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write parts and numbers, such as lab=1,wild=1") from None


def main() -> None:
    """Entry point; faults of the input end with one line and exit code 2."""
    import sys

    try:
        app()
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
