"""The gate names what is not speech, and lets speech through."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.config import BLOCK, SAMPLE_RATE, GateConfig
from model.features import TAIL, hann, spectra
from model.gate import Kind, clean, gate, init_gate


def kinds(x: np.ndarray) -> list[Kind]:
    """Kind of each block of float (n,)."""
    config, state = GateConfig(), init_gate(GateConfig(), 1, torch.device("cpu"))
    tail, found = torch.zeros(1, TAIL), []
    for at in range(0, len(x) // BLOCK * BLOCK, BLOCK):
        block, gap, invalid = clean(torch.from_numpy(x[None, at : at + BLOCK].astype(np.float32)))
        window = torch.cat([tail, block], 1)
        power = spectra(window, hann())[:, -1].abs().square()
        state, kind, _ = gate(config, state, block, power, gap, invalid)
        found.append(Kind(int(kind)))
        tail = window[:, -TAIL:]
    return found


def tone(*frequencies: float, seconds: float = 2.0, noise_db: float = -60.0, level: float = 0.1) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    rng = np.random.default_rng(0)
    clean_tone = sum(np.sin(2 * np.pi * f * t) for f in frequencies) / len(frequencies)
    return level * (clean_tone + 10 ** (noise_db / 20) * rng.standard_normal(len(t)))


def mu_law_8k(x: np.ndarray) -> np.ndarray:
    """As a telephone would carry it."""
    narrow = np.repeat(x[::2], 2)
    y = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    y = np.round(y * 127) / 127
    return np.sign(y) * np.expm1(np.abs(y) * np.log(256)) / 255


def share(found: list[Kind], *wanted: Kind) -> float:
    return sum(k in wanted for k in found) / len(found)


def voice(seconds: float = 3.0, f0: float = 120.0) -> np.ndarray:
    """A vowel that glides, with formants: what must pass."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.15 * np.sin(2 * np.pi * 1.3 * t))) / SAMPLE_RATE
    formants = (500 + 200 * np.sin(2 * np.pi * 2 * t), 1500 + 500 * np.sin(2 * np.pi * 1.1 * t))
    x = np.zeros_like(t)
    for k in range(1, 40):
        f = k * f0
        gain = sum(1 / (1 + ((f - formant) / 120) ** 2) for formant in formants)
        x += gain * np.sin(k * phase)
    return 0.1 * x / np.abs(x).max() + 1e-4 * np.random.default_rng(1).standard_normal(len(t))


@pytest.mark.parametrize("f0", [90.0, 120.0, 210.0, 280.0])
def test_a_voice_passes(f0: float) -> None:
    assert share(kinds(voice(f0=f0)), Kind.SPEECH) > 0.9


def test_exact_zeros_and_silence_are_told_apart() -> None:
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    assert share(kinds(np.zeros(SAMPLE_RATE)), Kind.ZEROS) == 1.0
    assert share(kinds(quiet), Kind.SILENCE) == 1.0


def test_pauses_of_a_noisy_room_are_silence_beside_a_voice() -> None:
    room = 4e-4 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    found = kinds(np.concatenate([voice(2.0), room]))
    assert share(found[-40:], Kind.SILENCE) > 0.9


@pytest.mark.parametrize("frequencies", [(425.0,), (440.0, 480.0), (350.0, 440.0), (480.0, 620.0)])
@pytest.mark.parametrize("telephone", [False, True])
def test_ringback_busy_and_dial_tones(frequencies: tuple[float, ...], telephone: bool) -> None:
    x = tone(*frequencies)
    found = kinds(mu_law_8k(x) if telephone else x)
    assert share(found[12:], Kind.RINGBACK, Kind.TONE) > 0.95
    assert share(found[12:], Kind.RINGBACK) > 0.8


def test_a_steady_tone() -> None:
    assert share(kinds(tone(1000.0))[12:], Kind.TONE) > 0.95
    assert share(kinds(tone(1000.0, noise_db=-25.0))[12:], Kind.TONE) > 0.8


@pytest.mark.parametrize(("row", "column"), [(697, 1209), (770, 1336), (852, 1477), (941, 1633)])
def test_dtmf_keys(row: int, column: int) -> None:
    key = np.concatenate([tone(row, column, seconds=0.12), np.zeros(SAMPLE_RATE // 10)])
    found = kinds(np.tile(key, 5))
    assert Kind.DTMF in found
    assert share(found, Kind.SPEECH) < 0.35


def test_clipping() -> None:
    assert share(kinds(np.clip(voice() * 40, -1, 1)), Kind.CLIPPING) > 0.8


def test_lost_audio_and_what_follows_it() -> None:
    x = voice()
    x[40 * BLOCK : 42 * BLOCK] = np.nan
    found = kinds(x)
    assert found[40:42] == [Kind.GAP, Kind.GAP]
    assert found[42] == Kind.GAP, "the first windows after a gap still see its edge"
    assert found[48] == Kind.SPEECH


def test_invalid_samples() -> None:
    x = voice()
    x[50 * BLOCK + 3] = np.inf
    assert kinds(x)[50] == Kind.INVALID
