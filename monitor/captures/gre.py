"""Finds what GRE carries. GRE: RFC 2784, 2890, 2637. ERSPAN: draft-foschiano-erspan."""

from __future__ import annotations

ETHERNET_IN_GRE, PPP_IN_GRE = 0x6558, 0x880B
_ERSPAN, _ERSPAN_3, _MIKROTIK = 0x88BE, 0x22EB, 0x6400
_IP = 0x0800


def inside_gre(data: bytes) -> tuple[str, int, int]:
    """Return what to count it as, the Ethertype of what is inside, and where that begins. Raises IndexError."""
    flags, kind = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
    at = 4 + (4 if flags & 0xC000 else 0) + (4 if flags & 0x2000 else 0) + (4 if flags & 0x1000 else 0)
    at += 4 if flags & 0x0087 == 0x0081 else 0  # version 1: an acknowledgement
    if kind == _ERSPAN:
        return "in ERSPAN", ETHERNET_IN_GRE, at + 8 if flags & 0x1000 else at
    if kind == _ERSPAN_3:
        holds_ip = data[at + 10] >> 2 & 31 == 2
        return "in ERSPAN", _IP if holds_ip else ETHERNET_IN_GRE, at + (20 if data[at + 11] & 1 else 12)
    if kind == _MIKROTIK:  # Ethernet over IP: the length and the key stand where others have a key
        return "in GRE", ETHERNET_IN_GRE, 8
    return "in GRE", kind, at
