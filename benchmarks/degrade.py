"""Thirteen ways to make a voice hard to judge: float32 (n,) at 16 kHz and a numpy generator in, the same length out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import av
import numpy as np
from scipy import signal

from benchmarks.trace import Audio
from model.config import SAMPLE_RATE
from training.channels.channels import find_channel, lose_packets
from training.channels.music import music
from training.channels.nonspeech import babble, coloured

Rng = np.random.Generator
Degradation = Callable[[Audio, Rng], Audio]

PIECES = 8


def _power(x: Audio) -> float:
    """Return the mean power of the louder half of the 20 ms frames."""
    frames = np.square(x[: len(x) // 320 * 320].reshape(-1, 320)).mean(1)
    return float(np.sort(frames)[len(frames) // 2 :].mean())


def _mixed(x: Audio, sound: Audio, snr_db: float) -> Audio:
    gain = (_power(x) / max(_power(sound), 1e-12) * 10.0 ** (-snr_db / 10.0)) ** 0.5
    both = x + sound * np.float32(gain)
    return np.asarray(both / max(1.0, float(np.abs(both).max())), dtype=np.float32)


def muted(x: Audio, _: Rng, *, muted_ms: int, every_ms: int) -> Audio:
    """Put exact zeros in muted_ms of every every_ms."""
    at = np.arange(len(x)) % (every_ms * SAMPLE_RATE // 1000)
    return np.where(at < muted_ms * SAMPLE_RATE // 1000, np.float32(0.0), x)


def digits(x: Audio, rng: Rng) -> Audio:
    """Mix in DTMF digits (ITU-T Q.23) of 100 ms, 100 ms apart, as loud as the voice."""
    t = np.arange(len(x)) / SAMPLE_RATE
    place = (t / 0.2).astype(int)
    low = rng.choice([697, 770, 852, 941], place[-1] + 1)[place]
    high = rng.choice([1209, 1336, 1477, 1633], place[-1] + 1)[place]
    tones = (np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t)) * (t % 0.2 < 0.1)
    return _mixed(x, tones.astype(np.float32), 0.0)


@lru_cache(maxsize=PIECES)
def _piece(number: int, n: int) -> Audio:
    return music(np.random.default_rng(number), n)


def over_music(x: Audio, rng: Rng) -> Audio:
    """Mix in made-up music as loud as the voice."""
    return _mixed(x, _piece(int(rng.integers(PIECES)), len(x)), 0.0)


def chord(x: Audio, rng: Rng) -> Audio:
    """Mix in three sines that do not end, as loud as the voice."""
    t = np.arange(len(x)) / SAMPLE_RATE
    root = rng.uniform(150.0, 400.0)
    tones = sum(np.sin(2 * np.pi * root * ratio * t) for ratio in (1.0, 1.25, 1.5))
    return _mixed(x, np.asarray(tones, dtype=np.float32), 0.0)


def overdriven(x: Audio, _: Rng) -> Audio:
    """Amplify so far that a tenth of the samples are clipped."""
    return np.asarray(np.clip(x / np.quantile(np.abs(x), 0.9), -1.0, 1.0), dtype=np.float32)


def faint(x: Audio, _: Rng) -> Audio:
    """Attenuate to -58 dBFS, in 16 bit."""
    quiet = x * np.float32(10.0**-2.9 / _power(x) ** 0.5)
    return (np.round(quiet * 32768.0) / 32768.0).astype(np.float32)


def codecs(x: Audio, rng: Rng) -> Audio:
    """Code and decode with four codecs, one after the other."""
    for name in ("g711-mu", "gsm", "opus-narrow", "amr"):
        treat = find_channel(name)
        assert treat is not None
        x = treat(x, rng)
    return x


def stretched(x: Audio, _: Rng) -> Audio:
    """Return it a tenth faster at the same pitch (FFmpeg's atempo, a WSOLA), its beginning repeated at the end."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_abuffer(sample_rate=SAMPLE_RATE, format="flt", layout="mono"),
        graph.add("atempo", "1.1"),
        graph.add("abuffersink"),
    ).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x[None]), format="flt", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    graph.push(frame)
    graph.push(None)
    parts = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray()[0])
        except (av.error.EOFError, av.error.BlockingIOError):
            return np.resize(np.concatenate(parts), len(x)).astype(np.float32)


def reverberant(x: Audio, rng: Rng) -> Audio:
    """Return it in a hall: 0.8 s of decay, as loud as the direct sound (Moorer, 1979)."""
    t = np.arange(int(0.8 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / 0.8) * (t > 0.01)
    tail /= np.sqrt((tail**2).sum())
    tail[0] = 1.0
    y = signal.fftconvolve(x, tail)[: len(x)]
    return np.asarray(y * (_power(x) / _power(y.astype(np.float32))) ** 0.5, dtype=np.float32).clip(-1.0, 1.0)


DEGRADATIONS: Mapping[str, Degradation] = {
    "none": lambda x, _: x,
    "muted 30 of 60 ms": partial(muted, muted_ms=30, every_ms=60),
    "muted 10 of 25 ms": partial(muted, muted_ms=10, every_ms=25),
    "white noise 0 dB": lambda x, rng: _mixed(x, coloured(rng, len(x), 0.0), 0.0),
    "babble 0 dB": lambda x, rng: _mixed(x, babble(rng, len(x)), 0.0),
    "DTMF": digits,
    "music 0 dB": over_music,
    "chord": chord,
    "clipping": overdriven,
    "low level": faint,
    "packets lost 20 %": partial(lose_packets, repeat=False, share=0.2),
    "four codecs": codecs,
    "time stretch": stretched,
    "reverberation": reverberant,
}
"""By name; the first changes nothing."""
