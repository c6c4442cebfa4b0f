"""Resampling: no bit depends on how the audio was split, and the audio stays what it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.resample import MAX_RATE, MIN_RATE, StreamResampler, _ChannelFilter, push_together, resample_all

RATES = (4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 47_999, 48_000, 96_000, 384_000)


def noise(rate: int, seconds: float, channels: int = 2) -> np.ndarray:
    n = round(rate * seconds)
    return np.random.default_rng(rate).standard_normal((channels, n)).astype(np.float32)


def sine(rate: int, hertz: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def in_pieces(samples: np.ndarray, rate: int, cuts: list[int]) -> np.ndarray:
    stream = StreamResampler(rate, samples.shape[0])
    pieces = [stream.push(piece) for piece in np.split(samples, sorted(cuts), axis=1)]
    return np.concatenate([*pieces, stream.push(samples[:, :0], last=True)], axis=1)


@pytest.mark.parametrize("rate", RATES)
def test_splits_do_not_change_a_bit(rate):
    samples = noise(rate, 0.4)
    whole = resample_all(samples, rate)
    random = np.random.default_rng(1)
    n = samples.shape[1]
    for count in (1, 3, 40):
        assert np.array_equal(in_pieces(samples, rate, random.integers(0, n, count).tolist()), whole)
    assert np.array_equal(in_pieces(samples[:, :600], rate, list(range(600))), resample_all(samples[:, :600], rate))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RATES), st.integers(0, 700), st.lists(st.integers(0, 700), max_size=12))
def test_splits_of_short_audio_do_not_change_a_bit(rate, n, cuts):
    samples = noise(rate, 0.2)[:, :n]
    whole = resample_all(samples, rate)
    assert whole.shape[1] == -(-n * 16_000 // rate)
    assert np.array_equal(in_pieces(samples, rate, [min(c, n) for c in cuts]), whole)


@pytest.mark.parametrize("rate", RATES)
def test_a_sine_stays_in_place(rate):
    out = resample_all(sine(rate, 1000.0), rate)
    assert out.size in (8000, 8001)
    inner = slice(1000, 7000)
    assert np.abs(out[inner] - sine(16_000, 1000.0)[inner]).max() < 2e-4


@pytest.mark.parametrize(("rate", "hertz"), [(48_000, 8_300), (48_000, 15_500), (44_100, 9_000), (384_000, 40_000)])
def test_what_16_khz_cannot_hold_is_removed(rate, hertz):
    out = resample_all(sine(rate, hertz), rate)[1000:7000]
    assert np.abs(out).max() < 10 ** (-90 / 20)


def test_upsampling_makes_no_images():
    out = resample_all(sine(8_000, 3_600.0), 8_000)[1000:7000]
    spectrum = np.abs(np.fft.rfft(out * np.blackman(out.size)))
    hertz = np.fft.rfftfreq(out.size, 1 / 16_000)
    assert spectrum[hertz > 4_000].max() < spectrum.max() * 10 ** (-90 / 20)


def test_equal_rates_pass_through():
    samples = noise(16_000, 0.1)
    samples[0, 5] = np.nan
    stream = StreamResampler(16_000, 2)
    assert np.array_equal(stream.push(samples), samples, equal_nan=True)
    assert stream.delay_s == 0.0


@pytest.mark.parametrize(("rate", "delay_ms"), [(8_000, 8.4), (44_100, 4.17), (48_000, 4.17)])
def test_the_delay_is_short_and_constant(rate, delay_ms):
    stream = StreamResampler(rate, 1)
    assert stream.delay_s == pytest.approx(delay_ms / 1000, rel=0.01)
    block = noise(rate, 0.1, 1)
    given_s = 0.0
    for i in range(1, 11):
        given_s += stream.push(block).shape[1] / 16_000
        late = i * 0.1 - given_s
        assert 0.0 <= late < stream.delay_s + 0.001


@pytest.mark.parametrize("rate", [8_000, 48_000])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_sample_spoils_only_its_surroundings(rate, value):
    good = noise(rate, 1.0, 1)
    bad = good.copy()
    bad[0, rate // 2] = value
    expected, out = resample_all(good, rate)[0], resample_all(bad, rate)[0]
    spoilt = np.flatnonzero(~np.isfinite(out))
    delay = StreamResampler(rate, 1).delay_s * 16_000
    assert 8000 in spoilt
    assert abs(spoilt - 8000).max() <= delay + 2
    away = abs(np.arange(16_000) - 8000) > delay + 2
    assert np.array_equal(out[away], expected[away])


def test_channels_do_not_mix():
    samples = noise(48_000, 0.2, 3)
    alone = [resample_all(row, 48_000) for row in samples]
    assert np.array_equal(resample_all(samples, 48_000), np.stack(alone))


@pytest.mark.parametrize("rate", [0, 3, MIN_RATE - 1, MAX_RATE + 1, -16_000])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="sample rate"):
        StreamResampler(rate, 1)


def test_wrong_use_is_refused():
    stream = StreamResampler(48_000, 2)
    with pytest.raises(ValueError, match="expected"):
        stream.push(np.zeros((1, 10), np.float32))
    stream.push(np.zeros((2, 10), np.float32), last=True)
    with pytest.raises(ValueError, match="last"):
        stream.push(np.zeros((2, 10), np.float32))
    with pytest.raises(ValueError, match="channel"):
        StreamResampler(48_000, 0)


def test_twice_the_rate_is_what_libswresample_gives():
    samples = noise(8_000, 0.5, 1)[0]
    theirs = _ChannelFilter(8_000, 16_000)
    expected = np.concatenate([*theirs.push(samples), *theirs.flush(512)])[:8000]
    assert np.abs(resample_all(samples, 8_000) - expected).max() < 1e-5


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_resamplers_together_give_what_each_gives_alone(rate):
    rng = np.random.default_rng(rate)
    rows = [noise(rate, 0.3, 1)[0] * rng.random() for _ in range(5)]
    alone, some = [StreamResampler(rate, 1) for _ in rows], [StreamResampler(rate, 1) for _ in rows]
    at = [0] * len(rows)
    for _ in range(30):
        sizes = rng.integers(0, 200, len(rows)).tolist()
        pieces = [row[begin : begin + size] for row, begin, size in zip(rows, at, sizes, strict=True)]
        at = [begin + len(piece) for begin, piece in zip(at, pieces, strict=True)]
        found = push_together(some, np.concatenate(pieces), [len(piece) for piece in pieces])
        for one, piece, out in zip(alone, pieces, found, strict=True):
            assert np.array_equal(one.push(piece[None])[0], out)
    for one, other in zip(alone, some, strict=True):
        assert np.array_equal(one.push(rows[0][None, :0], last=True), other.push(rows[0][None, :0], last=True))
