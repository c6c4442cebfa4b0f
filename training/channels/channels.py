"""The effects of a telephone, a call over the internet or a file on speech: band limits, codecs, lost packets.

Every channel takes float32 (n,) at 16 kHz, full scale = 1, and a numpy generator for its settings; it returns
float32 (n,), time-aligned with the input.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import signal

from model.config import SAMPLE_RATE
from training.channels import speech_codecs
from training.channels.acoustics import clipped, levels, loudspeaker, resampled
from training.channels.nonspeech import babble
from training.channels.speech_codecs import Audio, Coder

Channel = Callable[[Audio, np.random.Generator], Audio]
Rng = np.random.Generator

NARROW = 8000
"""Hz. The sample rate of the telephone."""

PACKET = 320
"""Samples of the packets that get lost: 20 ms."""


def _at_rate(x: Audio, rate: int, treat: Callable[[Audio], Audio]) -> Audio:
    """treat(x) at another sample rate; soxr's filters have linear phase and no delay."""
    if rate == SAMPLE_RATE:
        return treat(x)
    y = soxr.resample(treat(soxr.resample(x, SAMPLE_RATE, rate)), rate, SAMPLE_RATE)
    return np.pad(y, (0, max(0, len(x) - len(y))))[: len(x)].astype(np.float32)


def narrow(x: Audio, rng: Rng) -> Audio:
    """Resample to 8 kHz and back: nothing above 4 kHz is left."""
    del rng
    return _at_rate(x, NARROW, lambda y: y)


@lru_cache(maxsize=8)
def _band(low: float, high: float) -> NDArray[np.float64]:
    return np.asarray(signal.firwin(513, [low, high], pass_zero=False, fs=SAMPLE_RATE))


def band(x: Audio, rng: Rng, *, low: float, high: float) -> Audio:
    """Filter to low to high Hz: linear phase, 513 taps."""
    del rng
    return np.asarray(signal.fftconvolve(x, _band(low, high))[256 : 256 + len(x)], dtype=np.float32)


def g711(x: Audio, rng: Rng, *, law: str) -> Audio:
    """Apply the telephone network: 8 kHz, 8 bit (ITU-T G.711); one time in two 300 to 3400 Hz before it."""
    limited = band(x, rng, low=300.0, high=3400.0) if rng.random() < 0.5 else x
    return _at_rate(limited, NARROW, lambda y: speech_codecs.g711(y, law))


def gsm(x: Audio, rng: Rng) -> Audio:
    """Code and decode GSM full rate (ETSI GSM 06.10), 13 kbit/s at 8 kHz."""
    del rng
    return _at_rate(x, NARROW, speech_codecs.gsm)


def coded(x: Audio, rng: Rng, *, coders: tuple[Coder, ...]) -> Audio:
    """Code and decode with one of the coders, drawn by rng."""
    coder = coders[int(rng.integers(len(coders)))]
    return _at_rate(x, coder.rate, partial(speech_codecs.transcode, coder=coder))


def lose_packets(x: Audio, rng: Rng, *, repeat: bool, share: float = 0.0) -> Audio:
    """Lose 20 ms packets in bursts (Gilbert, 1960); silence in their place, or the last one, fading.

    share of the packets; 0 = drawn between 1 and 10 %.
    """
    count = -(-len(x) // PACKET)
    rate, burst = share or rng.uniform(0.01, 0.1), rng.uniform(1.0, 3.0)
    draws, lost = rng.random(count), np.zeros(count, dtype=bool)
    for i in range(count):
        lost[i] = draws[i] < (1.0 - 1.0 / burst if i and lost[i - 1] else rate / burst)
    packets = np.pad(x, (0, count * PACKET - len(x))).reshape(count, PACKET).copy()
    for i in np.flatnonzero(lost).tolist():
        packets[i] = 0.7 * packets[i - 1] if repeat and i else 0.0
    return packets.reshape(-1)[: len(x)].astype(np.float32)


def lossy(x: Audio, rng: Rng, *, before: Channel, share: float) -> Audio:
    """Apply a channel, then lose a share of the packets, concealed by the last one, fading."""
    return lose_packets(before(x, rng), rng, repeat=True, share=share)


def noisy(x: Audio, rng: Rng, *, snr_db: float) -> Audio:
    """Mix in many talkers, snr_db below the speech; levels are means over the louder half of the time."""
    noise = babble(rng, len(x))
    gain = _loud_power(x) / max(_loud_power(noise), 1e-12) * 10.0 ** (-snr_db / 10.0)
    return np.clip(x + noise * np.float32(gain**0.5), -1.0, 1.0).astype(np.float32)


def _loud_power(x: Audio) -> float:
    """Return the mean power of the louder half of the 20 ms packets."""
    power = np.square(x[: len(x) // PACKET * PACKET].reshape(-1, PACKET)).mean(1)
    return float(np.sort(power)[len(power) // 2 :].mean()) if len(power) else 0.0


def _opus(rate: int, *bit_rates: int) -> tuple[Coder, ...]:
    settings = (("application", "voip"), ("frame_duration", "20"))
    return tuple(Coder("libopus", rate, b, frame=rate // 50, decoded_rate=48_000, options=settings) for b in bit_rates)


AMR = (4750, 5900, 7400, 10200, 12200)
CODERS: dict[str, tuple[Coder, ...]] = {
    "g722": (Coder("g722", 16_000, 64_000),),
    "g723.1": (Coder("g723_1", 8000, 6300),),
    "amr": tuple(Coder("libopencore_amrnb", 8000, b) for b in AMR),
    "opus-narrow": _opus(8000, 6000, 8000, 12_000, 16_000),
    "opus-wide": _opus(16_000, 12_000, 16_000, 20_000, 24_000, 32_000),
    "mp3": tuple(Coder("libmp3lame", 16_000, b, "mp3", "s16p") for b in (16_000, 24_000, 32_000, 48_000)),
    "aac": tuple(Coder("aac", 16_000, b, format="fltp") for b in (16_000, 24_000, 32_000, 48_000)),
}

CHANNELS: dict[str, Channel] = {
    "narrow": narrow,
    "band-300-3400": partial(band, low=300.0, high=3400.0),
    "band-200-3400": partial(band, low=200.0, high=3400.0),
    "g711-mu": partial(g711, law="mu"),
    "g711-a": partial(g711, law="a"),
    "gsm": gsm,
    **{name: partial(coded, coders=coders) for name, coders in CODERS.items()},
    "loudspeaker": loudspeaker,
    "resampled": resampled,
    "clipped": clipped,
    "levels": levels,
    "loss-silence": partial(lose_packets, repeat=False),
    "loss-repeat": partial(lose_packets, repeat=True),
}
"""Channels by name: f(x, rng) -> y. Training draws from those that lose no packets."""

CLEAN = "clean"
"""The channel that changes nothing."""

EXTRA: dict[str, Channel] = {CLEAN: lambda x, _: x, "opus-16k": partial(coded, coders=_opus(16_000, 16_000))}
"""Channels for measuring alone."""

PATTERNS = "CHANNEL-loss-PERCENT, such as gsm-loss-5, and babble-DB, such as babble-10"
"""Families of channels, for people."""


def find_channel(name: str) -> Channel | None:
    """Return a channel of the tables, CHANNEL-loss-PERCENT (0 < PERCENT < 100) or babble-DB (signal to noise); else
    None."""
    if found := (CHANNELS | EXTRA).get(name):
        return found
    if match := re.fullmatch(r"babble-(-?\d{1,2})", name):
        return partial(noisy, snr_db=float(match[1]))
    match = re.fullmatch(r"(.+)-loss-(\d{1,2})", name)
    before = find_channel(match[1]) if match and int(match[2]) else None
    return partial(lossy, before=before, share=int(match[2]) / 100.0) if match and before else None


WEIGHTS = {
    "g711-mu": 3.0,
    "g711-a": 2.0,
    "opus-wide": 3.0,
    "amr": 3.5,
    "gsm": 2.0,
    "opus-narrow": 1.5,
    "g722": 1.5,
    "g723.1": 0.5,
}
"""How often random_channel draws a codec or band limit, relative to those not named."""


def random_channel(x: Audio, rng: Rng) -> Audio:
    """Apply one channel, in a third of all cases two; sometimes packets are lost. The input level varies by 20 dB."""
    names = [name for name in CHANNELS if "loss" not in name]
    p = np.array([WEIGHTS.get(name, 1.0) for name in names])
    gain = float(10.0 ** (rng.uniform(-20.0, 0.0) / 20.0))
    y = (x * gain).astype(np.float32)
    for name in rng.choice(names, size=1 + int(rng.random() < 0.33), p=p / p.sum()):
        y = CHANNELS[str(name)](y, rng)
    if rng.random() < 0.3:
        y = lose_packets(y, rng, repeat=bool(rng.random() < 0.7))
    return np.asarray(np.clip(y / gain, -1.0, 1.0), dtype=np.float32)
