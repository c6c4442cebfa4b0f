"""Short-time spectra in torch, framed as open_vocoders/mel.py frames them, and the excitation of a voice."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from training.vocoding.neural_vocoder.vocoder_config import MEL
from training.vocoding.open_vocoders.mel import filters

TOP_HZ = 7800.0
"""Harmonics go up to here."""


def stft(x: Tensor, n_fft: int = MEL.n_fft, hop: int = MEL.hop) -> Tensor:
    """Return complex (N, n // hop, n_fft // 2 + 1) of x (N, n); frame t is centred on sample (t + 1/2) * hop."""
    beyond = (n_fft - hop) // 2
    padded = F.pad(x[:, None], (beyond, beyond), mode="reflect")[:, 0]
    window = torch.hann_window(n_fft, device=x.device)
    return torch.stft(padded, n_fft, hop, window=window, center=False, return_complex=True).transpose(1, 2)


def istft(spectra: Tensor) -> Tensor:
    """Return (N, T * hop) whose stft in the format MEL is nearest to spectra (N, T, bins)."""
    n_fft, hop, count = MEL.n_fft, MEL.hop, spectra.shape[1]
    window = torch.hann_window(n_fft, device=spectra.device)
    pieces = (torch.fft.irfft(spectra, n_fft) * window).transpose(1, 2)
    size, beyond = (count - 1) * hop + n_fft, (n_fft - hop) // 2
    square = (window**2)[None, :, None].expand(1, -1, count)
    weight = F.fold(square, (1, size), (1, n_fft), stride=(1, hop))[:, 0, 0]
    made = F.fold(pieces, (1, size), (1, n_fft), stride=(1, hop))[:, 0, 0]
    return (made / weight.clamp_min(1e-3))[:, beyond : beyond + count * hop]


def mel_bank(device: torch.device) -> Tensor:
    """Return (n_mels, bins)."""
    return torch.from_numpy(filters(MEL)).to(device)


def log_mel(x: Tensor) -> Tensor:
    """Return (N, T, n_mels) natural logarithms in the format MEL, as open_vocoders.mel.log_mel gives them."""
    return (stft(x).abs() @ mel_bank(x.device).T).clamp_min(MEL.floor).log()


def envelope(mel: Tensor) -> Tensor:
    """Return complex (N, T, bins): the minimum-phase filter whose log magnitude lies on lines between the bands of
    log-mel (N, T, n_mels).
    """
    bank = mel_bank(mel.device)
    level = mel - bank.sum(1).log()
    places = torch.arange(bank.shape[1], device=mel.device, dtype=mel.dtype)
    centres = (bank * places).sum(1) / bank.sum(1)
    right = torch.searchsorted(centres, places).clamp(1, len(centres) - 1)
    part = ((places - centres[right - 1]) / (centres[right] - centres[right - 1])).clamp(0.0, 1.0)
    return minimum_phase(torch.lerp(level[..., right - 1], level[..., right], part))


def minimum_phase(log_magnitude: Tensor) -> Tensor:
    """Return complex, of log magnitudes (..., bins): the folded cepstrum, as model.vocoding.spectra.minimum_phase."""
    cepstra = torch.fft.irfft(log_magnitude)
    half = cepstra.shape[-1] // 2
    fold = torch.zeros(cepstra.shape[-1], device=cepstra.device)
    fold[0] = fold[half] = 1.0
    fold[1:half] = 2.0
    filtered: Tensor = torch.fft.rfft(cepstra * fold).exp()
    return filtered


def pulses(f0: Tensor, start: Tensor) -> Tensor:
    """Return (N, T * hop): sums of equal cosines at all harmonics of f0 (N, T) in Hz, 0 = unvoiced and silent.

    start (N,): phase of the fundamental at the beginning, in turns.
    """
    voiced = (f0 > 0.0).to(f0.dtype)
    gate = F.interpolate(voiced[:, None], scale_factor=MEL.hop, mode="linear")[:, 0]
    hz = F.interpolate(held(f0)[:, None], scale_factor=MEL.hop, mode="linear")[:, 0]
    turns = (hz.double() / MEL.rate).cumsum(1) + start.double()[:, None]
    half = (math.pi * (turns - turns.floor())).to(f0.dtype)
    count = (TOP_HZ / hz).floor()
    below = half.sin()
    near = below.abs() < 1e-3
    sums = torch.where(near, count, 0.5 * ((2.0 * count + 1.0) * half).sin() / below.masked_fill(near, 1.0) - 0.5)
    return sums * gate


def held(f0: Tensor) -> Tensor:
    """Return f0 (N, T) with each unvoiced frame at the pitch of the last voiced one before it, or 100 Hz."""
    places = torch.arange(f0.shape[1], device=f0.device).expand_as(f0)
    last = torch.where(f0 > 0.0, places, torch.full_like(places, -1)).cummax(1).values
    return torch.where(last >= 0, f0.gather(1, last.clamp_min(0)), torch.full_like(f0, 100.0))


def excitation(f0: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the spectra (N, T, bins) of pulses at f0 (N, T), peaks at 1, and of white noise, mean power 1."""
    rows, count = f0.shape
    window = torch.hann_window(MEL.n_fft, device=f0.device)
    start = torch.rand(rows, generator=generator, device=generator.device).to(f0.device)
    noise = torch.randn(rows, count * MEL.hop, generator=generator, device=generator.device).to(f0.device)
    voiced = stft(pulses(f0, start)) / (window.sum() / 2.0)
    return voiced, stft(noise) / window.square().sum().sqrt()
