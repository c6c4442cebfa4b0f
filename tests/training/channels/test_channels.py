"""Channels keep length and time, limit the band where they say so, and depend on nothing but the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from training.channels import speech_codecs
from training.channels.channels import CHANNELS, Channel, find_channel, lose_packets, lossy, random_channel

Audio = NDArray[np.float32]
NARROW = [
    n for n in CHANNELS if n in {"narrow", "gsm", "amr", "g723.1", "opus-narrow"} or n.startswith(("band", "g711"))
]


def speechlike(n: int = 24000) -> Audio:
    """Syllables of a gliding pulse train through formants up to 6 kHz, over a little noise."""
    t = np.arange(n) / 16000
    turns = 120.0 * t + 15.0 * t**2 + np.sin(5.0 * t)
    x = np.diff(np.floor(turns), prepend=0.0)
    for formant, width in ((600, 100), (1300, 150), (2500, 200), (6000, 400)):
        pole = np.exp(-np.pi * width / 16000 + 2j * np.pi * formant / 16000)
        x = x + 0.5 * signal.lfilter([1.0], np.real(np.poly([pole, pole.conj()])), x)
    x = x * (0.6 + 0.4 * np.sin(2 * np.pi * 3.0 * t)) + 0.02 * np.random.default_rng(1).standard_normal(n)
    return (0.3 * x / np.abs(x).max()).astype(np.float32)


def lag(y: Audio, x: Audio) -> int:
    match = np.correlate(y.astype(np.float64), x.astype(np.float64)[800:-800], "valid")
    return int(np.argmax(match)) - 800


def named(name: str) -> Channel:
    channel = find_channel(name)
    assert channel is not None
    return channel


def share_above(x: Audio, hz: float) -> float:
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    return float(power[np.fft.rfftfreq(len(x), 1 / 16000) > hz].sum() / power.sum())


@pytest.mark.parametrize("name", CHANNELS)
def test_length_time_and_range(name: str) -> None:
    x = speechlike()
    for seed in range(3):
        y = CHANNELS[name](x, np.random.default_rng(seed))
        assert y.shape == x.shape
        assert y.dtype == np.float32
        assert np.isfinite(y).all()
        assert abs(lag(y, x)) <= 16
        assert 0.5 < float(np.std(y) / np.std(x)) < 1.2


@pytest.mark.parametrize("name", CHANNELS)
def test_same_seed_same_result(name: str) -> None:
    x = speechlike(8000)
    one, two = (CHANNELS[name](x, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("n", [1, 319, 5001])
def test_any_length(name: str, n: int) -> None:
    assert CHANNELS[name](speechlike(n), np.random.default_rng(0)).shape == (n,)


@pytest.mark.parametrize("name", NARROW)
def test_nothing_above_4_khz_is_left(name: str) -> None:
    x = speechlike()
    assert share_above(x, 4100.0) > 1e-3
    assert share_above(CHANNELS[name](x, np.random.default_rng(0)), 4100.0) < 1e-6


@pytest.mark.parametrize("name", ["g722", "opus-wide", "aac"])
def test_wide_channels_keep_the_band(name: str) -> None:
    x = speechlike()
    assert share_above(CHANNELS[name](x, np.random.default_rng(0)), 4100.0) > 0.05 * share_above(x, 4100.0)


def test_a_lossy_channel_loses_the_share_that_its_name_says() -> None:
    x = speechlike(80_000)
    whole = CHANNELS["opus-wide"](x, np.random.default_rng(0))
    changed = []
    for seed in range(8):
        y = named("opus-16k-loss-5")(x, np.random.default_rng(seed))
        kept = lossy(x, np.random.default_rng(seed), before=named("opus-16k"), share=1e-9)
        changed.append(float(np.any(y.reshape(-1, 320) != kept.reshape(-1, 320), axis=1).mean()))
        assert np.corrcoef(y, whole)[0, 1] > 0.5
    assert 0.02 < float(np.mean(changed)) < 0.08


@pytest.mark.parametrize(("name", "share"), [("gsm-loss-10", 0.1), ("clean-loss-1", 0.01)])
def test_any_channel_can_lose_packets(name: str, share: float) -> None:
    x = speechlike(80_000)
    changed = []
    for seed in range(12):
        y = named(name)(x, np.random.default_rng(seed))
        kept = named(name.split("-")[0])(x, np.random.default_rng(seed))
        changed.append(float(np.any(y.reshape(-1, 320) != kept.reshape(-1, 320), axis=1).mean()))
    assert 0.4 * share < float(np.mean(changed)) < 1.8 * share


@pytest.mark.parametrize("snr", [5, 20])
def test_babble_is_as_loud_as_its_name_says(snr: int) -> None:
    x = speechlike(64_000)
    noise = named(f"babble-{snr}")(x, np.random.default_rng(0)) - x
    power = [np.sort(np.square(y.reshape(-1, 320)).mean(1))[100:].mean() for y in (x, noise)]
    assert 10 * np.log10(power[0] / power[1]) == pytest.approx(snr, abs=0.5)
    np.testing.assert_array_equal(noise + x, named(f"babble-{snr}")(x, np.random.default_rng(0)))


@pytest.mark.parametrize("name", ["fax", "gsm-loss-0", "fax-loss-5", "gsm-loss-100", "babble-", "loss-5", "clean-5"])
def test_names_that_mean_nothing_are_no_channels(name: str) -> None:
    assert find_channel(name) is None


def test_band_edges_lie_where_the_name_says() -> None:
    noise = np.random.default_rng(0).standard_normal(64000).astype(np.float32)
    power = np.abs(np.fft.rfft(CHANNELS["band-300-3400"](noise, np.random.default_rng(0)))) ** 2
    hz = np.fft.rfftfreq(64000, 1 / 16000)
    assert power[hz < 200].mean() < 1e-3 * power[(hz > 400) & (hz < 3300)].mean()
    assert power[hz > 3500].mean() < 1e-3 * power[(hz > 400) & (hz < 3300)].mean()


@pytest.mark.parametrize(("law", "smallest", "largest"), [("mu", 0.0, 8031 / 8192), ("a", 1 / 4096, 4032 / 4096)])
def test_g711_levels_are_those_of_the_standard(law: str, smallest: float, largest: float) -> None:
    levels = speech_codecs.LEVELS[law]
    assert len(levels) == 256
    assert np.abs(levels).min() == smallest
    assert levels.max() == largest
    np.testing.assert_allclose(levels, -levels[::-1])
    np.testing.assert_allclose(speech_codecs.g711(levels.astype(np.float32), law), levels, rtol=1e-6)


@pytest.mark.parametrize("law", ["mu", "a"])
def test_g711_has_the_levels_of_ffmpeg(law: str) -> None:
    import av

    x = np.linspace(-1.0, 1.0, 4001, dtype=np.float32)
    coder = speech_codecs.Coder(f"pcm_{law}law", 8000, frame=4001)
    packets, _ = speech_codecs._encode(x, coder)
    assert isinstance(packets[0], av.Packet)
    theirs = speech_codecs._decode(packets, None, coder)[:4001]
    assert float(np.abs(theirs - speech_codecs.g711(x, law)).max()) < 0.04
    assert float(np.mean(np.isclose(theirs, speech_codecs.g711(x, law), atol=2e-4))) > 0.9


@pytest.mark.parametrize("repeat", [False, True])
def test_lost_packets_are_whole_and_few(repeat: bool) -> None:
    x = np.ones(320 * 500, dtype=np.float32)
    y = lose_packets(x, np.random.default_rng(2), repeat=repeat)
    packets = y.reshape(-1, 320)
    lost = packets[:, 0] < 1.0
    assert 0.003 < lost.mean() < 0.2
    assert (packets == packets[:, :1]).all()
    assert set(np.unique(packets[lost])) - {0.0} if repeat else not packets[lost].any()


def test_random_channels_differ_between_seeds_and_agree_within() -> None:
    x = speechlike(16000)
    outs = [random_channel(x, np.random.default_rng(seed)) for seed in range(12)]
    assert len({out.tobytes() for out in outs}) == 12
    np.testing.assert_array_equal(outs[3], random_channel(x, np.random.default_rng(3)))
    for out in outs:
        assert out.shape == x.shape
        assert float(np.abs(out).max()) <= 1.0
        assert abs(lag(out, x)) <= 32


def test_a_loudspeaker_takes_the_bass_away_and_adds_noise_and_echo() -> None:
    x = speechlike()
    quiet = np.concatenate([x, np.zeros(8000, np.float32)])
    for seed in range(4):
        y = CHANNELS["loudspeaker"](quiet, np.random.default_rng(seed))
        power = [np.abs(np.fft.rfft(z[:24000])) ** 2 for z in (quiet, y)]
        low, voice = slice(30, 150), slice(900, 4000)  # 20 to 100 Hz, 600 to 2700 Hz
        before, after = (p[low].sum() / p[voice].sum() for p in power)
        assert after < before
        assert np.abs(y[24400:26400]).mean() > np.abs(y[-2000:]).mean() > 0.0


def test_other_sample_rates_change_little_below_their_edge() -> None:
    x = speechlike()
    for seed in range(6):
        y = CHANNELS["resampled"](x, np.random.default_rng(seed))
        assert 0.9 < float(np.corrcoef(x, y)[0, 1]) < 1.0


def test_clipping_cuts_the_loudest_samples_only() -> None:
    x = speechlike()
    for seed in range(6):
        y = CHANNELS["clipped"](x, np.random.default_rng(seed))
        cut = y != x
        assert 0.0004 < cut.mean() < 0.051
        (top,) = np.unique(np.abs(y[cut]))
        assert (np.abs(x[cut]) > top).all()


def test_gain_jumps_stay_within_nine_decibels_and_are_smooth() -> None:
    x = np.ones(32000, np.float32)
    y = 20.0 * np.log10(CHANNELS["levels"](x, np.random.default_rng(2)))
    assert 1.0 < np.ptp(y) <= 9.0
    assert np.abs(np.diff(y)).max() < 0.03


def test_the_picture_shows_every_channel(tmp_path: Path) -> None:
    from matplotlib.image import imread

    from training.evaluate.gallery import draw

    picture = imread(draw(speechlike(), tmp_path / "channels.png"))
    assert picture.shape[1] > 1000
    assert picture[..., :3].std() > 0.1
