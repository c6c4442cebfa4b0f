"""Senders of RTP: a voice through real encoders, packet by packet."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import cast

import numpy as np
from av import AudioCodecContext, AudioFrame, CodecContext

from model.resample import resample_all
from monitor.audio import Audio
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import STATIC, USUAL, PayloadFormat

OPUS = PayloadFormat("OPUS", 48_000, 2)
FORMATS = {**STATIC, **USUAL, 96: OPUS, 97: PayloadFormat("L16", 16_000)}


def voice(rate: int, seconds: float = 2.0) -> Audio:
    """A buzz whose pitch and loudness move, below 3.4 kHz."""
    t = np.arange(int(rate * seconds)) / rate
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 1.3 * t)) / rate
    buzz = sum(np.sin(k * phase) / k for k in range(1, 18))
    return (0.2 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 2.7 * t))).astype(np.float32)


def payloads(encoder: str, samples: Audio, rate: int, frame: int) -> list[bytes]:
    codec = cast("AudioCodecContext", CodecContext.create(encoder, "w"))
    codec.sample_rate, codec.layout, codec.format = rate, "mono", "s16"
    codec.time_base = Fraction(1, rate)
    out: list[bytes] = []
    whole = (samples * 32767).astype(np.int16)
    for i in range(0, len(whole) - frame + 1, frame):
        piece = AudioFrame.from_ndarray(whole[None, i : i + frame], format="s16", layout="mono")
        piece.sample_rate, piece.pts = rate, i
        out += [bytes(p) for p in codec.encode(piece)]
    return out


def packets(kind: int, bodies: Iterable[bytes], ticks: int) -> list[RtpPacket]:
    return [
        RtpPacket(kind, False, 65_500 + i & 0xFFFF, 2**32 - 5000 + i * ticks & 0xFFFF_FFFF, 1, b)
        for i, b in enumerate(bodies)
    ]


def sent(kind: int, encoder: str, seconds: float = 2.0) -> tuple[Audio, list[RtpPacket]]:
    """What was spoken, at 16 kHz, and its packets of 20 ms."""
    form = FORMATS[kind]
    samples = voice(form.sample_rate, seconds)
    bodies = payloads(encoder, samples, form.sample_rate, form.sample_rate // 50)
    return resample_all(samples, form.sample_rate), packets(kind, bodies, form.clock_rate // 50)
