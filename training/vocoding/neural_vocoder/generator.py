"""The generator: a harmonic and noise excitation shaped bin by bin in the short-time spectrum, then an inverse STFT.

After Vocos (Siuzdak, 2023: ConvNeXt blocks at the frame rate, an inverse STFT for a head) and HiFTNet (Li, 2023: a
source with the pitch that the mel spectrogram shows). The source and the mel envelope make speech from the first step
on; what the network learns is what they lack, so that minutes on one core are enough.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor, nn

from model.vocoding.spectra import Array, Audio
from training.vocoding.neural_vocoder.pitch_network import PitchNetwork, hz_of
from training.vocoding.neural_vocoder.source_spectra import envelope, excitation, istft
from training.vocoding.neural_vocoder.vocoder_config import MEL, VocoderConfig

BINS = MEL.n_fft // 2 + 1


def scaled(mel: Tensor) -> Tensor:
    """Scale log-mel (N, T, n_mels), some -11.5 to 2, to about -2 to 2, as (N, n_mels, T)."""
    return ((mel + 5.0) / 3.0).transpose(1, 2)


class ConvNextBlock(nn.Module):
    """ConvNeXt (Liu, 2022) in one dimension, (N, width, T) -> the same."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        width = config.width
        self.mix = nn.Conv1d(width, width, config.kernel, padding=config.kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, config.hidden)
        self.fall = nn.Linear(config.hidden, width)
        self.scale = nn.Parameter(torch.full((width,), 1.0 / config.blocks))

    def forward(self, x: Tensor) -> Tensor:
        y = self.fall(nn.functional.gelu(self.rise(self.norm(self.mix(x).transpose(1, 2)))))
        out: Tensor = x + (self.scale * y).transpose(1, 2)
        return out


class NeuralVocoder(nn.Module):
    """Log-mel (N, T, n_mels) and pitch (N, T) in Hz -> samples (N, T * hop) at 16 kHz."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.pitch = PitchNetwork(config.pitch_width)
        self.enter = nn.Conv1d(MEL.n_mels, config.width, config.kernel, padding=config.kernel // 2)
        self.source = nn.Linear(BINS, config.width)
        self.blocks = nn.ModuleList(ConvNextBlock(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, 3 * BINS)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.head.weight, std=1e-3)

    def forward(self, mel: Tensor, f0: Tensor, generator: torch.Generator) -> Tensor:
        voiced, noise = excitation(f0, generator)
        x = self.enter(scaled(mel)) + self.source(voiced.abs()).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        gain, turn, share = self.head(self.norm(x.transpose(1, 2))).chunk(3, dim=-1)
        mixed = torch.sigmoid(share + 1.0) * voiced + torch.sigmoid(-share - 1.0) * noise
        return istft(envelope(mel) * torch.polar(gain.clamp(-4.0, 4.0).exp(), turn) * mixed)


def synthesise(generator: NeuralVocoder, mel: Array) -> Audio:
    """Synthesise from log-mel (T, n_mels) -> (T * hop,) with the pitch that the network finds in it; the noise depends
    on mel alone.
    """
    noise = torch.Generator().manual_seed(zlib.crc32(np.ascontiguousarray(mel).tobytes()))
    with torch.inference_mode():
        frames = torch.from_numpy(np.ascontiguousarray(mel, dtype=np.float32))[None]
        y = generator(frames, hz_of(generator.pitch(scaled(frames))), noise)
    return np.asarray(y[0].numpy(), dtype=np.float32)
