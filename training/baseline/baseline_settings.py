"""The settings of the baseline's training, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BaselineSettings:
    """minutes or steps end the training, whichever comes first. rows clips, of at most `seconds`, are a batch.
    patience, tensorboard: of training.learn.training_loop.ValidationSchedule.
    """

    steps: int = 100_000
    minutes: float = 60.0
    rows: int = 32
    seconds: float = 8.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    optimiser: str = "adam"
    validate_every: int = 500
    patience: int = 0
    tensorboard: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError."""
        from training.learn.optimisers import check_optimiser

        check_optimiser(self.optimiser)
