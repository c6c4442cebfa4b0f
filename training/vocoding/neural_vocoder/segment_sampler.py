"""Batches of pieces of real speech, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.vocoding.spectra import Audio
from training.corpora.bank import AudioBank
from training.corpora.clips import CorpusError
from training.vocoding.neural_vocoder.pitch_network import pitch_of
from training.vocoding.neural_vocoder.vocoder_config import MEL

PEAK = 0.6 / 0.5
"""The factor for a clip of the bank, whose peak is 0.5: training.vocoding.open_vocoders.mel.to_rate's peak."""


@dataclass(frozen=True)
class Pieces:
    """audio (N, frames * hop) at 16 kHz; f0 (N, frames) in Hz, 0 = unvoiced."""

    audio: Tensor
    f0: Tensor


class SegmentSampler:
    """Pieces of a bank's clips, each clip as often as it is long. Raises CorpusError where none is long enough."""

    def __init__(self, bank: AudioBank, frames: int, seed: int) -> None:
        self.bank, self.size = bank, frames * MEL.hop
        self.rng = np.random.default_rng(seed)
        room = np.maximum(np.diff(bank.bounds) - self.size, 0).astype(np.float64)
        if not room.any():
            raise CorpusError(f"no clip is longer than {self.size / MEL.rate:.2f} s, which a piece in a batch takes")
        self.chance = room / room.sum()

    def draw(self, rows: int) -> Pieces:
        """Return rows pieces, up to 12 dB below the level of their clip."""
        audio = np.stack([self._piece(int(i)) for i in self.rng.choice(len(self.chance), rows, p=self.chance)])
        return Pieces(torch.from_numpy(audio), torch.from_numpy(np.stack([pitch_of(x) for x in audio])))

    def _piece(self, i: int) -> Audio:
        clip = self.bank.clip(i)
        start = int(self.rng.integers(len(clip) - self.size + 1))
        gain = PEAK * 10.0 ** (-12.0 / 20.0 * self.rng.random())
        return np.asarray(clip[start : start + self.size] * gain, dtype=np.float32)
