"""The speech gate and the bandwidth of model/gate.py and model/bandwidth.py in numpy, for the CPU's runtime.

The same arithmetic, vectorised over streams and blocks; what depends on the block before is a few operations a block.
"""

from __future__ import annotations

from math import isfinite
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
_LOBE_BINS = np.arange(2 * _LOBE + 1)
_AT_ONCE = 64
"""Windows that are transformed at once: they and their spectra stay in a core's cache."""
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
_SPEECH, _SILENCE, _ZEROS, _DTMF, _CLIPPING, _GAP, _INVALID = (
    int(kind) for kind in (Kind.SPEECH, Kind.SILENCE, Kind.ZEROS, Kind.DTMF, Kind.CLIPPING, Kind.GAP, Kind.INVALID)
)
"""Members as plain numbers: numpy takes longer to make one of a member than to compute with it."""


def clean(samples: Floats) -> tuple[Floats, Flags, Flags]:
    """Return the samples (M, B * BLOCK) -> finite samples within [-1, 1], blocks that hold NaN (M, B), and infinities
    (M, B)."""
    flat = samples.ravel()
    if isfinite(np.dot(flat, flat)):  # one pass that says that all is well, as nearly always
        none = np.zeros((len(samples), samples.shape[1] // BLOCK), dtype=np.bool_)
        return _bounded(samples), none, none
    blocks = samples.reshape(len(samples), -1, BLOCK)
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    gap, invalid = (np.asarray(bad(blocks).any(2)) for bad in (np.isnan, np.isinf))
    return _bounded(finite), gap, invalid


def _bounded(samples: Floats) -> Floats:
    """Return what np.clip does, which takes longer to begin."""
    bounded = np.maximum(samples, _F(-1.0))
    return np.minimum(bounded, _F(1.0), out=bounded)


def spectra(window: Floats) -> Floats:
    """Return real and imaginary parts, float32 (2, M, 2 B, BINS), of samples (M, TAIL + B * BLOCK), in double precision
    as in model.features.spectra.
    """
    (row, step), count = window.strides, (window.shape[1] - TAIL) // HOP
    shape, strides = (len(window), count, WINDOW), (row, HOP * step, step)
    frames = np.lib.stride_tricks.as_strided(window, shape, strides, writeable=False)
    planes = np.empty((2, *shape[:2], BINS), _F)
    some = max(1, _AT_ONCE // max(1, count))
    for at in range(0, shape[0], some):
        spectrum = np.fft.rfft(frames[at : at + some] * _EXACT_HANN, n=N_FFT)
        planes[0, at : at + some], planes[1, at : at + some] = spectrum.real, spectrum.imag
    return planes


def power_of(planes: Floats) -> Floats:
    """Return float32 (M, B, BINS): the power of the last window of each block."""
    last = planes[:, :, 1::2]
    power: Floats = np.square(last[0])
    power += np.square(last[1])
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
    padded = np.zeros((len(power), _PADDED), _F)
    inside = padded[:, _LOBE:-_LOBE]
    inside[:] = power
    flat, starts = padded.ravel(), np.arange(0, padded.size, _PADDED)
    first = power.argmax(1)
    at = starts + first
    lobe, weakest = at[:, None] + _LOBE_BINS, flat.take(at + _LOBE) * _F(0.05)
    own = np.add.reduce(flat.take(lobe), axis=1)
    flat[lobe[:, _LOBE - _APART : _LOBE + _APART + 1]] = 0.0
    second = inside.argmax(1)
    at = starts + second
    strong = flat.take(at + _LOBE) > weakest
    flat[lobe] = 0.0
    own += np.add.reduce(flat.take(at[:, None] + _LOBE_BINS), axis=1)
    share = own / np.maximum(np.add.reduce(power, axis=1), _F(1e-20))
    second = np.where(strong, second, first)
    bins = np.empty((len(power), 2), np.int64)
    np.minimum(first, second, out=bins[:, 0])
    np.maximum(first, second, out=bins[:, 1])
    return bins, share


def gate(
    config: GateConfig, state: State, samples: Floats, power: Floats, gap: Flags, invalid: Flags
) -> tuple[State, Ints, Floats]:
    """Judge B blocks of M streams: samples (M, B * BLOCK), power (M, B, BINS), gap and invalid (M, B).

    Returns the new state, kind: int64 (M, B) of Kind, and level: (M, B) dBFS.
    """
    blocks = samples.reshape(len(samples), -1, BLOCK)
    mean = np.vecdot(blocks, blocks) * _F(1.0 / BLOCK)
    level: Floats = np.log10(mean + _F(1e-12)) * _F(10.0)
    magnitude = np.abs(blocks)
    top = np.maximum.reduce(magnitude, axis=2)
    shape = top.shape
    bins, share = _two_peaks(power.reshape(-1, BINS))
    bins = bins.reshape(*shape, 2)
    damaged = gap | invalid
    silent, peak = _silent(config, state["gate.peak"], level, damaged)
    moved = np.abs(bins - _before(state["gate.bins"], bins))
    steady = np.maximum(moved[..., 0], moved[..., 1]) <= 2
    steady &= np.abs(level - _before(state["gate.level"], level)) < _F(config.tone_step_db)
    steady &= share.reshape(shape) > _F(config.tone_ratio)
    steady &= ~silent
    runs, hangs = (_next if shape[1] == 1 else _counts)(config, state, steady, damaged)

    kind: Ints = _KINDS[bins[..., 0], bins[..., 1]]
    tone = runs >= np.where(kind == _DTMF, _DTMF_BLOCKS, config.tone_blocks)
    # What comes later overrules what came before.
    np.copyto(kind, _SPEECH, where=~tone)
    np.copyto(kind, _SILENCE, where=silent)
    np.copyto(kind, _ZEROS, where=top == 0)
    if np.maximum.reduce(top, axis=None, initial=0.0) >= config.clip_level:
        clipped = np.count_nonzero(magnitude >= _F(config.clip_level), axis=2)
        np.copyto(kind, _CLIPPING, where=clipped / BLOCK > config.clip_fraction)
    np.copyto(kind, _GAP, where=hangs > 0)
    np.copyto(kind, _INVALID, where=invalid)
    new: State = {"peak": peak, "level": level[:, -1], "bins": bins[:, -1], "run": runs[:, -1], "hang": hangs[:, -1]}
    return {f"gate.{name}": value for name, value in new.items()}, kind, level


def _before(first: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Return the values (M, B, ...) of the block before each: those of the first (M, ...) come from the state."""
    return first[:, None] if values.shape[1] == 1 else np.concatenate([first[:, None], values[:, :-1]], axis=1)


def _silent(config: GateConfig, peak: Floats, level: Floats, damaged: Flags) -> tuple[Flags, Floats]:
    """Return which blocks (M, B) are silent beside the running peak, and the peak (M,) after them."""
    floor, decay, below = _F(config.floor_dbfs), _F(config.decay_db_per_s * BLOCK_S), _F(config.range_db)
    least = np.maximum(level, floor).T
    peaks, any_damaged = np.empty(least.shape, _F), np.logical_or.reduce(damaged, axis=None)
    for b, risen in enumerate(peaks):
        np.subtract(peak, decay, out=risen)
        np.maximum(risen, least[b], out=risen)
        if any_damaged:
            np.copyto(risen, peak, where=damaged[:, b])
        peak = risen
    return level < np.maximum(peaks - below, floor).T, peak


def _next(config: GateConfig, state: State, steady: Flags, damaged: Flags) -> tuple[Ints, Ints]:
    """Return what _counts() does of one block."""
    runs, hangs = (state["gate.run"][:, None] + 1) * steady, np.maximum(state["gate.hang"][:, None] - 1, 0)
    np.copyto(hangs, config.gap_hang_blocks, where=damaged)
    return runs, hangs


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
_UNKNOWN, _TELEPHONE, _WIDEBAND = int(Bandwidth.UNKNOWN), int(Bandwidth.TELEPHONE), int(Bandwidth.WIDEBAND)


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
    rows, blocks = active.shape
    loud, held = np.empty((blocks, 2, rows), _F), np.empty((2, rows), _F)
    for i, (name, band) in enumerate((("low", _LOW), ("high", _HIGH))):
        loud[:, i] = np.add.reduce(power[..., band], axis=2).T
        held[i] = state[f"bandwidth.{name}"]
    loud += _F(1e-20)
    np.log10(loud, out=loud)
    loud *= _F(10.0)
    for level, heard, count in zip(loud, active.T, active.sum(axis=0).tolist(), strict=True):
        if not count:
            level[:] = held
            continue
        np.maximum(level, held - _FADE_DB, out=level)
        if count < rows:
            np.copyto(level, held, where=~heard)
        held = level
    counts = state["bandwidth.blocks"][:, None] + np.add.accumulate(active, axis=1, dtype=np.int64)
    wide = (loud[:, 1] - loud[:, 0] > _RATIO_DB).T
    found = np.where(counts >= _NEEDED_BLOCKS, _TELEPHONE, _UNKNOWN)
    np.copyto(found, _WIDEBAND, where=wide)
    np.copyto(found, _UNKNOWN, where=counts == 0)
    new = {"low": held[0], "high": held[1], "blocks": counts[:, -1]}
    return {f"bandwidth.{name}": value for name, value in new.items()}, found
