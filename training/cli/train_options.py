"""The options of a training, each written once: the command line, the recipes and the settings are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.config import DetectorConfig, FeatureConfig, NetworkConfig
from monitor.cli.typer_commands import from_options
from training.cli.options import Cache, Corpora, Device, Minutes, Seed, Steps, Workers, named_weights
from training.learn.settings import TrainConfig

if TYPE_CHECKING:
    from training.learn.prepare import TrainingPlan

LearningRate = Annotated[float, typer.Option(min=0, help="Learning rate after the warm-up.")]
WeightDecay = Annotated[float, typer.Option(min=0, help="Weight decay; biases and norms have none.")]
Optimiser = Annotated[
    str, typer.Option(help="adamw, adam, nadam, radam, adamax, adagrad, rmsprop or sgd (momentum 0.9).")
]
Dropout = Annotated[float, typer.Option(min=0, max=0.9, help="Share of the units that dropout sets to zero.")]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of every training."""

    corpus: Corpora
    out: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoint, history, curves, weights. Resumes where it stopped.")
    ]
    minutes: Minutes = TrainConfig.minutes
    steps: Steps = TrainConfig.steps
    rows: Annotated[int, typer.Option(min=2, help="Calls in a batch; even.")] = TrainConfig.rows
    seconds: Annotated[float, typer.Option(min=1, help="Length of each call in a batch.")] = TrainConfig.seconds
    dropout: Dropout = NetworkConfig.dropout
    learning_rate: LearningRate = TrainConfig.learning_rate
    weight_decay: WeightDecay = TrainConfig.weight_decay
    optimiser: Optimiser = TrainConfig.optimiser
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between two validations on the dev split.")] = (
        TrainConfig.validate_every
    )
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Stop after this many validations that were no better than the best one, and keep its weights; 0: go "
            "on to the end, and keep the last.",
        ),
    ] = TrainConfig.patience
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard (extra: tensorboard).")
    ] = TrainConfig.tensorboard
    shared_speakers: Annotated[
        bool,
        typer.Option(
            "--shared-speakers",
            help="Keep training clips of speakers who are in the dev split too: for a manifest whose split is by "
            "something else than speakers, such as synthesis systems.",
        ),
    ] = False
    workers: Workers = 2
    cache: Cache = Path("data/cache")
    device: Device = "auto"
    seed: Seed = TrainConfig.seed


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RunOptions):
    """The options of the training of a network that streams."""

    start: Annotated[
        Path | None,
        typer.Option(help="Start from this weights file, with its features and network, instead of from scratch."),
    ] = None
    teacher: Annotated[
        list[Path] | None,
        typer.Option(help="Weights file whose scores are learned beside the labels. May be repeated."),
    ] = None
    taught: Annotated[float, typer.Option(min=0, max=1, help="Weight of the teachers in the targets.")] = 0.8
    taught_every: Annotated[int, typer.Option(min=1, help="Use the teachers in every n-th step only.")] = (
        TrainConfig.taught_every
    )
    features: Annotated[
        str,
        typer.Option(
            help="linear, mel, octave (constant Q), sinc (learned bands), lfcc, mfcc, delay (group delay), narrow, "
            "envelope, or several joined by +, such as mel+envelope. With --start, they may begin with those of the "
            "weights, and the others are added."
        ),
    ] = FeatureConfig.kind
    filters: Annotated[int, typer.Option(min=8, max=200, help="Filters of the filterbank.")] = FeatureConfig.n_filters
    band: Annotated[str, typer.Option(help="Lowest and highest frequency of the features, Hz.")] = "0,8000"
    network: Annotated[str, typer.Option(help="cnn-lstm, factored-lstm (at half the cost), lstm or cnn.")] = (
        NetworkConfig.kind
    )
    channels: Annotated[str, typer.Option(help="Channels of the convolutions.")] = "24,32,48,64"
    hidden: Annotated[int, typer.Option(min=8, help="Units of the LSTM.")] = NetworkConfig.hidden
    layers: Annotated[int, typer.Option(min=1, max=4, help="Layers of the LSTM.")] = NetworkConfig.layers
    loss: Annotated[str, typer.Option(help="Loss of bona fide against spoof: bce, focal or oc-softmax.")] = "bce"
    contrastive: Annotated[float, typer.Option(min=0, help="Weight of the supervised contrastive loss.")] = 0.0
    pairs: Annotated[
        float,
        typer.Option(min=0, help="Weight of the margin by which a fake scores above the recording it was made of."),
    ] = 0.0
    average: Annotated[float, typer.Option(min=0, max=1, help="Decay of the moving average of the weights.")] = (
        TrainConfig.average
    )
    part_weights: Annotated[str, typer.Option(help="Sampling weights of the parts of the corpus: lab=1,wild=1.")] = ""
    family_weights: Annotated[
        str, typer.Option(help="Sampling weights of the families of synthesis, times their share: gan-vocoder=2.")
    ] = ""
    hard_sources: Annotated[
        str,
        typer.Option(
            help="Parts whose sources, such as pages, are drawn the oftener the worse the weights of --start do on "
            "them: wild,pages."
        ),
    ] = ""
    versions: Annotated[
        int, typer.Option(min=1, help="Copies of the speech through codecs, the clean one included.")
    ] = 4
    augment: Annotated[float, typer.Option(min=0, max=1, help="Strength of the augmentation after the ramp.")] = (
        TrainConfig.full_strength
    )
    ramp: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the training over which the augmentation grows.")
    ] = TrainConfig.ramp
    precision: Annotated[
        str,
        typer.Option(
            help="float32, or bfloat16: the network's products in half the bits, faster where there are units for it."
        ),
    ] = TrainConfig.precision

    def detector_config(self) -> DetectorConfig:
        """Return the features and the network. Raises typer.BadParameter."""
        low, high = _band(self.band)
        ceps = min(FeatureConfig.n_ceps, self.filters)
        return DetectorConfig(
            features=FeatureConfig(kind=self.features, n_filters=self.filters, n_ceps=ceps, f_min=low, f_max=high),
            network=NetworkConfig(
                self.network,
                whole_numbers(self.channels, "--channels"),
                hidden=self.hidden,
                layers=self.layers,
                dropout=self.dropout,
                head="one-class" if self.loss == "oc-softmax" else "linear",
            ),
        )

    def train_config(self) -> TrainConfig:
        """Return how the network learns. Raises ValueError."""
        from training.channels.augment import AugmentConfig
        from training.learn.losses import LossWeights

        loss = LossWeights(self.loss, contrastive=self.contrastive, pairs=self.pairs, teachers=self.taught)
        rows = self.rows - self.rows % 2
        return from_options(
            TrainConfig, self, rows=rows, full_strength=self.augment, loss=loss, augment=AugmentConfig()
        )

    def plan(self) -> TrainingPlan:
        """Return the material that the network learns from. Raises typer.BadParameter."""
        from training.learn.prepare import TrainingPlan

        weights = {name: named_weights(getattr(self, name), name) for name in ("part_weights", "family_weights")}
        teachers = tuple(self.teacher or ())
        hard = tuple(part.strip() for part in self.hard_sources.split(",") if part.strip())
        if hard and not self.start:
            raise typer.BadParameter("it needs --start, whose weights are measured", param_hint="--hard-sources")
        return from_options(TrainingPlan, self, corpora=self.corpus, teachers=teachers, hard_sources=hard, **weights)


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Return numbers with commas between them. Raises typer.BadParameter."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: write whole numbers with commas, such as 24,32,48,64", param_hint=option
        ) from None


def _band(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: write two frequencies in Hz, such as 100,3800", param_hint="--band"
        ) from None
    return low, high
