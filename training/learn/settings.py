"""The settings of a training, as plain values: the command line reads their defaults, so nothing heavy is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.channels.augment import AugmentConfig
    from training.learn.losses import LossWeights


def _loss() -> LossWeights:
    from training.learn.losses import LossWeights

    return LossWeights()


def _augment() -> AugmentConfig:
    from training.channels.augment import AugmentConfig

    return AugmentConfig()


@dataclass(frozen=True)
class TrainConfig:
    """minutes or steps end the training, whichever comes first. rows x seconds is a batch; carry: share of rows
    that go on from the state of the batch before. average: decay of the moving average of the weights. ramp: share of
    the training over which the augmentation grows to its full strength; from the first step on, it hides what is
    to be learned (loss at chance after 300 steps, where clean speech takes 50). full_strength: scales all its chances.
    taught_every: steps from one in which the teachers are heard to the next; they may cost more than the network.
    precision: of the network's products, float32 or bfloat16; losses, features and weights are float32 with either.
    optimiser: a name of training.learn.optimisers.OPTIMISERS. patience, tensorboard: see ValidationSchedule.
    """

    steps: int = 100_000
    minutes: float = 60.0
    rows: int = 32
    seconds: float = 8.0
    carry: float = 0.5
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: int = 100
    average: float = 0.999
    validate_every: int = 500
    patience: int = 0
    tensorboard: bool = False
    ramp: float = 0.4
    full_strength: float = 1.0
    precision: str = "float32"
    taught_every: int = 1
    optimiser: str = "adamw"
    seed: int = 1
    loss: LossWeights = field(default_factory=_loss)
    augment: AugmentConfig = field(default_factory=_augment)

    def __post_init__(self) -> None:
        """Raises ValueError."""
        from training.learn.optimisers import check_optimiser

        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision {self.precision!r}: float32 or bfloat16")
        check_optimiser(self.optimiser)
