"""AMR and AMR-WB payloads to frames as files hold them (RFC 4867, sections 4.3, 4.4 and 5)."""

from __future__ import annotations

_AMR_BITS = (95, 103, 118, 134, 148, 159, 204, 244, 39)
_AMR_WB_BITS = (132, 177, 253, 285, 317, 365, 397, 461, 477, 40)
"""Bits of a frame by its type; the last one is comfort noise. All further types but 14 and 15 are for other systems."""
_LOST, _NOTHING = 14, 15
_MOST_FRAMES = 60


def amr_frames(payload: bytes, wide: bool, octet_aligned: bool) -> list[bytes] | None:
    """Return the frames of 20 ms, each with the byte before it that files have; None for what the payload is not.

    Where it does not add up as announced, the other way is tried: many senders and descriptions disagree.
    """
    bits = _AMR_WB_BITS if wide else _AMR_BITS
    readers = (_aligned, _packed) if octet_aligned else (_packed, _aligned)
    for reader in readers:
        frames = reader(payload, bits)
        if frames is not None:
            return frames
    return None


def _size(kind: int, bits: tuple[int, ...]) -> int | None:
    return bits[kind] if kind < len(bits) else 0 if kind in (_LOST, _NOTHING) else None


def _aligned(payload: bytes, bits: tuple[int, ...]) -> list[bytes] | None:
    """Split a payload in which every field begins a byte: mode request, table of contents, frames."""
    at, heads = 1, list[int]()
    while at < len(payload) and len(heads) < _MOST_FRAMES:
        heads.append(payload[at] & 0x7C)
        at += 1
        if not payload[at - 1] & 0x80:
            break
    else:
        return None
    if payload[0] & 0x0F:
        return None
    frames = []
    for head in heads:
        size = _size(head >> 3, bits)
        if size is None:
            return None
        frames.append(bytes([head]) + payload[at : at + (size + 7) // 8])
        at += (size + 7) // 8
    return frames if at == len(payload) else None


def _packed(payload: bytes, bits: tuple[int, ...]) -> list[bytes] | None:
    """Bandwidth-efficient, padded at the very end alone: 4 bits of mode request, 6 for each frame, then the frames."""
    whole, left = int.from_bytes(payload), 8 * len(payload) - 4
    heads = list[int]()
    while left >= 6 and len(heads) < _MOST_FRAMES:
        left -= 6
        entry = whole >> left & 0x3F
        heads.append(entry & 0x1F)
        if not entry & 0x20:
            break
    else:
        return None
    frames = []
    for head in heads:
        size = _size(head >> 1, bits)
        if size is None or size > left:
            return None
        left -= size
        padding = -size % 8
        frame = (whole >> left & (1 << size) - 1) << padding
        frames.append(bytes([head << 2]) + frame.to_bytes((size + 7) // 8))
    return frames if left < 8 else None
