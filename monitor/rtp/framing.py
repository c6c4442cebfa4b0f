"""Payloads that hold several frames of a codec, cut into them or counted (RFC 3551, RFC 3952, RFC 5574)."""

from __future__ import annotations

_G729, _G729_SID = 10, 2
_G723 = (24, 20, 4, 1)
"""Bytes by the two lowest bits of a frame: 6.3 kbit/s, 5.3 kbit/s, comfort noise, nothing."""
ILBC = {"20": 38, "30": 50}
"""Milliseconds to bytes of a frame."""
_SPEEX, _SPEEX_HIGH = (5, 43, 119, 160, 220, 300, 364, 492, 79), (4, 36, 112, 192, 352)
"""Bits of a frame of Speex, and of each higher band that follows it, by their modes (The Speex Codec Manual, tables 9.1
and 10.1)."""
_SPEEX_REQUESTS = (1, 1, 4, 4, 4, 4, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64)
"""Bits of a request inside the stream, by its code (section 5.5 there)."""


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


def speex_frames(payload: bytes) -> int:
    """Return the number of frames of 20 ms, which begin at any bit (RFC 5574, section 3.2); 0 for what is no Speex."""
    bits, left, count = int.from_bytes(payload), 8 * len(payload), 0
    while left >= 5:
        head = bits >> left - 5 & 31
        mode = head >> 1 & 7 if head >= 16 else head
        if head == 15:  # the end, of which the last byte may have a part
            break
        sizes = _SPEEX_HIGH if head >= 16 else _SPEEX
        if head in (13, 14):
            code = bits >> left - 9 & 15 if left >= 9 else 0
            size = 9 + (_SPEEX_REQUESTS[code] if head == 14 else 5 + 8 * code)
        elif mode >= len(sizes):
            return 0
        else:
            size = sizes[mode]
            count += head < 16
        if size > left:
            return 0
        left -= size
    return count
