"""The settings of a neural vocoder and of its training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from model.config import SAMPLE_RATE
from training.vocoding.open_vocoders.mel import MelFormat

KINDS = ("istft-gan",)
"""Kinds of vocoder that `training vocoder` learns."""

MEL = MelFormat(rate=SAMPLE_RATE, n_fft=800, hop=200, n_mels=80, f_min=0.0, f_max=8000.0)
"""Windows of 50 ms every 12.5 ms at 16 kHz, as acoustic models make them since Tacotron (Wang, 2017)."""


@dataclass(frozen=True)
class VocoderConfig:
    """width: channels of the trunk; hidden: within its blocks; kernel in frames; pitch_width: of the pitch network."""

    kind: str = "istft-gan"
    width: int = 144
    hidden: int = 432
    blocks: int = 5
    kernel: int = 7
    pitch_width: int = 96

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, held: dict[str, Any]) -> VocoderConfig:
        """Make a configuration from what a file holds. Raises ValueError for another kind, TypeError for unknown
        fields.
        """
        config = cls(**held)
        if config.kind not in KINDS:
            raise ValueError(f"no vocoder of the kind {config.kind!r}; there are {', '.join(KINDS)}")
        return config


@dataclass(frozen=True)
class VocoderLossWeights:
    """Weights of the losses: spectra, mel spectrogram, pitch, discriminators and their features."""

    spectra: float = 1.0
    mel: float = 1.0
    pitch: float = 0.2
    adversary: float = 0.2
    features: float = 1.0


@dataclass(frozen=True)
class VocoderTrainConfig:
    """minutes or steps end the training, whichever comes first. rows x frames is a batch. warm_up: share of the
    training before the discriminators are switched on, which hear adversary_rows of each batch. average: decay of the
    moving average of the weights, which is what is kept. report_every: steps between two checkpoints.
    """

    steps: int = 100_000
    minutes: float = 20.0
    rows: int = 12
    frames: int = 64
    learning_rate: float = 1.5e-3
    adversary_rate: float = 5e-4
    warm_up: float = 0.4
    adversary_rows: int = 4
    average: float = 0.995
    report_every: int = 100
    seed: int = 1
    loss: VocoderLossWeights = field(default_factory=VocoderLossWeights)
