"""What is in the payloads: formats by payload type, and decoders to samples (RFC 3551, RFC 7587)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from monitor.audio import Audio

if TYPE_CHECKING:
    from av import AudioCodecContext

COMFORT_NOISE = "CN"
EVENTS = "TELEPHONE-EVENT"
SILENT = frozenset({COMFORT_NOISE, EVENTS})
"""Encodings that carry no audio: their packets are in sequence, and a pause is where they stand."""


class PayloadError(ValueError):
    """A payload that its decoder refuses; the text says why."""


@dataclass(frozen=True, slots=True)
class Format:
    """Encoding, in capitals, as SDP names it. clock_rate: Hz, of the timestamps. sample_rate: Hz, of the audio."""

    encoding: str
    clock_rate: int
    channels: int = 1

    @property
    def sample_rate(self) -> int:
        # RFC 3551, section 4.5.2: the clock of G.722 says 8000 by an old mistake that everybody keeps.
        return 16_000 if self.encoding == "G722" else self.clock_rate


STATIC: Mapping[int, Format] = {
    0: Format("PCMU", 8000),
    8: Format("PCMA", 8000),
    9: Format("G722", 8000),
    10: Format("L16", 44_100, 2),
    11: Format("L16", 44_100),
    13: Format(COMFORT_NOISE, 8000),
    19: Format(COMFORT_NOISE, 8000),
}
"""Payload types that need no description (RFC 3551, table 4); 19 is what old senders use for comfort noise."""
USUAL: Mapping[int, Format] = {101: Format(EVENTS, 8000)}
"""Dynamic payload types that mean the same nearly everywhere; a description overrules them."""


def duration_s(form: Format, payload: bytes) -> float:
    """How long the audio of a payload is, seconds, told without decoding it; 0.0 where it holds none."""
    if form.encoding == "OPUS":
        return _opus_s(payload)
    if form.encoding == "L16":
        return len(payload) / (2 * form.channels * form.clock_rate)
    return 0.0 if form.encoding in SILENT else len(payload) / form.clock_rate


def _opus_s(payload: bytes) -> float:
    """By the first bytes of an Opus packet (RFC 6716, section 3.1)."""
    if not payload:
        return 0.0
    config, code = payload[0] >> 3, payload[0] & 3
    frame_ms = (10, 20, 40, 60)[config % 4] if config < 12 else (10, 20)[config % 2] if config < 16 else 0.0
    frames = (1, 2, 2, payload[1] & 0x3F if len(payload) > 1 else 0)[code]
    return frames * (frame_ms or (2.5, 5, 10, 20)[config % 4]) / 1000


class Decoder(Protocol):
    """Payloads of one stream, in their order."""

    def decode(self, payload: bytes) -> Audio:
        """Samples (n,), mono: several channels are averaged. Raises PayloadError."""
        ...


def open_decoder(form: Format) -> Decoder:
    """The decoder of a format. Raises PayloadError for an encoding that is none of DECODERS."""
    if form.encoding not in DECODERS:
        raise PayloadError(f"no decoder for {form.encoding}; there are {', '.join(DECODERS)}")
    return DECODERS[form.encoding](form)


def _mu_law() -> Audio:
    """ITU-T G.711, table 2: 256 samples, full scale = 32768."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = ((2 * mantissa + 33) << exponent) - 33
    return (np.where(code & 0x80, -magnitude, magnitude) * 4 / 32768).astype(np.float32)


def _a_law() -> Audio:
    """ITU-T G.711, table 1."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = np.where(exponent, (2 * mantissa + 33) << np.maximum(exponent - 1, 0), 2 * mantissa + 1)
    return (np.where(code & 0x80, magnitude, -magnitude) * 8 / 32768).astype(np.float32)


class Companded:
    """G.711: a sample a byte, looked up."""

    def __init__(self, table: Audio) -> None:
        self._table = table

    def decode(self, payload: bytes) -> Audio:
        """Samples (n,)."""
        samples: Audio = self._table[np.frombuffer(payload, np.uint8)]
        return samples


class Linear:
    """L16: 16-bit samples in network byte order, channels interleaved (RFC 3551, section 4.5.11)."""

    def __init__(self, channels: int) -> None:
        self._channels = channels

    def decode(self, payload: bytes) -> Audio:
        """Samples (n,)."""
        if len(payload) % (2 * self._channels):
            raise PayloadError(f"L16 of {len(payload)} bytes for {self._channels} channel(s)")
        samples = np.frombuffer(payload, ">i2").reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
        return np.asarray(samples / 32768, np.float32)


class Libav:
    """A codec of libavcodec, whose state goes on from payload to payload. Opus decodes to mono whatever was sent."""

    def __init__(self, codec: str, form: Format) -> None:
        from av import CodecContext

        self._codec = cast("AudioCodecContext", CodecContext.create(codec, "r"))
        self._codec.sample_rate = form.sample_rate
        self._codec.layout = "mono"

    def decode(self, payload: bytes) -> Audio:
        """Samples (n,)."""
        from av import FFmpegError, Packet

        try:
            frames = [frame.to_ndarray() for frame in self._codec.decode(Packet(payload))] if payload else []
        except FFmpegError as error:
            raise PayloadError(str(error)) from error
        if not frames:
            return np.zeros(0, np.float32)
        return np.asarray(np.concatenate(frames, axis=1)[0] / 32768, np.float32)


DECODERS: Mapping[str, Callable[[Format], Decoder]] = {
    "PCMU": lambda _: Companded(_mu_law()),
    "PCMA": lambda _: Companded(_a_law()),
    "G722": lambda form: Libav("g722", form),
    "L16": lambda form: Linear(form.channels),
    "OPUS": lambda form: Libav("libopus", form),
}
