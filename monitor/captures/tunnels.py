"""Finds what UDP datagrams carry for somebody else: tunnels of port mirrors, carriers and VPNs.

VXLAN: RFC 7348, draft-ietf-nvo3-vxlan-gpe, draft-smith-vxlan-group-policy. GENEVE: RFC 8926. GTP-U: 3GPP TS 29.281.
TURN: RFC 8656. L2TP: RFC 2661. MPLS in UDP: RFC 7510. IP in UDP: RFC 4380, draft-ietf-intarea-gue. TZSP: as MikroTik
and Wireshark have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from monitor.captures.ip_packets import Datagram

ETHERNET, PPP, RAW_IP, WLAN, MPLS = 1, 9, 101, 105, 219
"""Link types, as files have them, of what is inside."""
VXLAN_PORT, VXLAN_GPE_PORT = 4789, 4790
_LINUX_VXLAN, _GENEVE, _TZSP, _GTP, _L2TP, _MPLS = 8472, 6081, 37008, 2152, 1701, 6635
_IN_ETHERNET = (b"\x08\x00", b"\x86\xdd", b"\x81\x00")
_GPE = {1: RAW_IP, 2: RAW_IP, 3: ETHERNET, 5: MPLS}


class Inside(NamedTuple):
    """The contents of a datagram: their link type, and where they begin."""

    link: int
    at: int


def inside(datagram: Datagram) -> tuple[str, Inside] | None:
    """Return the name of a tunnel, and what it holds; None for a datagram that is none."""
    ports = {int.from_bytes(datagram.ends[-4:-2]), int.from_bytes(datagram.ends[-2:])}
    for name, find in _TUNNELS:
        found = find(ports, datagram.data)
        if found is not None:
            return name, found
    return None


def relayed(datagram: Datagram) -> Datagram | None:
    """Return the RTP that a TURN server relays in channel data (RFC 8656, section 12.4)."""
    data = datagram.data
    if not 0x40 <= data[0] <= 0x4F or len(data) < 6 or not 0x80 <= data[4] <= 0xBF:
        return None
    end = 4 + int.from_bytes(data[2:4])
    if end > len(data) + datagram.missing:
        return None
    return Datagram(datagram.at, datagram.ends, data[4:end], max(0, end - len(data)))


def _vxlan(ports: set[int], data: bytes) -> Inside | None:
    """Detect VXLAN on any port: 8 bytes of which most are zero, then an Ethernet frame with IP in it."""
    if VXLAN_GPE_PORT in ports and data[0] & 0xCC == 0x0C and data[1:3] == b"\0\0" and len(data) > 8:
        return Inside(_GPE[data[3]], 8) if data[3] in _GPE else None
    if data[0] & 0x7B != 0x08 or len(data) < 8 + 34:
        return None
    if ports & {VXLAN_PORT, VXLAN_GPE_PORT, _LINUX_VXLAN}:
        return Inside(ETHERNET, 8)
    return Inside(ETHERNET, 8) if data[1:4] == b"\0\0\0" and data[7] == 0 and data[20:22] in _IN_ETHERNET else None


def _geneve(ports: set[int], data: bytes) -> Inside | None:
    if _GENEVE not in ports or data[0] >= 0x40:
        return None
    links = {b"\x65\x58": ETHERNET, b"\x08\x00": RAW_IP, b"\x86\xdd": RAW_IP}
    link = links.get(data[2:4])
    return None if link is None else Inside(link, 8 + 4 * (data[0] & 0x3F))


def _tzsp(ports: set[int], data: bytes) -> Inside | None:
    link = {b"\x00\x01": ETHERNET, b"\x00\x12": WLAN}.get(data[2:4])
    if _TZSP not in ports or data[0] != 1 or data[1] not in (0, 1) or link is None:
        return None
    at = 4
    while at < len(data) and data[at] != 1:
        at += 1 if data[at] == 0 else 2 + data[at + 1] if at + 1 < len(data) else len(data)
    return Inside(link, at + 1)


def _gtp(ports: set[int], data: bytes) -> Inside | None:
    if _GTP not in ports or data[0] >> 4 != 3 or data[1:2] != b"\xff":
        return None
    at = 12 if data[0] & 7 else 8
    following = data[11] if data[0] & 4 and len(data) > 11 else 0
    while following and at < len(data) and data[at]:
        size = 4 * data[at]
        following, at = data[at + size - 1] if at + size <= len(data) else 0, at + size
    return Inside(RAW_IP, at)


def _l2tp(ports: set[int], data: bytes) -> Inside | None:
    if _L2TP not in ports or data[0] & 0xB4 or len(data) < 12 or data[1] != 2:
        return None
    at = 6 + (2 if data[0] & 0x40 else 0) + (4 if data[0] & 0x08 else 0)
    at += 2 + int.from_bytes(data[at : at + 2]) if data[0] & 0x02 else 0
    return Inside(PPP, at)


def _mpls(ports: set[int], data: bytes) -> Inside | None:
    return Inside(MPLS, 0) if _MPLS in ports and len(data) > 24 else None


def _ip(_: set[int], data: bytes) -> Inside | None:
    """Detect an IP packet on any port: exactly as long as it says."""
    four = data[0] == 0x45 and len(data) >= 28 and int.from_bytes(data[2:4]) == len(data)
    six = data[0] >> 4 == 6 and len(data) >= 48 and int.from_bytes(data[4:6]) + 40 == len(data)
    return Inside(RAW_IP, 0) if four or six else None


_TUNNELS: tuple[tuple[str, Callable[[set[int], bytes], Inside | None]], ...] = (
    ("VXLAN", _vxlan),
    ("GENEVE", _geneve),
    ("TZSP", _tzsp),
    ("GTP-U", _gtp),
    ("L2TP", _l2tp),
    ("MPLS over UDP", _mpls),
    ("IP over UDP", _ip),
)
