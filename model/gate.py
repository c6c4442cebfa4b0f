"""The speech gate's signal-processing part: names what a block is before the network hears it.

Vectorised over streams, state in, state out. The network's speech head does the rest (music, noise, babble).
Call-progress tones: ITU-T E.180 and E.182; DTMF: ITU-T Q.23.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf

import torch
from torch import Tensor
from torch.nn import functional

from model.config import BLOCK, BLOCK_S, N_FFT, SAMPLE_RATE, GateConfig
from model.figures import Kind

GateState = dict[str, Tensor]

BIN_HZ = SAMPLE_RATE / N_FFT
_LOBE = 3
_APART = 2
"""Bins on each side that belong to a line's main lobe, and those nearer than which a second line is not looked for."""
_DTMF_ROWS = (697.0, 770.0, 852.0, 941.0)
_DTMF_COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
_PROGRESS = (350.0, 400.0, 425.0, 440.0, 450.0, 480.0, 620.0)
_DTMF_BLOCKS = 2


def init_gate(config: GateConfig, batch: int, device: torch.device) -> GateState:
    """Return the state of `batch` streams that have heard nothing. The peak is at the floor until the first sound."""
    return {
        "peak": torch.full((batch,), config.floor_dbfs, device=device),
        "level": torch.full((batch,), -120.0, device=device),
        "bins": torch.zeros(batch, 2, dtype=torch.int64, device=device),
        "run": torch.zeros(batch, dtype=torch.int64, device=device),
        "hang": torch.zeros(batch, dtype=torch.int64, device=device),
    }


def _two_peaks(power: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two strongest lines of power (N, BINS): bins (N, 2) in rising order, and their share of all power
    (N,).

    Gathers a few bins of each line rather than masking all: on a CPU the masks cost more than the network's heads.
    """
    total = power.sum(1).clamp(min=1e-20)
    lobe = torch.arange(2 * _LOBE + 1, device=power.device)
    padded = functional.pad(power, (_LOBE, _LOBE))
    first = power.argmax(1, keepdim=True)
    first_power = padded.gather(1, first + lobe).sum(1)
    padded.scatter_(1, first + lobe[_LOBE - _APART : _LOBE + _APART + 1], 0.0)
    second = padded[:, _LOBE:-_LOBE].argmax(1, keepdim=True)
    strong = padded.gather(1, second + _LOBE) > 0.05 * power.gather(1, first)
    padded.scatter_(1, first + lobe, 0.0)
    share = (first_power + padded.gather(1, second + lobe).sum(1)) / total
    second = torch.where(strong, second, first)
    return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=1), share


def _near(frequencies: tuple[float, ...]) -> Tensor:
    """Return which bins (BINS,) are within one bin of one of the frequencies in Hz."""
    lines = torch.tensor(frequencies) / BIN_HZ
    return ((torch.arange(N_FFT // 2 + 1)[:, None] - lines).abs() <= 1.0).any(1)


@lru_cache(maxsize=8)
def _tone_kinds(device: torch.device) -> Tensor:
    """Return kind (BINS, BINS) of a tone with these lowest and highest lines, int64."""
    with torch.inference_mode(False):
        kinds = torch.full((N_FFT // 2 + 1, N_FFT // 2 + 1), Kind.TONE)
        progress = _near(_PROGRESS)
        kinds[progress[:, None] & progress] = Kind.RINGBACK
        kinds[_near(_DTMF_ROWS)[:, None] & _near(_DTMF_COLUMNS)] = Kind.DTMF
        return kinds.to(device)


def _level_dbfs(samples: Tensor) -> Tensor:
    return 10.0 * torch.log10(samples.square().mean(1) + 1e-12)


def gate(
    config: GateConfig, state: GateState, samples: Tensor, power: Tensor, gap: Tensor, invalid: Tensor
) -> tuple[GateState, Tensor, Tensor]:
    """Judge one block of N streams.

    samples: float32 (N, BLOCK). power: (N, BINS), the block's last window. gap, invalid: bool (N,), the
    block holds lost or non-finite samples. Returns the new state, kind: int64 (N,) of Kind, level: (N,) dBFS.
    """
    level = _level_dbfs(samples)
    damaged = gap | invalid
    magnitude = samples.abs()
    zeros = magnitude.amax(1) == 0
    clipped = magnitude.ge_(config.clip_level).mean(1) > config.clip_fraction
    peak = torch.maximum(level, state["peak"] - config.decay_db_per_s * BLOCK_S).clamp(min=config.floor_dbfs)
    peak = torch.where(damaged, state["peak"], peak)
    silent = level < (peak - config.range_db).clamp(min=config.floor_dbfs)

    bins, share = _two_peaks(power)
    steady = (
        ((bins - state["bins"]).abs() <= 2).all(1)
        & ((level - state["level"]).abs() < config.tone_step_db)
        & (share > config.tone_ratio)
        & ~silent
    )
    run = (state["run"] + 1).masked_fill_(~steady, 0)
    hang = (state["hang"] - 1).clamp_(min=0).masked_fill_(damaged, config.gap_hang_blocks)

    kind = _tone_kinds(power.device)[bins[:, 0], bins[:, 1]]
    tone = run >= torch.where(kind == Kind.DTMF, _DTMF_BLOCKS, config.tone_blocks)
    # What comes later overrules what came before.
    kind.masked_fill_(~tone, Kind.SPEECH).masked_fill_(silent, Kind.SILENCE).masked_fill_(zeros, Kind.ZEROS)
    kind.masked_fill_(clipped, Kind.CLIPPING).masked_fill_(hang > 0, Kind.GAP).masked_fill_(invalid, Kind.INVALID)
    return {"peak": peak, "level": level, "bins": bins, "run": run, "hang": hang}, kind, level


def clean(samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Replace what is not a number: NaN marks lost audio, an infinity an invalid sample.

    samples (N, BLOCK) -> finite samples clipped to [-1, 1], gap (N,), invalid (N,).
    """
    assert samples.shape[1] == BLOCK
    # By reductions of numbers, since those of flags take ten times as long on a CPU.
    magnitude = samples.abs()
    gap = magnitude.amax(1).isnan()
    invalid = magnitude.nan_to_num_(nan=0.0, posinf=inf).amax(1) == inf
    return samples.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).clamp_(-1.0, 1.0), gap, invalid
