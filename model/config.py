"""The configuration of a detector, as plain values that are stored inside the weights file.

Light on purpose (no torch), so that any part of the program may import the constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from model.figures import Bandwidth

SAMPLE_RATE = 16_000
HOP = 160
WINDOW = 400
N_FFT = 512
FRAMES_PER_BLOCK = 2
BLOCK = HOP * FRAMES_PER_BLOCK
"""Samples of one model call: 20 ms. Audio is re-blocked to it, so that arithmetic never depends on how it arrived."""

BLOCK_S = BLOCK / SAMPLE_RATE

FAMILIES = (
    "signal-vocoder",
    "autoregressive-vocoder",
    "source-filter-vocoder",
    "gan-vocoder",
    "flow-vocoder",
    "diffusion-vocoder",
    "neural-codec",
    "end-to-end-tts",
    "voice-conversion",
)
"""Kinds of synthesis that the family head can name."""


class _Values:
    """to_dict() and a from_dict() that refuses unknown keys."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"{cls.__name__} has no setting {', '.join(unknown)}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@dataclass(frozen=True)
class FeatureConfig(_Values):
    """Spectral features of 25 ms windows every 10 ms.

    kind: an entry of model.features.FEATURES, or several joined by +. f_min, f_max in Hz ("narrow" has its own).
    floor: power added before the logarithm.
    mel_scale: "htk" or "slaney". n_ceps: coefficients kept by lfcc and mfcc. relative: each frame's mean over the
    bands (for a cepstrum, its first coefficient) is taken out, so that the level of a call means nothing.
    """

    kind: str = "linear"
    n_filters: int = 80
    f_min: float = 0.0
    f_max: float = 8000.0
    floor: float = 1e-6
    mel_scale: str = "htk"
    n_ceps: int = 40
    relative: bool = True


@dataclass(frozen=True)
class GateConfig(_Values):
    """The signal-processing part of the speech gate; levels in dB relative to full scale (RMS of a block).

    A block is silent below floor_dbfs or range_db below the running peak, which sinks by decay_db_per_s.
    """

    floor_dbfs: float = -66.0
    range_db: float = 32.0
    decay_db_per_s: float = 2.0
    clip_level: float = 0.985
    clip_fraction: float = 0.02
    tone_ratio: float = 0.93
    tone_blocks: int = 8
    tone_step_db: float = 6.0
    gap_hang_blocks: int = 4


@dataclass(frozen=True)
class NetworkConfig(_Values):
    """kind: an entry of model.network.NETWORKS. channels: of the convolutions. hidden, layers: of the LSTM. head: an
    entry of model.network.HEADS. members: of a network of the kind "branches", which is made of several. ranks: of the
    convolutions after the first, in the kind "factored-lstm".
    """

    kind: str = "cnn-lstm"
    channels: tuple[int, ...] = (24, 32, 48, 64)
    embedding: int = 128
    hidden: int = 192
    layers: int = 1
    dropout: float = 0.1
    head: str = "linear"
    members: tuple[NetworkConfig, ...] = ()
    ranks: tuple[int, ...] = (16, 24, 32)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        members = tuple(NetworkConfig.from_dict(member) for member in values.get("members", ()))
        return super().from_dict({**values, "members": members})


@dataclass(frozen=True)
class Calibration(_Values):
    """Log-likelihood ratio in nats = scale * (mean frame logit over net speech) + offset.

    Fitted by logistic regression with balanced classes (Brummer and du Preez, Computer Speech & Language 20, 2006).
    """

    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class DetectorConfig:
    """Everything but the tensors that scoring needs.

    calibration: of wideband speech, and of telephone speech too where it has none of its own.
    """

    features: FeatureConfig = field(default_factory=FeatureConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    calibration: Calibration = field(default_factory=Calibration)
    telephone_calibration: Calibration | None = None
    families: tuple[str, ...] = FAMILIES
    warm_blocks: int = 25

    def calibrated_for(self, band: Bandwidth) -> Calibration:
        """Return the calibration of speech of this bandwidth."""
        telephone = self.telephone_calibration if band is Bandwidth.TELEPHONE else None
        return telephone or self.calibration

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DetectorConfig:
        """Make a configuration from a mapping. Raises ValueError for an unknown key."""
        parts: dict[str, type[_Values]] = {
            "telephone_calibration": Calibration,
            "features": FeatureConfig,
            "gate": GateConfig,
            "network": NetworkConfig,
            "calibration": Calibration,
        }
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(f"DetectorConfig has no setting {', '.join(unknown)}")
        kwargs: dict[str, Any] = {k: parts[k].from_dict(v) for k, v in values.items() if k in parts and v is not None}
        kwargs |= {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k not in parts}
        return cls(**kwargs)
