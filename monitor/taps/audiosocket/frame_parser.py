"""Frames of Asterisk's AudioSocket: type (1 byte), length of the payload (2 bytes, big-endian), payload.

docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket, and res/res_audiosocket.c for the types above 0x11.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

HEADER = struct.Struct("!BH")
HANGUP, UUID, DTMF, ERROR = 0x00, 0x01, 0x03, 0xFF
PLAIN = 0x10
RATES: Mapping[int, int] = {
    PLAIN: 8000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
"""Types that carry audio, 16-bit little-endian mono, and its rate in Hz."""
ERRORS: Mapping[int, str] = {1: "the calling party hung up", 2: "a frame could not be forwarded", 4: "out of memory"}
"""Codes that Asterisk itself sends."""


@dataclass(frozen=True, slots=True)
class AudioSocketFrame:
    """kind: type byte. payload: up to 65 535 bytes."""

    kind: int
    payload: bytes


class FrameParser:
    """Takes any bytes, in any pieces; holds no more than one unfinished frame."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Return the bytes of a frame whose rest has not come."""
        return len(self._held)

    def feed(self, data: bytes) -> list[AudioSocketFrame]:
        """Return the frames that are complete now."""
        self._held += data
        frames, at = [], 0
        while len(self._held) - at >= HEADER.size:
            kind, length = HEADER.unpack_from(self._held, at)
            end = at + HEADER.size + length
            if end > len(self._held):
                break
            frames.append(AudioSocketFrame(kind, bytes(self._held[at + HEADER.size : end])))
            at = end
        del self._held[:at]
        return frames


def pack(kind: int, payload: bytes = b"") -> bytes:
    """Return the frame on the wire."""
    return HEADER.pack(kind, len(payload)) + payload
