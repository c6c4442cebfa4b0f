"""The speech gate and the bandwidth of model/gate.py and model/bandwidth.py in numpy, for the CPU's runtime.

The same arithmetic, vectorised over streams and blocks; what depends on the block before is a few operations a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, BLOCK_S, HOP, N_FFT, SAMPLE_RATE, WINDOW, GateConfig
from model.figures import Bandwidth, Kind

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
State = dict[str, NDArray[Any]]

BINS = N_FFT // 2 + 1
TAIL = WINDOW - HOP
BIN_HZ = SAMPLE_RATE / N_FFT
_F = np.float32
_LOBE, _APART = 3, 2
_PADDED = BINS + 2 * _LOBE
_DTMF_BLOCKS = 2
_EXACT_HANN = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)).astype(_F).astype(np.float64)


def _near(*frequencies: float) -> Flags:
    """Return bool (BINS,): within one bin of one of the frequencies in Hz."""
    return np.asarray((np.abs(np.arange(BINS)[:, None] - np.array(frequencies) / BIN_HZ) <= 1.0).any(1))


def _tone_kinds() -> Ints:
    """Return kind (BINS, BINS) of a tone with these lowest and highest lines (ITU-T E.180, E.182, Q.23)."""
    kinds = np.full((BINS, BINS), int(Kind.TONE))
    progress = _near(350.0, 400.0, 425.0, 440.0, 450.0, 480.0, 620.0)
    kinds[progress[:, None] & progress] = Kind.RINGBACK
    rows, columns = _near(697.0, 770.0, 852.0, 941.0), _near(1209.0, 1336.0, 1477.0, 1633.0)
    kinds[rows[:, None] & columns] = Kind.DTMF
    return kinds


_KINDS = _tone_kinds()


def clean(samples: Floats) -> tuple[Floats, Flags, Flags]:
    """Return the samples (M, B * BLOCK) -> finite samples within [-1, 1], blocks that hold NaN (M, B), and infinities
    (M, B)."""
    flat = samples.ravel()
    if np.isfinite(np.dot(flat, flat)):  # one pass that says that all is well, as nearly always
        none = np.zeros((len(samples), samples.shape[1] // BLOCK), dtype=np.bool_)
        return np.clip(samples, _F(-1.0), _F(1.0)), none, none
    blocks = samples.reshape(len(samples), -1, BLOCK)
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    gap, invalid = (np.asarray(bad(blocks).any(2)) for bad in (np.isnan, np.isinf))
    return np.clip(finite, _F(-1.0), _F(1.0)), gap, invalid


def spectra(window: Floats) -> NDArray[np.complex64]:
    """Return complex64 (M, 2 B, BINS) of samples (M, TAIL + B * BLOCK), in double precision as in
    model.features.spectra.
    """
    frames = np.lib.stride_tricks.sliding_window_view(window, WINDOW, axis=1)[:, ::HOP]
    return np.fft.rfft(frames * _EXACT_HANN, n=N_FFT, axis=2).astype(np.complex64)


def power_of(spectrum: NDArray[np.complex64]) -> Floats:
    """Return float32 (M, B, BINS): the power of the last window of each block."""
    last = spectrum[:, 1::2]
    power: Floats = last.real**2
    power += last.imag**2
    return power


def init_gate(config: GateConfig, rows: int) -> State:
    """Return the state of streams that have heard nothing."""
    return {
        "gate.peak": np.full(rows, config.floor_dbfs, _F),
        "gate.level": np.full(rows, -120.0, _F),
        "gate.bins": np.zeros((rows, 2), np.int64),
        "gate.run": np.zeros(rows, np.int64),
        "gate.hang": np.zeros(rows, np.int64),
    }


def _two_peaks(power: Floats) -> tuple[Ints, Floats]:
    """Return the two strongest lines of power (P, BINS): bins (P, 2) in rising order, and their share of all power
    (P,)."""
    each = np.arange(len(power))
    first = power.argmax(1)
    padded = np.zeros((len(power), _PADDED), _F)
    padded[:, _LOBE:-_LOBE] = power
    flat, at = padded.ravel(), (each * _PADDED)[:, None] + np.arange(2 * _LOBE + 1)
    lobe = at + first[:, None]
    own = flat[lobe].sum(1)
    flat[lobe[:, _LOBE - _APART : _LOBE + _APART + 1]] = 0.0
    second = padded[:, _LOBE:-_LOBE].argmax(1)
    strong = padded[each, second + _LOBE] > _F(0.05) * power[each, first]
    flat[lobe] = 0.0
    share = (own + flat[at + second[:, None]].sum(1)) / np.maximum(power.sum(1), _F(1e-20))
    second = np.where(strong, second, first)
    return np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1), share


def gate(
    config: GateConfig, state: State, samples: Floats, power: Floats, gap: Flags, invalid: Flags
) -> tuple[State, Ints, Floats]:
    """Judge B blocks of M streams: samples (M, B * BLOCK), power (M, B, BINS), gap and invalid (M, B).

    Returns the new state, kind: int64 (M, B) of Kind, and level: (M, B) dBFS.
    """
    blocks = samples.reshape(len(samples), -1, BLOCK)
    mean = np.einsum("mbi,mbi->mb", blocks, blocks) * _F(1.0 / BLOCK)
    level: Floats = _F(10.0) * np.log10(mean + _F(1e-12))
    magnitude = np.abs(blocks)
    top = magnitude.max(2)
    shape = top.shape
    bins, share = (part.reshape(*shape, *part.shape[1:]) for part in _two_peaks(power.reshape(-1, BINS)))
    old_bins = np.concatenate([state["gate.bins"][:, None], bins[:, :-1]], axis=1)
    old_level = np.concatenate([state["gate.level"][:, None], level[:, :-1]], axis=1)
    damaged = gap | invalid
    silent, peak = _silent(config, state["gate.peak"], level, damaged)
    steady = (np.abs(bins - old_bins) <= 2).all(2) & (np.abs(level - old_level) < _F(config.tone_step_db))
    steady &= (share > _F(config.tone_ratio)) & ~silent
    runs, hangs = _counts(config, state, steady, damaged)

    kind: Ints = _KINDS[bins[..., 0], bins[..., 1]]
    tone = runs >= np.where(kind == Kind.DTMF, _DTMF_BLOCKS, config.tone_blocks)
    # What comes later overrules what came before.
    kind[~tone] = Kind.SPEECH
    kind[silent] = Kind.SILENCE
    kind[top == 0] = Kind.ZEROS
    if top.max(initial=0.0) >= config.clip_level:
        clipped = np.count_nonzero(magnitude >= _F(config.clip_level), axis=2)
        kind[clipped / BLOCK > config.clip_fraction] = Kind.CLIPPING
    kind[hangs > 0] = Kind.GAP
    kind[invalid] = Kind.INVALID
    new = {"peak": peak, "level": level[:, -1], "bins": bins[:, -1], "run": runs[:, -1], "hang": hangs[:, -1]}
    return {f"gate.{name}": value for name, value in new.items()}, kind, level


def _silent(config: GateConfig, peak: Floats, level: Floats, damaged: Flags) -> tuple[Flags, Floats]:
    """Return which blocks (M, B) are silent beside the running peak, and the peak (M,) after them."""
    floor, decay, below = _F(config.floor_dbfs), _F(config.decay_db_per_s * BLOCK_S), _F(config.range_db)
    peaks, least, whole = np.empty_like(level), np.maximum(level, floor), not damaged.any()
    for b in range(level.shape[1]):
        risen = np.maximum(least[:, b], peak - decay)
        peaks[:, b] = peak = risen if whole else np.where(damaged[:, b], peak, risen)
    return level < np.maximum(peaks - below, floor), peak


def _counts(config: GateConfig, state: State, steady: Flags, damaged: Flags) -> tuple[Ints, Ints]:
    """Return, of each block (M, B), for how many blocks its tone has lasted, and how many are held back after a gap."""
    after = np.arange(1, steady.shape[1] + 1)
    since = after - np.maximum.accumulate(np.where(steady, 0, after), axis=1)
    runs = since + np.where(since == after, state["gate.run"][:, None], 0)
    damage = np.maximum.accumulate(np.where(damaged, after + config.gap_hang_blocks, 0), axis=1)
    return runs, np.maximum(np.maximum(damage, state["gate.hang"][:, None]) - after, 0)


_LOW = slice(round(300 / BIN_HZ), round(3400 / BIN_HZ))
_HIGH = slice(round(4700 / BIN_HZ), round(7000 / BIN_HZ))
_NEEDED_BLOCKS = 50
_FADE_DB, _RATIO_DB = _F(2.0 * BLOCK_S), _F(-43.0)


def init_bandwidth(rows: int) -> State:
    """Return the state of streams that have heard nothing."""
    return {
        "bandwidth.low": np.full(rows, -200.0, _F),
        "bandwidth.high": np.full(rows, -200.0, _F),
        "bandwidth.blocks": np.zeros(rows, np.int64),
    }


def bandwidth(state: State, power: Floats, active: Flags) -> tuple[State, Ints]:
    """Return the bandwidth after each of B blocks of M streams: power (M, B, BINS), active (M, B), which alone count.

    Returns the new state and int64 (M, B) of Bandwidth.
    """
    both = np.stack([power[..., band].sum(2) for band in (_LOW, _HIGH)])
    loud = _F(10.0) * np.log10(both + _F(1e-20))
    held = np.stack([state["bandwidth.low"], state["bandwidth.high"]])
    each = np.empty_like(loud)
    for b in range(active.shape[1]):
        if active[:, b].any():
            held = np.where(active[:, b], np.maximum(loud[..., b], held - _FADE_DB), held)
        each[..., b] = held
    ratio = each[1] - each[0]
    counts = state["bandwidth.blocks"][:, None] + np.cumsum(active, axis=1)
    unsure = np.where(counts >= _NEEDED_BLOCKS, int(Bandwidth.TELEPHONE), int(Bandwidth.UNKNOWN))
    found = np.where(ratio > _RATIO_DB, int(Bandwidth.WIDEBAND), unsure)
    new = {"low": held[0], "high": held[1], "blocks": counts[:, -1]}
    return {f"bandwidth.{name}": value for name, value in new.items()}, found * (counts > 0)
