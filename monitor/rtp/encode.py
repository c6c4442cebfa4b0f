"""Audio to payloads, the reverse of payload.py: for far ends that we play ourselves (RFC 3551, RFC 7587)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio
from monitor.rtp.codecs import open_decoder
from monitor.rtp.payload import PayloadError, PayloadFormat

if TYPE_CHECKING:
    from av import AudioCodecContext

LIBAV = {"G722": "g722", "OPUS": "libopus"}
"""Encoding to the encoder of libavcodec."""


def encode(form: PayloadFormat, samples: Audio, frame_ms: float) -> list[bytes]:
    """Return payloads of frame_ms each. samples: float32 (n,) at the format's sample rate, full scale 1.0; a rest that
    fills no frame is left out. Raises PayloadError for an encoding or a length that there is no encoder for.
    """
    size = round(form.sample_rate * frame_ms / 1000)
    whole = samples[: len(samples) // size * size]
    if form.encoding in LIBAV:
        return _libav(form, whole, size, frame_ms)
    if form.encoding == "L16":
        coded = np.repeat(integers(whole).astype(">i2"), form.channels).tobytes()
    elif form.encoding in ("PCMU", "PCMA"):
        coded = companded(form.encoding)(whole)
    else:
        raise PayloadError(f"no encoder for {form.encoding}")
    width = len(coded) // max(1, len(whole)) * size
    return [coded[at : at + width] for at in range(0, len(coded), max(1, width))]


def integers(samples: Audio) -> NDArray[np.int16]:
    """Convert to 16-bit samples, clipped."""
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


def companded(encoding: str) -> Callable[[Audio], bytes]:
    """Return an encoder of G.711: the code whose sample is nearest, by the decoder's own table."""
    values = open_decoder(PayloadFormat(encoding, 8000)).decode(bytes(range(256)))
    order = np.argsort(values, kind="stable").astype(np.uint8)
    middles = (values[order][1:] + values[order][:-1]) / 2
    return lambda samples: bytes(order[np.searchsorted(middles, samples)])


def _libav(form: PayloadFormat, samples: Audio, size: int, frame_ms: float) -> list[bytes]:
    from av import AudioFrame, CodecContext, FFmpegError

    codec = cast("AudioCodecContext", CodecContext.create(LIBAV[form.encoding], "w"))
    codec.sample_rate, codec.layout, codec.format = form.sample_rate, "mono", "s16"
    codec.time_base = Fraction(1, form.sample_rate)
    if form.encoding == "OPUS":
        codec.options = {"frame_duration": f"{frame_ms:g}", "application": "voip"}
    out: list[bytes] = []
    try:
        for at in range(0, len(samples), size):
            frame = AudioFrame.from_ndarray(integers(samples[at : at + size])[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = form.sample_rate, at
            out += [bytes(packet) for packet in codec.encode(frame)]
    except FFmpegError as error:
        raise PayloadError(f"{form.encoding} of {frame_ms:g} ms: {error}") from error
    return out
