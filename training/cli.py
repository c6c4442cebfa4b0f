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
    shared_speakers: Annotated[
        bool,
        typer.Option(
            "--shared-speakers",
            help="Keep training clips of speakers who are in the dev split too: for a manifest whose split is by "
            "something else than speakers, such as synthesis systems.",
        ),
    ] = False,
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
    plan = Plan(corpus, out, cache, _weights(part_weights), versions, workers, device, start, shared_speakers)
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
def average(
    weights: Annotated[list[Path], typer.Argument(help="Weights files of trainings that went on from the same one.")],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(help="The weights file to write.")],
    split: Annotated[str, typer.Option(help="Split of the corpora that the calibration is fitted on.")] = "dev",
    channel: Annotated[
        list[str] | None,
        typer.Option(help="Channel that the calibration is fitted through. May be repeated. If none: clean"),
    ] = None,
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
) -> None:
    """Take the mean of the weights of several trainings, or of one, and fit the calibration."""
    from training.average import AveragePlan, run

    run(AveragePlan(weights, corpus, split, tuple(channel or ("clean",)), out, cache, workers), typer.echo)


@app.command()
def vocode(
    speech: Annotated[Path, typer.Argument(help="Recordings: a manifest.csv, a folder that holds one, or a folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the recordings, their copies and a manifest.csv.")],
    system: Annotated[
        list[str] | None,
        typer.Option(
            help="A vocoder of model/vocoders.py, or of training/open_vocoders with its variant, such as "
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
    from model.vocoders import VOCODERS, VocoderError
    from training.corpora import CorpusError, by_split, load_corpus
    from training.open_vocoders.registry import systems
    from training.vocode import find_speech, into_part
    from training.vocode import vocode as run

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


def _paths(pairs: list[str]) -> dict[str, Path]:
    """Paths by name, of NAME=PATH texts."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise typer.BadParameter(f"{pair!r}: write NAME=PATH, such as hifigan-v2=generator_v2")
    return {name: Path(path) for name, _, path in (pair.partition("=") for pair in pairs)}


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
