"""Formats of audio as the vendors of WebSocket streams name them, and how they are decoded. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from monitor.audio import Audio
from monitor.rtp.payload import PayloadFormat
from monitor.taps.websocket.handler import UNSUPPORTED, BadMessageError

LITTLE = "L16LE"
"""16-bit samples, little-endian, as all of these vendors send them; L16 of RTP is big-endian."""
NAMES: Mapping[str, str] = {
    **dict.fromkeys(("x-mulaw", "mulaw", "pcmu", "ulaw", "g711u"), "PCMU"),
    **dict.fromkeys(("x-alaw", "alaw", "pcma", "g711a"), "PCMA"),
    **dict.fromkeys(("x-l16", "l16", "x-raw", "raw", "slin", "lpcm", "linear16", "pcm16", "pcm_s16le", "pcm"), LITTLE),
    "g722": "G722",
    "opus": "OPUS",
}
LOWEST_RATE, HIGHEST_RATE = 8000, 48_000


def read_format(encoding: str, rate: int | None, channels: int | None = 1) -> PayloadFormat:
    """Parse a format: a name such as audio/x-mulaw, raw/slin or PCMU, and a rate in Hz. Raises BadMessageError."""
    name = NAMES.get(encoding.lower().rpartition("/")[2].strip())
    rate = LOWEST_RATE if rate is None else rate
    if name is None:
        raise BadMessageError("an encoding that is not known: ask for mu-law, A-law or 16-bit PCM", UNSUPPORTED)
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise BadMessageError("a sample rate that is not between 8000 and 48 000 Hz", UNSUPPORTED)
    if channels not in (None, 1):
        raise BadMessageError("several channels in one track", UNSUPPORTED)
    # RFC 3551, section 4.5.2, and RFC 7587, section 4.1: these two have clocks of their own.
    return PayloadFormat(name, {"G722": 8000, "OPUS": 48_000}.get(name, rate))


def decode_little(payload: bytes, channels: int) -> Audio:
    """Return the samples (channels, n) of interleaved ones, 16-bit, little-endian. Raises BadMessageError."""
    if len(payload) % (2 * channels):
        raise BadMessageError("audio that ends within a sample", UNSUPPORTED)
    samples = np.frombuffer(payload, "<i2").astype(np.float32) / np.float32(32768)
    return np.ascontiguousarray(samples.reshape(-1, channels).T)


def as_rtp(form: PayloadFormat) -> PayloadFormat:
    """Return the format that RTP has for the same audio."""
    return PayloadFormat("L16", form.clock_rate) if form.encoding == LITTLE else form


def as_rtp_payload(form: PayloadFormat, payload: bytes) -> bytes:
    """Return the payload as RTP would carry it. A lone byte at the end is kept: the decoder refuses it."""
    if form.encoding != LITTLE:
        return payload
    whole = len(payload) & ~1
    return np.frombuffer(payload[:whole], "<u2").byteswap().tobytes() + payload[whole:]
