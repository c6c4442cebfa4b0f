"""Pitch out of a mel spectrogram: classes on a logarithmic scale and a voicing bit, taught by model.vocoding.pitch."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.vocoding.pitch import HIGHEST_HZ, LOWEST_HZ, pitch_track
from model.vocoding.spectra import Array
from training.vocoding.neural_vocoder.vocoder_config import MEL

CLASSES = 48
STEP = math.log(HIGHEST_HZ / LOWEST_HZ) / (CLASSES - 1)
REACH = 2
"""Classes on each side of the likeliest that its frequency is the mean of."""


def pitch_of(x: Array) -> Array:
    """Return Hz (T,), 0 = unvoiced, of x (n,) at 16 kHz, at the centres of the frames of the format MEL."""
    return pitch_track(np.append(x, np.zeros(MEL.hop, dtype=np.float32))[MEL.hop // 2 :], MEL.hop)[0][
        : len(x) // MEL.hop
    ]


class PitchNetwork(nn.Module):
    """Scaled log-mel (N, n_mels, T) -> logits (N, CLASSES + 1, T), the last one for voicing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(MEL.n_mels, width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(width, CLASSES + 1, 1),
        )

    def forward(self, mel: Tensor) -> Tensor:
        logits: Tensor = self.layers(mel)
        return logits


def hz_of(logits: Tensor) -> Tensor:
    """Return Hz (N, T), 0 = unvoiced, of logits (N, CLASSES + 1, T), through a median of five frames."""
    classes = logits[:, :CLASSES]
    best = classes.argmax(1, keepdim=True)
    places = torch.arange(CLASSES, device=logits.device)[None, :, None]
    near = classes.masked_fill((places - best).abs() > REACH, -torch.inf).softmax(1)
    hz = LOWEST_HZ * ((near * places).sum(1) * STEP).exp()
    f0 = torch.where(logits[:, CLASSES] > 0.0, hz, torch.zeros_like(hz))
    return F.pad(f0[:, None], (2, 2), mode="replicate")[:, 0].unfold(1, 5, 1).median(-1).values


def pitch_loss(logits: Tensor, f0: Tensor) -> Tensor:
    """Cross entropy with classes around f0 (N, T) in Hz, and of the voicing."""
    voiced = (f0 > 0.0).to(logits.dtype)
    place = (f0.clamp(LOWEST_HZ, HIGHEST_HZ) / LOWEST_HZ).log() / STEP
    places = torch.arange(CLASSES, device=logits.device)[None, :, None]
    expected = (-0.5 * (places - place[:, None]) ** 2).softmax(1)
    wrong = -(expected * logits[:, :CLASSES].log_softmax(1)).sum(1)
    of_voice = F.binary_cross_entropy_with_logits(logits[:, CLASSES], voiced)
    return (wrong * voiced).sum() / voiced.sum().clamp_min(1.0) + of_voice
