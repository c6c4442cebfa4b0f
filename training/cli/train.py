"""The command `training train`: what it takes, and which training that is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import Cache, Corpora, Device, Workers
from training.learn.curves import check_tensorboard

SEED = "seed-bilstm"
STREAMING_ONLY = (
    *(
        "start",
        "teacher",
        "taught",
        "features",
        "filters",
        "band",
        "channels",
        "hidden",
        "layers",
        "average",
        "part_weights",
    ),
    *("versions", "augment", "ramp", "precision", "loss", "contrastive", "pairs"),
)
"""Options that the network which hears whole clips has no use for."""

Out = Annotated[
    Path, typer.Option(help="Folder of the run: checkpoint, history, curves, weights. Resumes where it stopped.")
]
Start = Annotated[
    Path | None,
    typer.Option(help="Go on from this weights file, with its features and network, instead of from scratch."),
]
Teachers = Annotated[
    list[Path] | None,
    typer.Option("--teacher", help="Weights file whose opinion is learned beside the truth. May be repeated."),
]
Taught = Annotated[float, typer.Option(min=0, max=1, help="Share of the teachers in what is learned.")]
Minutes = Annotated[float, typer.Option(min=0.01, help="Stop after so many minutes of training ...")]
Steps = Annotated[int, typer.Option(min=1, help="... or so many steps, whichever comes first.")]
Rows = Annotated[int, typer.Option(min=2, help="Calls in a batch; even.")]
Seconds = Annotated[float, typer.Option(min=1, help="Length of each call in a batch.")]
FeatureKind = Annotated[
    str,
    typer.Option(
        help="linear, mel, octave (constant Q), sinc (learned bands), lfcc, mfcc, delay (group delay), narrow, "
        "envelope, or several joined by +, such as mel+envelope. With --start, they may begin with those of the "
        "weights, and the others are added."
    ),
]
Filters = Annotated[int, typer.Option(min=8, max=200, help="Filters of the filterbank.")]
Band = Annotated[str, typer.Option(help="Lowest and highest frequency of the features, Hz.")]
Network = Annotated[
    str,
    typer.Option(help=f"cnn-lstm, lstm or cnn; or {SEED}, offline, to compare with: see docs/training.md."),
]
Channels = Annotated[str, typer.Option(help="Channels of the convolutions.")]
Hidden = Annotated[int, typer.Option(min=8, help="Units of the LSTM.")]
Layers = Annotated[int, typer.Option(min=1, max=4, help="Layers of the LSTM.")]
Share = Annotated[float, typer.Option(min=0, max=0.9)]
Positive = Annotated[float, typer.Option(min=0)]
Optimiser = Annotated[
    str, typer.Option(help="adamw, adam, nadam, radam, adamax, adagrad, rmsprop or sgd (momentum 0.9).")
]
Loss = Annotated[str, typer.Option(help="Of bona fide against spoof: bce, focal or oc-softmax.")]
Contrastive = Annotated[float, typer.Option(min=0, help="Weight of the supervised contrastive loss.")]
Pairs = Annotated[
    float, typer.Option(min=0, help="Weight of the margin by which a fake scores above the recording it was made of.")
]
Average = Annotated[float, typer.Option(min=0, max=1, help="Decay of the moving average of the weights.")]
PartWeights = Annotated[str, typer.Option(help="How often parts of the corpus are drawn: lab=1,wild=1.")]
Versions = Annotated[int, typer.Option(min=1, help="Copies of the speech through codecs, the clean one included.")]
Augment = Annotated[float, typer.Option(min=0, max=1, help="Strength of the augmentation once it is full.")]
Ramp = Annotated[float, typer.Option(min=0, max=1, help="Share of the training over which the augmentation grows.")]
ValidateEvery = Annotated[int, typer.Option(min=1, help="Steps between two looks at the dev split.")]
Patience = Annotated[
    int,
    typer.Option(
        min=0,
        help="Stop after so many looks at the dev split that were no better than the best one, and keep its weights; "
        "0: go on to the end, and keep the last.",
    ),
]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write event files for TensorBoard, too (extra: tensorboard).")
]
SharedSpeakers = Annotated[
    bool,
    typer.Option(
        "--shared-speakers",
        help="Keep training clips of speakers who are in the dev split too: for a manifest whose split is by "
        "something else than speakers, such as synthesis systems.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        help="float32, or bfloat16: the network's products in half the bits, faster where there are units for it."
    ),
]
Seed = Annotated[int, typer.Option()]


def train(
    context: typer.Context,
    corpus: Corpora,
    out: Out,
    start: Start = None,
    teacher: Teachers = None,
    taught: Taught = 0.8,
    minutes: Minutes = 60.0,
    steps: Steps = 100_000,
    rows: Rows = 32,
    seconds: Seconds = 8.0,
    features: FeatureKind = "linear",
    filters: Filters = 80,
    band: Band = "0,8000",
    network: Network = "cnn-lstm",
    channels: Channels = "24,32,48,64",
    hidden: Hidden = 192,
    layers: Layers = 1,
    dropout: Share = 0.1,
    learning_rate: Positive = 1e-3,
    weight_decay: Positive = 0.01,
    optimiser: Optimiser = "adamw",
    loss: Loss = "bce",
    contrastive: Contrastive = 0.0,
    pairs: Pairs = 0.0,
    average: Average = 0.999,
    part_weights: PartWeights = "",
    versions: Versions = 4,
    augment: Augment = 1.0,
    ramp: Ramp = 0.4,
    validate_every: ValidateEvery = 500,
    patience: Patience = 0,
    tensorboard: TensorBoard = False,
    shared_speakers: SharedSpeakers = False,
    precision: Precision = "float32",
    workers: Workers = 2,
    cache: Cache = Path("data/cache"),
    device: Device = "auto",
    seed: Seed = 1,
) -> None:
    """Train a network from scratch on corpora of bona fide and synthetic speech.

    Clips of the split "dev" are for validation and calibration; where a corpus has none, a tenth of its speakers is.
    """
    if tensorboard:
        check_tensorboard()
    if network == SEED:
        return _train_seed(context)
    from model.config import DetectorConfig, FeatureConfig, NetworkConfig
    from training.learn.losses import LossWeights
    from training.learn.prepare import Plan, run
    from training.learn.train import TrainConfig

    low, high = _band(band)
    model = DetectorConfig(
        features=FeatureConfig(kind=features, n_filters=filters, n_ceps=min(40, filters), f_min=low, f_max=high),
        network=NetworkConfig(
            network,
            _numbers(channels),
            hidden=hidden,
            layers=layers,
            dropout=dropout,
            head="one-class" if loss == "oc-softmax" else "linear",
        ),
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
        patience=patience,
        tensorboard=tensorboard,
        full_strength=augment,
        ramp=ramp,
        precision=precision,
        optimiser=optimiser,
        seed=seed,
        loss=LossWeights(loss, contrastive=contrastive, pairs=pairs, teachers=taught),
    )
    plan = Plan(
        corpus, out, cache, _weights(part_weights), versions, workers, device, start, shared_speakers, teacher or ()
    )
    runner = context.obj or run  # leave-out hands over its own
    runner(model, config, plan, typer.echo)
    return None


def _train_seed(context: typer.Context) -> None:
    """The training of the network that hears whole clips. What is not given takes that network's own setting."""
    from training.baseline.learner import BaselineSettings
    from training.baseline.run import BaselinePlan, run

    given = {k: v for k, v in context.params.items() if _was_given(context, k)}
    if wrong := [k for k in STREAMING_ONLY if k in given]:
        raise typer.BadParameter(f"--{wrong[0].replace('_', '-')} is not for {SEED}, which hears whole clips")
    if context.obj:
        raise typer.BadParameter(f"leave-out measures networks that stream; {SEED} does not")
    own = {k: v for k, v in given.items() if k in BaselineSettings.__dataclass_fields__}
    every = context.params
    plan = BaselinePlan(
        corpora=every["corpus"],
        out=every["out"],
        cache=every["cache"],
        workers=every["workers"],
        device=every["device"],
        shared_speakers=every["shared_speakers"],
        dropout=given.get("dropout", 0.0),
    )
    run(BaselineSettings(**own), plan, typer.echo)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


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
