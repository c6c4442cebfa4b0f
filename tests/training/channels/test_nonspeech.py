"""Sounds that are not speech: finite, within full scale, reproducible, and what their names say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.channels.music import INSTRUMENTS, pluck
from training.channels.nonspeech import CADENCES, SOUNDS, call_progress, coloured, dtmf, random_sound, silence

N = 32000


def peaks(x: NDArray[np.float32], count: int) -> set[int]:
    """The strongest frequencies in Hz, to 10 Hz."""
    power = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    found: list[float] = []
    hz = np.fft.rfftfreq(len(x), 1 / 16000)
    for i in np.argsort(power)[::-1]:
        if all(abs(hz[i] - f) > 15 for f in found):
            found.append(float(hz[i]))
        if len(found) == count:
            break
    return {round(f / 10) * 10 for f in found}


@pytest.mark.parametrize("name", SOUNDS)
def test_shape_range_and_seed(name: str) -> None:
    make = SOUNDS[name][0]
    for seed in range(4):
        x = make(np.random.default_rng(seed), N)
        assert x.shape == (N,)
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        assert float(np.abs(x).max()) <= 1.05
        np.testing.assert_array_equal(x, make(np.random.default_rng(seed), N))
    assert not np.array_equal(make(np.random.default_rng(8), N), make(np.random.default_rng(9), N))


@pytest.mark.parametrize("name", SOUNDS)
def test_short_ones_too(name: str) -> None:
    for seed in range(3):
        assert SOUNDS[name][0](np.random.default_rng(seed), 1600).shape == (1600,)


def test_silence_is_a_few_steps_of_16_bit() -> None:
    assert 0 < float(np.abs(silence(np.random.default_rng(0), N)).max()) <= 4 / 32768


@pytest.mark.parametrize(("slope", "fall_db"), [(0.0, 0.0), (1.0, 3.0), (2.0, 6.0)])
def test_colour_of_noise(slope: float, fall_db: float) -> None:
    power = np.abs(np.fft.rfft(coloured(np.random.default_rng(0), 160_000, slope))) ** 2
    octaves = [10 * np.log10(power[k : 2 * k].mean()) for k in (10_000, 20_000, 40_000)]
    np.testing.assert_allclose(-np.diff(octaves), fall_db, atol=0.3)


def test_call_progress_tones_are_those_of_some_country() -> None:
    known = [{round(f / 10) * 10 for f in tones} for tones, _ in CADENCES.values()]
    heard = 0
    for seed in range(20):
        x = call_progress(np.random.default_rng(seed), 5 * 16000)
        top = peaks(x, 2)
        heard += any(tones <= top for tones in known)
    assert heard >= 18


def test_ringback_has_pauses() -> None:
    levels = []
    for seed in range(12):
        x = call_progress(np.random.default_rng(seed), 6 * 16000).reshape(-1, 1600)
        level = 20 * np.log10(x.std(1) + 1e-9)
        levels.append(level.max() - level.min())
    assert max(levels) > 20


def test_dtmf_has_one_low_and_one_high_tone() -> None:
    x = dtmf(np.random.default_rng(4), N)
    loudest = max(x.reshape(-1, 800), key=lambda part: float(part.std()))
    power = np.abs(np.fft.rfft(loudest * np.hanning(800), 16000))
    low = 600 + int(np.argmax(power[600:1050]))
    high = 1100 + int(np.argmax(power[1100:1800]))
    assert min(abs(low - f) for f in (697, 770, 852, 941)) <= 12
    assert min(abs(high - f) for f in (1209, 1336, 1477, 1633)) <= 12


@pytest.mark.parametrize("instrument", range(len(INSTRUMENTS)))
def test_instruments_end_without_a_click(instrument: int) -> None:
    x = INSTRUMENTS[instrument](np.random.default_rng(0), 220.0, 8000)
    assert x.shape == (8000,)
    assert float(np.abs(x).max()) > 0.05
    assert abs(float(x[-1])) < 1e-9


def test_a_string_sounds_at_its_pitch() -> None:
    x = pluck(np.random.default_rng(0), 200.0, 16000)
    power = np.abs(np.fft.rfft(x[1000:] * np.hanning(15000), 16000))
    assert 100 + int(np.argmax(power[100:300])) == pytest.approx(200, abs=4)


def test_random_sound_draws_many_kinds() -> None:
    levels = [float(random_sound(np.random.default_rng(s), 4000).std()) for s in range(30)]
    assert max(levels) > 1000 * min(levels)
