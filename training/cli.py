"""The command `training`: learn a network, measure one, re-synthesise speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli_evaluate import classes, evaluate, leave_out
from training.cli_material import channels, fetch, gather, shortcuts, vocode, vocoder
from training.cli_options import Cache, Corpora, Device, Workers

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def training() -> None:
    """Train and measure the networks of the deepfake speech monitor."""


@app.command()
def train(
    context: typer.Context,
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
    features: Annotated[
        str,
        typer.Option(
            help="linear, mel, lfcc, mfcc, narrow, envelope, or several joined by +, such as mel+envelope. With "
            "--start, they may begin with those of the weights, and the others are added."
        ),
    ] = "linear",
    filters: Annotated[int, typer.Option(min=8, max=200, help="Filters of the filterbank.")] = 80,
    band: Annotated[str, typer.Option(help="Lowest and highest frequency of the features, Hz.")] = "0,8000",
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
    precision: Annotated[
        str,
        typer.Option(
            help="float32, or bfloat16: the network's products in half the bits, faster where there are units for it."
        ),
    ] = "float32",
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

    low, high = _band(band)
    model = DetectorConfig(
        features=FeatureConfig(kind=features, n_filters=filters, n_ceps=min(40, filters), f_min=low, f_max=high),
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
        precision=precision,
        seed=seed,
    )
    plan = Plan(corpus, out, cache, _weights(part_weights), versions, workers, device, start, shared_speakers)
    runner = context.obj or run  # leave-out hands over its own
    runner(model, config, plan, typer.echo)


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


for command in (evaluate, classes, vocode, vocoder, gather, fetch, shortcuts, channels):
    app.command()(command)
app.command("leave-out", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(leave_out)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write whole numbers with commas, such as 24,32,48,64") from None


def _band(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write two frequencies in Hz, such as 100,3800") from None
    return low, high


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
