"""Payloads that hold several frames of a codec, cut into them (RFC 3551, RFC 3952)."""

from __future__ import annotations

_G729, _G729_SID = 10, 2
_G723 = (24, 20, 4, 1)
"""Bytes by the two lowest bits of a frame: 6.3 kbit/s, 5.3 kbit/s, comfort noise, nothing."""
ILBC = {"20": 38, "30": 50}
"""Milliseconds to bytes of a frame."""


def g729_frames(payload: bytes) -> list[bytes] | None:
    """Return the frames of 10 ms (RFC 3551, section 4.5.6), the last one perhaps comfort noise, of 2 bytes; None for
    neither."""
    whole, rest = divmod(len(payload), _G729)
    if rest not in (0, _G729_SID):
        return None
    frames = [payload[i * _G729 : (i + 1) * _G729] for i in range(whole)]
    return [*frames, payload[-_G729_SID:]] if rest else frames


def g723_frames(payload: bytes) -> list[bytes] | None:
    """Return the frames of 30 ms (RFC 3551, section 4.5.3); None for what is cut off."""
    frames, at = [], 0
    while at < len(payload):
        size = _G723[payload[at] & 3]
        frames.append(payload[at : at + size])
        at += size
    return frames if at == len(payload) else None


def ilbc_frame_bytes(length: int, mode: str) -> int:
    """Return the bytes of a frame in a payload of that length: by its length, and where both fit, by the mode. 0 for
    neither."""
    fits = [size for size in ILBC.values() if length and length % size == 0]
    needed = ILBC.get(mode, ILBC["30"])
    return needed if needed in fits else fits[0] if fits else 0
