"""Sounds that are not speech: silence, noise, tones of telephones, made-up music. All float32 (n,) at 16 kHz."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from model.config import SAMPLE_RATE
from training.channels.music import music

Audio = NDArray[np.float32]
Rng = np.random.Generator
Sound = Callable[[Rng, int], Audio]


def _float32(x: Any) -> Audio:
    return np.asarray(x, dtype=np.float32)


def silence(rng: Rng, n: int) -> Audio:
    """Return the dither of one or a few steps of 16 bit."""
    steps = rng.uniform(0.5, 4.0)
    return _float32((rng.random(n) - rng.random(n)) * steps / 32768.0)


def coloured(rng: Rng, n: int, slope: float) -> Audio:
    """Return noise whose power falls by 3 * slope dB an octave: 0 white, 1 pink, 2 brown; unit power."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum *= np.arange(1, len(spectrum) + 1) ** (-slope / 2.0)
    x = np.fft.irfft(spectrum, n)
    return _float32(x / max(float(x.std()), 1e-9))


def noise(rng: Rng, n: int) -> Audio:
    """Return noise of random colour and level, steady or swelling."""
    swell = np.interp(np.arange(n), np.linspace(0, n, 6), rng.uniform(0.3, 1.0, 6))
    x = coloured(rng, n, rng.uniform(0.0, 2.0)) * swell
    return _float32(x * 10.0 ** (rng.uniform(-60.0, -15.0) / 20.0))


def comfort_noise(rng: Rng, n: int) -> Audio:
    """Make steady noise shaped by a low-order all-pole filter, as RFC 3389 describes it."""
    poles = rng.uniform(0.2, 0.85, 3) * np.exp(1j * rng.uniform(0.05, 0.7 * np.pi, 3))
    a = np.real(np.poly(np.concatenate([poles, poles.conj()])))
    x = signal.lfilter([1.0], a, rng.standard_normal(n))
    return _float32(x / x.std() * 10.0 ** (rng.uniform(-65.0, -40.0) / 20.0))


def babble(rng: Rng, n: int) -> Audio:
    """Return noise with the long-term spectrum and the syllable rhythm of many talkers, none of them intelligible."""
    parts = []
    for _ in range(int(rng.integers(3, 9))):
        b, a = signal.butter(2, np.sort(rng.uniform([150, 900], [700, 3500])), "bandpass", fs=SAMPLE_RATE)
        beat = np.interp(np.arange(n), np.arange(0, n + 4000, 3000), rng.random(len(np.arange(0, n + 4000, 3000))) ** 2)
        parts.append(signal.lfilter(b, a, rng.standard_normal(n)) * beat)
    x = np.sum(parts, axis=0)
    return _float32(x / max(float(x.std()), 1e-9) * 10.0 ** (rng.uniform(-45.0, -20.0) / 20.0))


def hum(rng: Rng, n: int) -> Audio:
    """Make mains hum of 50 or 60 Hz with harmonics, over a little noise."""
    t = np.arange(n) / SAMPLE_RATE
    base = float(rng.choice([50.0, 60.0])) * rng.uniform(0.998, 1.002)
    x = sum(rng.random() / k * np.sin(2 * np.pi * (k * base * t + rng.random())) for k in range(1, 16))
    return _level(x + 0.01 * rng.standard_normal(n), rng, -55.0, -25.0)


CADENCES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ringback-europe": ((425,), (1, 4)),
    "ringback-north-america": ((440, 480), (2, 4)),
    "ringback-uk": ((400, 450), (0.4, 0.2, 0.4, 2)),
    "ringback-japan": ((400,), (1, 2)),
    "ringback-france": ((440,), (1.5, 3.5)),
    "busy-europe": ((425,), (0.5, 0.5)),
    "busy-north-america": ((480, 620), (0.5, 0.5)),
    "busy-uk": ((400,), (0.375, 0.375)),
    "congestion-europe": ((425,), (0.25, 0.25)),
    "reorder-north-america": ((480, 620), (0.25, 0.25)),
    "dial-europe": ((425,), (1,)),
    "dial-north-america": ((350, 440), (1,)),
    "waiting-north-america": ((440,), (0.3, 9.7)),
}
"""Call-progress tones of ITU-T E.180 Supplement 2: frequencies in Hz; seconds on, off, on, off ..."""


def call_progress(rng: Rng, n: int) -> Audio:
    """Make ringback, busy, congestion or dial tone of some country, from anywhere within its cadence."""
    tones, times = CADENCES[str(rng.choice(list(CADENCES)))]
    t = np.arange(n) / SAMPLE_RATE
    x = sum(np.sin(2 * np.pi * (f * t + rng.random())) for f in tones)
    edges = np.cumsum(times)
    start = 0.0 if rng.random() < 0.5 else rng.uniform(0, edges[-1])
    on = np.searchsorted(edges, (t + start) % edges[-1], side="right") % 2 == 0
    return _floor(_level(x * _soften(on), rng, -30.0, -8.0), rng)


def dtmf(rng: Rng, n: int) -> Audio:
    """Return digits of ITU-T Q.23, 50 to 400 ms each."""
    x, at = np.zeros(n), int(rng.uniform(0, 0.2) * SAMPLE_RATE)
    on_s, off_s = rng.uniform(0.05, 0.4), rng.uniform(0.05, 0.4)
    while at < n:
        t = np.arange(min(int(on_s * SAMPLE_RATE), n - at)) / SAMPLE_RATE
        low, high = rng.choice([697, 770, 852, 941]), rng.choice([1209, 1336, 1477, 1633])
        x[at : at + len(t)] = np.sin(2 * np.pi * low * t) + rng.uniform(0.7, 1.4) * np.sin(2 * np.pi * high * t)
        at += int((on_s + off_s) * SAMPLE_RATE)
    return _floor(_level(x, rng, -30.0, -6.0), rng)


def tone(rng: Rng, n: int) -> Audio:
    """Return one tone, steady or in beeps."""
    t = np.arange(n) / SAMPLE_RATE
    x = np.sin(2 * np.pi * np.exp(rng.uniform(np.log(80.0), np.log(7000.0))) * t)
    if rng.random() < 0.5:
        period = rng.uniform(0.1, 2.0)
        x = x * _soften((t % period) < rng.uniform(0.1, 0.9) * period)
    return _floor(_level(x, rng, -40.0, -6.0), rng)


def sweep(rng: Rng, n: int) -> Audio:
    """Return a tone that glides, once or again and again, such as a siren."""
    t = np.arange(n) / SAMPLE_RATE
    low, high = np.sort(np.exp(rng.uniform(np.log(60.0), np.log(7000.0), 2)))
    place = np.abs(signal.sawtooth(2 * np.pi * t / rng.uniform(0.3, 4.0), rng.uniform(0.0, 1.0)))
    return _floor(
        _level(np.sin(2 * np.pi * np.cumsum(low * (high / low) ** place) / SAMPLE_RATE), rng, -40.0, -6.0), rng
    )


def clicks(rng: Rng, n: int) -> Audio:
    """Return clicks and crackle, regular or at random, some of them ringing."""
    x = np.zeros(n)
    count = max(1, int(n / SAMPLE_RATE * rng.uniform(1.0, 30.0)))
    places = np.linspace(0, n - 1, count).astype(int) if rng.random() < 0.3 else rng.integers(0, n, count)
    x[places] = rng.uniform(-1.0, 1.0, count)
    pole = rng.uniform(0.5, 0.99) * np.exp(1j * rng.uniform(0.1, 2.5))
    x = signal.lfilter([1.0], np.real(np.poly([pole, pole.conj()])), x)
    return _floor((x / max(float(np.abs(x).max()), 1e-9) * rng.uniform(0.02, 0.8)).astype(np.float32), rng)


def _soften(on: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a gate with edges of 5 ms."""
    return np.asarray(signal.fftconvolve(on.astype(float), np.ones(80) / 80.0, "same"))


def _level(x: NDArray[np.float64], rng: Rng, low_db: float, high_db: float) -> Audio:
    """Return x at a random root mean square, in dB of full scale, never beyond full scale."""
    y = x / max(float(np.sqrt(np.mean(np.square(x)))), 1e-9) * 10.0 ** (rng.uniform(low_db, high_db) / 20.0)
    return _float32(y / max(1.0, float(np.abs(y).max(initial=0.0))))


def _floor(x: Audio, rng: Rng) -> Audio:
    """Return x over the noise of a line."""
    return _float32(x + coloured(rng, len(x), 1.0) * 10.0 ** (rng.uniform(-85.0, -45.0) / 20.0))


SOUNDS: dict[str, tuple[Sound, float]] = {
    "silence": (silence, 0.5),
    "noise": (noise, 1.0),
    "comfort-noise": (comfort_noise, 0.5),
    "babble": (babble, 0.7),
    "hum": (hum, 0.3),
    "call-progress": (call_progress, 1.0),
    "dtmf": (dtmf, 0.5),
    "tone": (tone, 0.3),
    "sweep": (sweep, 0.3),
    "clicks": (clicks, 0.3),
    "music": (music, 4.0),
}
"""Generators f(rng, n) by name, each with how often random_sound draws it."""


def random_sound(rng: Rng, n: int) -> Audio:
    """Return n samples of one kind of sound, within full scale."""
    names = list(SOUNDS)
    p = np.array([SOUNDS[name][1] for name in names])
    make = SOUNDS[str(rng.choice(names, p=p / p.sum()))][0]
    return _float32(np.clip(make(rng, n), -1.0, 1.0))
