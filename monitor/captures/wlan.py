"""Frames of IEEE 802.11, as far as a capture needs them: where IEEE 802.2 begins in a data frame that is not encrypted.

Radiotap: radiotap.org. Prism and AVS: as Wireshark has them.
"""

from __future__ import annotations

_DATA, _NULL, _QOS = 0x08, 0x40, 0x80
_PROTECTED, _TWO_SYSTEMS, _ORDER = 0x40, 0x03, 0x80


def content_at(frame: bytes) -> int | str:
    """Return where IEEE 802.2 begins in a frame, or what the frame is instead. Raises IndexError for a short one."""
    kind, flags = frame[0], frame[1]
    if kind & 0x0F != _DATA or kind & _NULL:
        return "802.11 without data"
    if flags & _PROTECTED:
        return "802.11 (encrypted)"
    at = 24 + (6 if flags & _TWO_SYSTEMS == _TWO_SYSTEMS else 0)
    if kind & _QOS:
        at += 2 + (4 if flags & _ORDER else 0)
    return at


def behind_radiotap(data: bytes) -> bytes:
    """Return the frame behind a header of radiotap."""
    return data[int.from_bytes(data[2:4], "little") :]


def behind_prism(data: bytes) -> bytes:
    """Return the frame behind a header of Prism, or of AVS, which took its place."""
    is_avs = data[:2] == b"\x80\x21"
    return data[int.from_bytes(data[4:8], "big" if is_avs else "little") :]
