"""Decoders of payloads (RFC 3551, 3952, 4867, 5574, 7587): those of FFmpeg; G.711 by table, and linear samples."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from monitor.audio import Audio
from monitor.rtp.amr import amr_frames
from monitor.rtp.framing import g723_frames, g729_frames, ilbc_frame_bytes, speex_frames
from monitor.rtp.payload import G726, REDUNDANT, SILENT, PayloadError, PayloadFormat

if TYPE_CHECKING:
    from av import AudioCodecContext


_AMR_OPTIONS = ("crc", "robust-sorting", "interleaving")
"""Parameters that change what a payload of AMR looks like (RFC 4867, section 8.1)."""


class Decoder(Protocol):
    """Payloads of one stream, in their order."""

    def decode(self, payload: bytes) -> Audio:
        """Return the samples (n,), mono: several channels are averaged. Raises PayloadError."""
        ...


def open_decoder(form: PayloadFormat) -> Decoder:
    """Return the decoder of a format. Raises PayloadError for an encoding that is none of DECODERS."""
    if form.encoding not in DECODERS:
        raise PayloadError(f"no decoder for {form.encoding}; there are {', '.join(DECODERS)}")
    if reason := why_not(form):
        raise PayloadError(f"{form.encoding}: {reason}")
    return DECODERS[form.encoding](form)


def why_not(form: PayloadFormat) -> str:
    """Return why nothing is made of a format, not even a pause; "" where something is."""
    if form.encoding not in _UNDERSTOOD:
        return "there is no decoder"
    options = _AMR_OPTIONS if form.encoding in ("AMR", "AMR-WB") else ()
    return next((f"{name} is not decoded" for name in options if form.parameter(name) not in ("", "0")), "")


def is_supported(form: PayloadFormat) -> bool:
    """Return whether something is made of a format, be it a pause."""
    return not why_not(form)


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
    """G.711: a sample a byte, looked up; channels interleaved."""

    def __init__(self, table: Audio, channels: int = 1) -> None:
        self._table, self._channels = table, channels

    def decode(self, payload: bytes) -> Audio:
        """Return the samples (n,)."""
        samples: Audio = self._table[np.frombuffer(payload, np.uint8)]
        if self._channels == 1:
            return samples
        if len(samples) % self._channels:
            raise PayloadError(f"G.711 of {len(samples)} bytes for {self._channels} channels")
        return np.asarray(samples.reshape(-1, self._channels).mean(axis=1), np.float32)


class Linear:
    """L8, L16, L24: samples in network byte order, channels interleaved (RFC 3551, 4.5.10 and 4.5.11; RFC 3190)."""

    def __init__(self, width: int, channels: int) -> None:
        self._width, self._channels = width, channels

    def decode(self, payload: bytes) -> Audio:
        """Return the samples (n,)."""
        if len(payload) % (self._width * self._channels):
            raise PayloadError(f"L{8 * self._width} of {len(payload)} bytes for {self._channels} channel(s)")
        if self._width == 1:
            whole = np.frombuffer(payload, np.uint8).astype(np.float32) - 128
        elif self._width == 2:
            whole = np.frombuffer(payload, ">i2").astype(np.float32)
        else:
            padded = np.zeros((len(payload) // 3, 4), np.uint8)
            padded[:, :3] = np.frombuffer(payload, np.uint8).reshape(-1, 3)
            whole = (padded.view(">i4")[:, 0] >> 8).astype(np.float32)
        samples = whole.reshape(-1, self._channels).mean(axis=1) / (1 << 8 * self._width - 1)
        return np.asarray(samples, np.float32)


class Libav:
    """A codec of libavcodec, whose state goes on from payload to payload. Opus decodes to mono whatever was sent."""

    def __init__(self, codec: str, form: PayloadFormat, *, bit_rate: int = 0, extradata: bytes = b"") -> None:
        from av import CodecContext
        from av.codec.codec import UnknownCodecError

        try:
            self.codec = cast("AudioCodecContext", CodecContext.create(codec, "r"))
        except UnknownCodecError as error:
            raise PayloadError(f"{form.encoding}: this FFmpeg has no decoder {codec}") from error
        self.codec.sample_rate = form.sample_rate
        self.codec.layout = "mono"
        if bit_rate:
            self.codec.bit_rate = bit_rate
        if extradata:
            self.codec.extradata = extradata

    def decode(self, payload: bytes) -> Audio:
        """Return the samples (n,)."""
        from av import FFmpegError, Packet

        try:
            frames = [frame.to_ndarray() for frame in self.codec.decode(Packet(payload))] if payload else []
        except FFmpegError as error:
            raise PayloadError(str(error)) from error
        if not frames:
            return np.zeros(0, np.float32)
        samples = np.concatenate(frames, axis=1)[0]
        return np.asarray(samples / 32768 if samples.dtype == np.int16 else samples, np.float32)


class _G726(Libav):
    """G.726 at its four rates. libavcodec takes the bits of a sample from a file's header, so one is opened."""

    def __init__(self, form: PayloadFormat) -> None:
        import av

        codec = "g726" if form.encoding.startswith("AAL2-") else "g726le"
        options = {"code_size": str(G726[form.encoding]), "sample_rate": str(form.sample_rate)}
        self._file = av.open(BytesIO(bytes(256)), format=codec, options=options)
        self.codec = self._file.streams.audio[0].codec_context


class _Framed:
    """A codec whose payloads hold several frames. split: a payload to its frames, None for what it is not. speech:
    whether a frame is one that the codec decodes; any other is comfort noise, or nothing, of so many samples.
    """

    def __init__(
        self,
        codec: Decoder,
        split: Callable[[bytes], list[bytes] | None],
        samples: int,
        speech: Callable[[bytes], bool] = lambda _: True,
    ) -> None:
        self._codec, self._split, self._speech = codec, split, speech
        self._quiet = np.zeros(samples, np.float32)

    def decode(self, payload: bytes) -> Audio:
        """Return the samples (n,)."""
        frames = self._split(payload)
        if frames is None:
            raise PayloadError(f"{len(payload)} bytes are no whole frames")
        decoded = [self._codec.decode(frame) if self._speech(frame) else self._quiet for frame in frames]
        return np.concatenate([self._quiet[:0], *decoded])


def _equal(payload: bytes, size: int) -> list[bytes] | None:
    whole = size and len(payload) % size == 0
    return [payload[at : at + size] for at in range(0, len(payload), size)] if whole else None


class _Ilbc:
    """iLBC in frames of 20 or 30 ms, told by the size of the payloads, which may change."""

    def __init__(self, form: PayloadFormat) -> None:
        self._form, self._size = form, 0
        self._codec: Libav | None = None

    def decode(self, payload: bytes) -> Audio:
        """Return the samples (n,)."""
        size = ilbc_frame_bytes(len(payload), self._form.parameter("mode"))
        if not size:
            raise PayloadError(f"{len(payload)} bytes are no whole frames of iLBC")
        if size != self._size or self._codec is None:
            # libavcodec has no field for the mode here: it tells it by the bit rate.
            self._codec, self._size = Libav("ilbc", self._form, bit_rate=15_200 if size == 38 else 13_333), size
        return np.concatenate([self._codec.decode(frame) for frame in _equal(payload, size) or ()])


def _amr(form: PayloadFormat) -> Decoder:
    wide, aligned = form.encoding == "AMR-WB", form.parameter("octet-align") == "1"
    codec = Libav("libopencore_amrwb" if wide else "libopencore_amrnb", form)
    return _Framed(codec, lambda payload: amr_frames(payload, wide, aligned), 320 if wide else 160)


class _Speex:
    """Speex, of which a payload may hold several frames. libavcodec reads as many as the header of a file says."""

    def __init__(self, form: PayloadFormat) -> None:
        self._form, self._frames = form, 0
        self._codec: Libav | None = None

    def decode(self, payload: bytes) -> Audio:
        """Return the samples (n,)."""
        frames = speex_frames(payload)
        if not frames:
            raise PayloadError(f"{len(payload)} bytes are no whole frames of Speex")
        if frames != self._frames or self._codec is None:
            self._codec, self._frames = Libav("speex", self._form, extradata=self._header(frames)), frames
        return self._codec.decode(payload)

    def _header(self, frames: int) -> bytes:
        rate = self._form.clock_rate
        mode = {8000: 0, 16_000: 1, 32_000: 2}.get(rate, 0)
        fields = (1, 80, rate, mode, 4, 1, -1, 160 << mode, 0, frames, 0, 0, 0)
        return b"Speex   " + b"1.2".ljust(20, b"\0") + struct.pack("<13i", *fields)


DECODERS: Mapping[str, Callable[[PayloadFormat], Decoder]] = {
    "PCMU": lambda form: Companded(_mu_law(), form.channels),
    "PCMA": lambda form: Companded(_a_law(), form.channels),
    "G722": lambda form: Libav("g722", form),
    "L8": lambda form: Linear(1, form.channels),
    "L16": lambda form: Linear(2, form.channels),
    "L24": lambda form: Linear(3, form.channels),
    "OPUS": lambda form: Libav("libopus", form),
    "G729": lambda form: _Framed(Libav("g729", form), g729_frames, 80, lambda frame: len(frame) == 10),
    "GSM": lambda form: _Framed(Libav("gsm", form), lambda payload: _equal(payload, 33), 160),
    "G723": lambda form: _Framed(Libav("g723_1", form), g723_frames, 240, lambda frame: len(frame) >= 20),
    "ILBC": _Ilbc,
    "AMR": _amr,
    "AMR-WB": _amr,
    "SPEEX": _Speex,
    **dict.fromkeys(G726, _G726),
}
_UNDERSTOOD = frozenset({*DECODERS, *SILENT, REDUNDANT})
