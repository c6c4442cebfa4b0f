"""The speech gate's signal-processing part: names what a block is before the network hears it.

Vectorised over streams, state in, state out. The network's speech head does the rest (music, noise, babble).
Call-progress tones: ITU-T E.180 and E.182; DTMF: ITU-T Q.23.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from model.config import BLOCK, BLOCK_S, N_FFT, SAMPLE_RATE, GateConfig

GateState = dict[str, Tensor]

BIN_HZ = SAMPLE_RATE / N_FFT
_LOBE = 3
_APART = 2
"""Bins on each side that belong to a line's main lobe, and those nearer than which a second line is not looked for."""
_DTMF_ROWS = (697.0, 770.0, 852.0, 941.0)
_DTMF_COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
_PROGRESS = (350.0, 400.0, 425.0, 440.0, 450.0, 480.0, 620.0)
_DTMF_BLOCKS = 2


class Kind(IntEnum):
    """What a block is. SPEECH here means: nothing speaks against it."""

    SPEECH = 0
    SILENCE = 1
    ZEROS = 2
    TONE = 3
    DTMF = 4
    RINGBACK = 5
    NOT_SPEECH = 6
    CLIPPING = 7
    GAP = 8
    INVALID = 9


def init_gate(config: GateConfig, batch: int, device: torch.device) -> GateState:
    """State of `batch` streams that have heard nothing. The peak starts at the floor: the first sound sets it."""
    return {
        "peak": torch.full((batch,), config.floor_dbfs, device=device),
        "level": torch.full((batch,), -120.0, device=device),
        "bins": torch.zeros(batch, 2, dtype=torch.int64, device=device),
        "run": torch.zeros(batch, dtype=torch.int64, device=device),
        "hang": torch.zeros(batch, dtype=torch.int64, device=device),
    }


def _two_peaks(power: Tensor) -> tuple[Tensor, Tensor]:
    """The two strongest lines of power (N, BINS): bins (N, 2) in rising order, and their share of all power (N,)."""
    total = power.sum(1).clamp(min=1e-20)
    bins = torch.arange(power.shape[1], device=power.device)
    first = power.argmax(1, keepdim=True)
    near_first = (bins - first).abs() <= _LOBE
    rest = power.masked_fill((bins - first).abs() <= _APART, 0.0)
    second = rest.argmax(1, keepdim=True)
    near_second = (bins - second).abs() <= _LOBE
    share = (power * (near_first | near_second)).sum(1) / total
    strong = rest.gather(1, second) > 0.05 * power.gather(1, first)
    second = torch.where(strong, second, first)
    return torch.cat([first, second], dim=1).sort(dim=1).values, share


def _near(bins: Tensor, frequencies: tuple[float, ...]) -> Tensor:
    """Whether each of bins (N,) is within one bin of one of the frequencies in Hz."""
    lines = torch.tensor(frequencies, device=bins.device) / BIN_HZ
    return ((bins[:, None] - lines).abs() <= 1.0).any(1)


def _tone_kind(bins: Tensor) -> Tensor:
    low, high = bins[:, 0], bins[:, 1]
    kind = torch.full_like(low, Kind.TONE)
    kind[_near(low, _PROGRESS) & _near(high, _PROGRESS)] = Kind.RINGBACK
    kind[_near(low, _DTMF_ROWS) & _near(high, _DTMF_COLUMNS)] = Kind.DTMF
    return kind


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
    zeros = (samples == 0).all(1)
    peak = torch.maximum(level, state["peak"] - config.decay_db_per_s * BLOCK_S).clamp(min=config.floor_dbfs)
    peak = torch.where(damaged, state["peak"], peak)
    silent = level < torch.maximum(peak - config.range_db, torch.full_like(peak, config.floor_dbfs))
    clipped = (samples.abs() >= config.clip_level).float().mean(1) > config.clip_fraction

    bins, share = _two_peaks(power)
    steady = (
        ((bins - state["bins"]).abs() <= 2).all(1)
        & ((level - state["level"]).abs() < config.tone_step_db)
        & (share > config.tone_ratio)
        & ~silent
    )
    run = torch.where(steady, state["run"] + 1, torch.zeros_like(state["run"]))
    tone_kind = _tone_kind(bins)
    needed = torch.where(tone_kind == Kind.DTMF, _DTMF_BLOCKS, config.tone_blocks)
    hang = torch.where(damaged, config.gap_hang_blocks, (state["hang"] - 1).clamp(min=0))

    kind = torch.zeros_like(run)
    kind = torch.where(run >= needed, tone_kind, kind)
    kind = torch.where(silent, Kind.SILENCE, kind)
    kind = torch.where(zeros, Kind.ZEROS, kind)
    kind = torch.where(clipped, Kind.CLIPPING, kind)
    kind = torch.where(hang > 0, Kind.GAP, kind)
    kind = torch.where(invalid, Kind.INVALID, kind)
    return {"peak": peak, "level": level, "bins": bins, "run": run, "hang": hang}, kind, level


def clean(samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Replace what is not a number: NaN marks lost audio, an infinity an invalid sample.

    samples (N, BLOCK) -> finite samples clipped to [-1, 1], gap (N,), invalid (N,).
    """
    assert samples.shape[1] == BLOCK
    gap, invalid = torch.isnan(samples).any(1), torch.isinf(samples).any(1)
    finite = torch.where(torch.isfinite(samples), samples, torch.zeros_like(samples))
    return finite.clamp(-1.0, 1.0), gap, invalid
