"""Audio as real encoders made it, and how alike the decoded audio is."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np
import pytest
from av import AudioFrame, CodecContext
from rtp_senders import voice

from monitor.audio import Audio
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import PayloadFormat
from monitor.rtp.rtp_stream import RtpStream

SECONDS = 2.0


def encoded(
    codec: str, rate: int, frame: int, options: Mapping[str, str] | None = None, channels: int = 1
) -> list[bytes]:
    """The voice through an encoder of FFmpeg, a packet for each frame."""
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no encoder {codec}")
    context = CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = rate, "mono" if channels == 1 else "stereo", "s16"
    context.time_base, context.options = Fraction(1, rate), dict(options or {})
    whole = (voice(rate, SECONDS) * 32767).astype(np.int16)
    out: list[bytes] = []
    for i in range(0, len(whole) - frame + 1, frame):
        piece = np.repeat(whole[i : i + frame], channels)[None]
        made = AudioFrame.from_ndarray(piece, format="s16", layout=context.layout.name)
        made.sample_rate, made.pts = rate, i
        out += [bytes(p) for p in context.encode(made)]
    return out + [bytes(p) for p in context.encode(None)]


def heard(packets: list[RtpPacket], formats: Mapping[int, PayloadFormat]) -> tuple[Audio, RtpStream]:
    stream = RtpStream(formats)
    sounds = [stream.push(p, p.sequence * 0.02) for p in packets] + [stream.finish()]
    lost = [np.where(s.lost, np.float32(np.nan), s.samples) for s in sounds]
    return np.concatenate(lost), stream
