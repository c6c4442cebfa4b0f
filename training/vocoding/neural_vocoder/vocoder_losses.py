"""Distances between the spectra of a copy and its recording."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from training.vocoding.neural_vocoder.source_spectra import log_mel, stft

RESOLUTIONS = ((1024, 256), (512, 128), (200, 50))
"""Window and hop in samples; the shortest sees where within a pitch period the energy lies."""


def spectra_loss(made: Tensor, real: Tensor) -> Tensor:
    """Compute spectral convergence and log magnitudes at three resolutions (Yamamoto, 2020), samples (N, n)."""
    parts = []
    for n_fft, hop in RESOLUTIONS:
        m, r = stft(made, n_fft, hop).abs(), stft(real, n_fft, hop).abs()
        parts.append(torch.linalg.vector_norm(r - m) / torch.linalg.vector_norm(r).clamp_min(1e-5))
        parts.append(F.l1_loss((m + 1e-3).log(), (r + 1e-3).log()))
    return torch.stack(parts).sum() / len(RESOLUTIONS)


def mel_loss(made: Tensor, mel: Tensor) -> Tensor:
    """Return the mean absolute difference in natural logarithms to log-mel (N, T, n_mels)."""
    return F.l1_loss(log_mel(made), mel)
