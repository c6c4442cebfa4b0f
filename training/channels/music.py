"""Made-up music for teaching what is not speech: chords, arpeggios, tunes, a bass and drums in random timbres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from model.config import SAMPLE_RATE

Audio = NDArray[np.float32]
Wave = NDArray[np.float64]
Rng = np.random.Generator
Instrument = Callable[[Rng, float, int], Wave]

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))
"""Semitones of the major, minor, pentatonic and blues scales."""

PROGRESSIONS = ((0, 3, 4, 0), (0, 4, 5, 3), (0, 5, 3, 4), (1, 4, 0, 0), (5, 3, 0, 4), (0, 0, 3, 4))
"""Steps of the scale on which the chords of four bars stand."""


def envelope(n: int, attack_s: float, decay_s: float) -> Wave:
    """Return a straight rise, an exponential fall, and an end without a click."""
    t = np.arange(n) / SAMPLE_RATE
    fade = np.minimum(1.0, np.arange(n)[::-1] / 160.0)
    return np.asarray(np.minimum(1.0, t / attack_s) * np.exp(-t / decay_s) * fade)


def pluck(rng: Rng, hz: float, n: int) -> Wave:
    """Return a plucked string (Karplus and Strong, 1983): a burst of noise in a comb filter that dulls it at every
    turn."""
    period = max(2, round(SAMPLE_RATE / hz - 0.5))
    burst = np.zeros(n)
    burst[: min(period, n)] = rng.uniform(-1.0, 1.0, min(period, n))
    a = np.zeros(period + 2)
    a[0], a[period], a[period + 1] = 1.0, -0.4985, -0.4985
    return np.asarray(signal.lfilter([1.0], a, burst) * envelope(n, 0.001, rng.uniform(0.3, 2.0)))


def organ(rng: Rng, hz: float, n: int) -> Wave:
    """Return a sum of harmonics with vibrato, from flute to brass, slow or fast to speak."""
    t = np.arange(n) / SAMPLE_RATE
    turns = hz * (t + rng.uniform(0.0, 0.006) * np.sin(2 * np.pi * rng.uniform(4.0, 7.0) * t) / 6.0)
    fall = rng.uniform(0.5, 2.0)
    x = np.zeros(n)
    for k in range(1, max(2, min(24, int(7500.0 / hz)))):
        x += rng.uniform(0.3, 1.0) / k**fall * np.sin(2 * np.pi * (k * turns + rng.random()))
    return x * envelope(n, rng.uniform(0.005, 0.3), rng.uniform(0.5, 10.0))


def bell(rng: Rng, hz: float, n: int) -> Wave:
    """Modulate the frequency with a dying index (Chowning, 1973): bells and electric pianos."""
    t = np.arange(n) / SAMPLE_RATE
    ratio = float(rng.choice([1.0, 1.41, 2.0, 3.5, 7.0]))
    index = rng.uniform(0.5, 5.0) * np.exp(-t / rng.uniform(0.1, 1.0))
    x = np.sin(2 * np.pi * hz * t + index * np.sin(2 * np.pi * ratio * hz * t))
    return np.asarray(x * envelope(n, 0.002, rng.uniform(0.2, 1.5)))


def pad(rng: Rng, hz: float, n: int) -> Wave:
    """Pass detuned sawtooth waves through a low-pass filter: strings and synthesisers."""
    t = np.arange(n) / SAMPLE_RATE
    x = sum(signal.sawtooth(2 * np.pi * (hz * rng.uniform(0.994, 1.006) * t + rng.random())) for _ in range(3))
    b, a = signal.butter(2, min(7000.0, hz * rng.uniform(2.0, 12.0)), fs=SAMPLE_RATE)
    return np.asarray(signal.lfilter(b, a, x) * envelope(n, rng.uniform(0.01, 0.4), 8.0))


INSTRUMENTS: tuple[Instrument, ...] = (pluck, organ, bell, pad)


def kick(rng: Rng) -> Wave:
    """Return a bass drum: a tone that falls from 150 to 50 Hz."""
    t = np.arange(4000) / SAMPLE_RATE
    return np.asarray(np.sin(2 * np.pi * (50.0 * t - 3.0 * np.exp(-t / 0.03))) * np.exp(-t / rng.uniform(0.06, 0.15)))


def snare(rng: Rng) -> Wave:
    """Return a snare drum or a clap: noise and a tone."""
    t = np.arange(4000) / SAMPLE_RATE
    body = 0.5 * np.sin(2 * np.pi * rng.uniform(160.0, 230.0) * t)
    return np.asarray((rng.standard_normal(4000) + body) * 0.5 * np.exp(-t / rng.uniform(0.04, 0.12)))


def hat(rng: Rng) -> Wave:
    """Return a cymbal: high noise, short."""
    t = np.arange(2400) / SAMPLE_RATE
    return np.diff(rng.standard_normal(2401)) * 0.3 * np.exp(-t / rng.uniform(0.01, 0.06))


def _put(x: Wave, sound: Wave, at: int) -> None:
    end = min(len(x), at + len(sound))
    if at < end:
        x[at:end] += sound[: end - at]


def _hz(key: float, scale: tuple[int, ...], step: int) -> float:
    octave, degree = divmod(step, len(scale))
    return float(440.0 * 2.0 ** ((key + scale[degree] + 12 * octave - 69.0) / 12.0))


def drums(rng: Rng, n: int, beat: int) -> Wave:
    """Return one random bar of eighths, repeated."""
    x, pattern = np.zeros(n), rng.random((3, 8)) < np.array([[0.3], [0.2], [0.7]])
    pattern[0, 0] = pattern[1, 4] = True
    for at in range(0, n, max(1, beat // 2)):
        eighth = (at // max(1, beat // 2)) % 8
        for row, drum in enumerate((kick, snare, hat)):
            if pattern[row, eighth]:
                _put(x, drum(rng), at)
    return x


def tune(rng: Rng, n: int, beat: int, key: float, scale: tuple[int, ...]) -> Wave:
    """Return a walk over the scale by one instrument, with rests."""
    x, play, step, at = np.zeros(n), INSTRUMENTS[rng.integers(4)], int(rng.integers(7, 14)), 0
    while at < n:
        length = int(beat * rng.choice([0.25, 0.5, 0.5, 1.0, 2.0]))
        if rng.random() < 0.85:
            _put(x, play(rng, _hz(key, scale, step), max(400, int(length * rng.uniform(0.7, 1.5)))), at)
        step = int(np.clip(step + rng.integers(-3, 4), 3, 18))
        at += length
    return x


def chords(rng: Rng, n: int, beat: int, key: float, scale: tuple[int, ...]) -> Wave:
    """Return a progression, a chord a bar, held or broken into an arpeggio."""
    x, play, broken = np.zeros(n), INSTRUMENTS[rng.integers(4)], rng.random() < 0.5
    roots = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    for bar, at in enumerate(range(0, n, 4 * beat)):
        steps = [roots[bar % 4] + k for k in (0, 2, 4, 7)]
        for i in range(8 if broken else len(steps)):
            start = at + (i * beat // 2 if broken else 0)
            if start < n:
                _put(x, play(rng, _hz(key, scale, steps[i % 4]), beat if broken else 4 * beat), start)
    return x


def music(rng: Rng, n: int) -> Audio:
    """Return n samples of one to four parts in one key and tempo, from anywhere within the piece, at a random level."""
    beat = int(60.0 / rng.uniform(55.0, 180.0) * SAMPLE_RATE)
    key, scale = float(rng.integers(43, 62)), SCALES[rng.integers(len(SCALES))]
    lead = int(rng.integers(0, 4 * beat))
    total = n + lead
    parts = [chords(rng, total, beat, key, scale), tune(rng, total, beat, key, scale)]
    parts += [drums(rng, total, beat), tune(rng, total, 2 * beat, key - 24, scale)]
    expected = rng.random(4) < np.array([0.75, 0.6, 0.4, 0.4])
    expected[rng.integers(0, 2)] = True
    x = np.zeros(total)
    for part, use in zip(parts, expected, strict=True):
        x += use * rng.uniform(0.3, 1.0) * part / max(float(part.std()), 1e-6)
    return _finish(rng, x[lead:])


def _finish(rng: Rng, x: Wave) -> Audio:
    """Apply a room, a loudspeaker's bandwidth, a level from -40 to -12 dB of full scale, and a little noise."""
    tail = rng.standard_normal(4800) * np.exp(-np.arange(4800) / rng.uniform(300.0, 1500.0))
    x = x + rng.uniform(0.0, 0.06) * signal.fftconvolve(x, tail)[: len(x)]
    b, a = signal.butter(1, np.exp(rng.uniform(np.log(2000.0), np.log(7800.0))), fs=SAMPLE_RATE)
    x = signal.lfilter(b, a, x)
    x = x / max(float(x.std()), 1e-9) * 10.0 ** (rng.uniform(-40.0, -12.0) / 20.0)
    x = x + rng.standard_normal(len(x)) * 10.0 ** (rng.uniform(-85.0, -55.0) / 20.0)
    return (x / max(1.0, float(np.abs(x).max(initial=0.0)))).astype(np.float32)
