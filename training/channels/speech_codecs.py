"""Speech and music coders in memory: G.711 by table, GSM by libsndfile, everything else by the encoders of PyAV.

Each takes float32 (n,) at the coder's own rate and returns float32 (n,), the coder's delay taken out.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]


def _mu_law_levels() -> NDArray[np.float64]:
    code = np.arange(128)
    size = ((2 * (code & 15) + 33) << (code >> 4)) - 33
    return np.sort(np.concatenate([-size, size])) / 8192.0


def _a_law_levels() -> NDArray[np.float64]:
    code = np.arange(128)
    segment, step = code >> 4, code & 15
    size = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return np.sort(np.concatenate([-size, size])) / 4096.0


LEVELS = {"mu": _mu_law_levels(), "a": _a_law_levels()}
"""The 256 output levels of the two laws of ITU-T G.711, full scale = 1."""


def g711(x: Audio, law: str) -> Audio:
    """Return each sample at the nearest level of ITU-T G.711; law: "mu" or "a"."""
    levels = LEVELS[law]
    return levels[np.searchsorted((levels[1:] + levels[:-1]) / 2.0, x)].astype(np.float32)


def gsm(x: Audio) -> Audio:
    """Code and decode GSM 06.10 full rate at 8 kHz."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.pad(x, (0, 320)), 8000, format="WAV", subtype="GSM610")
    file.seek(0)
    return _cut(soundfile.read(file, dtype="float32")[0], 0, len(x))


@dataclass(frozen=True)
class Coder:
    """An encoder of FFmpeg and how it is set. rate in Hz, bit_rate in bit/s, 0 = its own. decoder: "" = same name."""

    encoder: str
    rate: int
    bit_rate: int = 0
    decoder: str = ""
    format: str = "s16"
    frame: int = 0
    decoded_rate: int = 0
    options: tuple[tuple[str, str], ...] = ()


def transcode(x: Audio, coder: Coder) -> Audio:
    """Return x (n,) at coder.rate through encoder and decoder, time-aligned."""
    return _cut(_through(x, coder), _delay(coder), len(x))


def _cut(y: Audio, delay: int, n: int) -> Audio:
    y = y[delay:] if delay >= 0 else np.pad(y, (-delay, 0))
    return np.pad(y, (0, max(0, n - len(y))))[:n].astype(np.float32)


def has_encoder(name: str) -> bool:
    """Return whether FFmpeg was built with an encoder."""
    import av

    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


@lru_cache(maxsize=256)
def _delay(coder: Coder) -> int:
    """Return the samples by which a coder delays a gliding, voice-like tone."""
    t = np.arange(coder.rate) / coder.rate
    turns = 110.0 * t + 40.0 * t**2 + 2.0 * np.sin(6.0 * t)
    probe = sum(np.cos(2.0 * np.pi * k * turns + k**2) / k**0.5 for k in range(1, 18))
    x = (0.1 * probe * np.hanning(len(t))).astype(np.float32)
    y = _through(x, coder)
    size = 2 ** int(np.ceil(np.log2(len(x) + len(y))))
    match = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(x, size)))
    reach = coder.rate // 4
    lags = np.concatenate([np.arange(reach), np.arange(-reach, 0)])
    return int(lags[np.argmax(match[lags])])


def _through(x: Audio, coder: Coder) -> Audio:
    packets, extradata = _encode(x, coder)
    return _decode(packets, extradata, coder)


def _encode(x: Audio, coder: Coder) -> tuple[list[Any], bytes | None]:
    import av

    context: Any = av.CodecContext.create(coder.encoder, "w")
    context.sample_rate, context.layout, context.format = coder.rate, "mono", coder.format
    if coder.bit_rate:
        context.bit_rate = coder.bit_rate
    context.options = dict(coder.options)
    context.open()
    size = coder.frame or context.frame_size or 320
    padded = np.pad(x, (0, 6 * size + -len(x) % size))
    packets: list[Any] = []
    for start in range(0, len(padded), size):
        frame = _frame(padded[start : start + size], coder)
        frame.pts = start
        packets += context.encode(frame)
    return packets + context.encode(None), context.extradata


def _frame(x: Audio, coder: Coder) -> Any:
    import av

    whole = np.round(np.clip(x, -1.0, 1.0) * 32767.0).astype(np.int16)
    samples: Any = np.ascontiguousarray((x if coder.format == "fltp" else whole)[None])
    frame = av.AudioFrame.from_ndarray(samples, format=coder.format, layout="mono")
    frame.sample_rate = coder.rate
    return frame


def _decode(packets: list[Any], extradata: bytes | None, coder: Coder) -> Audio:
    import av
    import soxr

    context: Any = av.CodecContext.create(coder.decoder or coder.encoder, "r")
    context.sample_rate, context.layout = coder.decoded_rate or coder.rate, "mono"
    if extradata:
        context.extradata = extradata
    frames = [frame for packet in packets for frame in context.decode(packet)] + context.decode(None)
    parts = [frame.to_ndarray() for frame in frames]
    y = np.concatenate([p.mean(axis=0, dtype=np.float32) / (32768.0 if p.dtype == np.int16 else 1.0) for p in parts])
    rate = frames[0].sample_rate
    return y if rate == coder.rate else np.asarray(soxr.resample(y, rate, coder.rate), dtype=np.float32)
