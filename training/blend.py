"""Fakes that are part recording: a synthetic copy blended with what it was made of, sample for sample in its place.

A network that is shown whole copies alone goes by what is easiest to hear of each vocoder. Blends take one trace after
the other away: what is left of the copy is a band, its phase or its magnitudes, and has to do. The idea is that of
self-blended images (Shiohara and Yamasaki, CVPR 2022), where fakes that are hard by their making generalise best.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from model.config import BLOCK, HOP, SAMPLE_RATE
from model.filterbanks import hz_to_mel
from training.sampler import Batch

N_FFT = 512
VOICE_HZ = (300.0, 3400.0)
"""The band that a telephone leaves: a blend keeps the copy in some of it, or the label would be wrong there."""

Mix = Callable[[Tensor, Tensor], Tensor]


def one_band(copy: Tensor, recording: Tensor) -> Tensor:
    """The copy in one band of 35 to 90 % of the mel scale around a frequency of the telephone's band; the recording
    outside of it.
    """
    rows, bins = copy.shape[0], copy.shape[1]
    mel = hz_to_mel(torch.linspace(0.0, SAMPLE_RATE / 2, bins, device=copy.device), "htk")
    low, high = hz_to_mel(torch.tensor(VOICE_HZ), "htk").tolist()
    draw = torch.rand(2, rows, 1, device=copy.device)
    centre = low + (high - low) * draw[0]
    half = mel[-1] * (0.35 + 0.55 * draw[1]) / 2
    share: Tensor = ((half - (mel - centre).abs()) / 40.0).clamp(0.0, 1.0)[:, :, None]
    return copy * share + recording * (1.0 - share)


def phase_of_copy(copy: Tensor, recording: Tensor) -> Tensor:
    """The recording's magnitudes with the copy's phase."""
    return torch.polar(recording.abs(), copy.angle())


def magnitude_of_copy(copy: Tensor, recording: Tensor) -> Tensor:
    """The copy's magnitudes with the recording's phase."""
    return torch.polar(copy.abs(), recording.angle())


def between(copy: Tensor, recording: Tensor) -> Tensor:
    """Magnitudes between the two, by 20 to 70 % of their decibels the recording's, with the copy's phase."""
    share = 0.2 + 0.5 * torch.rand(copy.shape[0], 1, 1, device=copy.device)
    floor = 1e-6
    magnitude = torch.exp(torch.lerp((copy.abs() + floor).log(), (recording.abs() + floor).log(), share))
    return torch.polar(magnitude, copy.angle())


MIXES: tuple[Mix, ...] = (one_band, one_band, phase_of_copy, magnitude_of_copy, between)
"""The band twice: it is the one of them that leaves what it keeps as it was."""


def _spectrum(x: Tensor) -> Tensor:
    return torch.stft(x, N_FFT, HOP, window=torch.hann_window(N_FFT, device=x.device), return_complex=True)


def _samples(spectrum: Tensor, length: int) -> Tensor:
    window = torch.hann_window(N_FFT, device=spectrum.device)
    return torch.istft(spectrum, N_FFT, HOP, window=window, length=length)


def blended(batch: Batch, share: float) -> Tensor:
    """The audio (N, S) of a batch, in which a share of the pairs of rows has blends in the place of its fakes, where
    twin rows hold one sentence. Recordings, and all that has no twin, stay as they are.
    """
    audio = batch.audio
    if not share:  # without a draw: a training without blends stays what it was, number by number
        return audio
    chosen = torch.nonzero(torch.rand(audio.shape[0] // 2) < share).flatten().to(audio.device)
    if not len(chosen):
        return audio
    pairs = audio.view(-1, 2, audio.shape[1])[chosen]
    label = batch.label.view(-1, 2, batch.label.shape[1])[chosen]
    use = batch.aligned.view(-1, 2, batch.label.shape[1])[chosen].all(1) & (label[:, 0] != label[:, 1])
    first_is_fake = (label[:, 0] == 1).repeat_interleave(BLOCK, dim=1)
    copy = torch.where(first_is_fake, pairs[:, 0], pairs[:, 1])
    recording = torch.where(first_is_fake, pairs[:, 1], pairs[:, 0])
    mixed = _mixed(copy, recording)
    here = use.repeat_interleave(BLOCK, dim=1)
    out = audio.clone().view(-1, 2, audio.shape[1])
    for row, fake in enumerate((first_is_fake, ~first_is_fake)):
        out[chosen, row] = torch.where(here & fake, mixed, pairs[:, row])
    return out.view_as(audio)


def blend_by(mix: Mix, copy: Tensor, recording: Tensor) -> Tensor:
    """One mix of the samples (M, S) of copies and their recordings."""
    return _samples(mix(_spectrum(copy), _spectrum(recording)), copy.shape[1])


def _mixed(copy: Tensor, recording: Tensor) -> Tensor:
    """Each row (M, S) by a mix of its own."""
    kind = torch.randint(len(MIXES), (len(copy),)).to(copy.device)
    out = torch.empty_like(copy)
    for i, mix in enumerate(MIXES):
        rows = kind == i
        if bool(rows.any()):
            out[rows] = blend_by(mix, copy[rows], recording[rows])
    return out
