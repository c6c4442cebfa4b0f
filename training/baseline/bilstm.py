"""Two bidirectional LSTM layers over the MFCC of a whole clip, and a softmax over the systems that may have made it.

It needs a clip's end before it says anything of its beginning (Schuster and Paliwal, IEEE Trans. Signal Processing 45,
1997), so it cannot stream: it is there to be compared with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from model.checkpoint import read_tensors, write_tensors
from model.config import HOP, WINDOW, FeatureConfig
from model.features import build_features, hann, spectra
from model.weights_file import CheckpointError
from training.corpora.clips import BONA_FIDE
from training.evaluate.comparison import BASELINE

FORMAT, VERSION = "deepfake-speech-offline", "1"

MFCC = FeatureConfig(kind="mfcc", n_filters=80, n_ceps=40, relative=False)
"""40 coefficients every 10 ms, the level of the frame among them."""


@dataclass(frozen=True)
class BaselineConfig:
    """classes: bonafide, then the systems. units: of each layer, in each direction. dropout: before the softmax."""

    classes: tuple[str, ...]
    units: tuple[int, ...] = (256, 1024)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if len(self.classes) < 2 or self.classes[0] != BONA_FIDE:
            raise ValueError(f"classes {self.classes}: {BONA_FIDE} first, then at least one system")

    @classmethod
    def from_dict(cls, held: Mapping[str, Any]) -> BaselineConfig:
        """Make a configuration from what a file holds. Raises KeyError and ValueError."""
        return cls(tuple(held["classes"]), tuple(held["units"]), float(held["dropout"]))


class Bilstm(nn.Module):
    """forward: audio (N, S) at 16 kHz, samples int64 (N,) on the CPU -> logits (N, K). A clip ends where its samples
    do; what comes after is not heard.
    """

    window: Tensor

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config = config
        self.features = build_features(MFCC)
        sizes = [MFCC.n_ceps, *(2 * u for u in config.units)]
        self.layers = nn.ModuleList(
            nn.LSTM(size, units, batch_first=True, bidirectional=True)
            for size, units in zip(sizes, config.units, strict=False)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(sizes[-1], len(config.classes))
        self.register_buffer("window", hann(), persistent=False)

    def forward(self, audio: Tensor, samples: Tensor) -> Tensor:
        frames = ((samples - WINDOW) // HOP + 1).clamp(min=1)
        x = self.features(spectra(audio, self.window))
        packed = pack_padded_sequence(x, frames, batch_first=True, enforce_sorted=False)
        ends = x
        for layer in self.layers:
            packed, (ends, _) = layer(packed)
        logits: Tensor = self.head(self.dropout(torch.cat([ends[0], ends[1]], dim=1)))
        return logits


def log_odds(logits: Tensor) -> Tensor:
    """Return (N,) nats, > 0 = synthetic: all systems together against bona fide speech, from logits (N, K)."""
    return torch.logsumexp(logits[:, 1:], dim=1) - logits[:, 0]


def save_bilstm(network: Bilstm, path: Path, training: Mapping[str, Any]) -> str:
    """Write a weights file; training: what it learned from, how, and with what result. Returns the hash."""
    facts = {"network": BASELINE, "config": json.dumps(asdict(network.config)), "training": json.dumps(dict(training))}
    return write_tensors(path, {"format": FORMAT, "version": VERSION} | facts, network.state_dict())


def load_bilstm(path: Path, device: str | torch.device = "cpu") -> tuple[Bilstm, dict[str, str]]:
    """Return the network, ready for inference, and the file's metadata. Raises CheckpointError."""
    metadata, tensors = read_tensors(path, FORMAT, VERSION)
    try:
        network = Bilstm(BaselineConfig.from_dict(json.loads(metadata["config"])))
        network.load_state_dict(tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit this program: {error}") from error
    return network.to(device).eval().requires_grad_(False), metadata
