"""IP, UDP and TCP (RFC 791, 8200, 768, 9293): fragments put together, what was cut off counted."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from typing import NamedTuple

Endpoint = tuple[str, int]
"""Address and port."""

UDP, TCP = 17, 6
_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_FRAGMENT, _AUTHENTICATION = 44, 51
_SKIPPED = _EXTENSIONS | {_FRAGMENT, _AUTHENTICATION}
_MOST_OPEN = 1000
"""Datagrams whose fragments are waited for at once; beyond it the oldest is given up."""
_LARGEST = 65_535
CUT_SHORT = "UDP datagrams cut short by the capture's snap length"
"""Name of those of which nothing can be made."""


class Datagram(NamedTuple):
    """One UDP datagram. at: seconds since 1970. ends: addresses and ports in the order of the packet, 12 bytes or 36;
    see endpoints(). missing: bytes at its end that the capture does not hold.
    """

    at: float
    ends: bytes
    data: bytes
    missing: int = 0


class TcpSegment(NamedTuple):
    """One TCP segment. flags: the lower byte. missing: bytes of data that the capture does not hold."""

    at: float
    ends: bytes
    sequence: int
    flags: int
    data: bytes
    missing: int = 0


class IpPacket(NamedTuple):
    """The payload of an IP packet. addresses: source and target, 8 bytes or 32. missing: bytes cut off at its end."""

    protocol: int
    addresses: bytes
    data: bytes
    missing: int


def endpoints(ends: bytes) -> tuple[Endpoint, Endpoint]:
    """Return source and target of a datagram."""
    size = len(ends) // 2 - 2
    source, target = ends[:size], ends[size : 2 * size]
    ports = int.from_bytes(ends[-4:-2]), int.from_bytes(ends[-2:])
    return (str(ipaddress.ip_address(source)), ports[0]), (str(ipaddress.ip_address(target)), ports[1])


class IpReader:
    """Reads IP packets. counts: what could not be read, by the reason."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._open: OrderedDict[tuple[bytes, int, int], _Fragments] = OrderedDict()

    def packet(self, data: bytes) -> IpPacket | None:
        """Return the payload of a packet, once it is whole; None for a fragment that waits, and for what is no IP."""
        version = data[0] >> 4 if data else 0
        if version == 4 and len(data) >= 20:
            return self._four(data)
        if version == 6 and len(data) >= 40:
            return self._six(data)
        self._counts["malformed IP"] += 1
        return None

    def _four(self, data: bytes) -> IpPacket | None:
        header = 4 * (data[0] & 15)
        total = int.from_bytes(data[2:4]) or len(data)  # 0: the network card cuts it into packets later
        if header < 20 or total < header:
            self._counts["malformed IP"] += 1
            return None
        place, kind, missing = int.from_bytes(data[6:8]), data[9], max(0, total - max(len(data), header))
        if kind == _AUTHENTICATION and header + 8 <= len(data) and not place & 0x3FFF:
            kind, header = data[header], header + 4 * (data[header + 1] + 2)
        packet = IpPacket(kind, data[12:20], data[header:total], missing)
        if not place & 0x3FFF:
            return packet
        return self._fragment(packet, int.from_bytes(data[4:6]), 8 * (place & 0x1FFF), bool(place & 0x2000))

    def _six(self, data: bytes) -> IpPacket | None:
        total = int.from_bytes(data[4:6]) + 40
        if total == 40:
            total = len(data)
        packet: IpPacket | None = IpPacket(data[6], data[8:40], data[40:total], max(0, total - len(data)))
        while packet is not None and packet.protocol in _SKIPPED and len(packet.data) >= 8:
            packet = self._behind_header(packet)
        return packet

    def _behind_header(self, packet: IpPacket) -> IpPacket | None:
        """Return what stands behind an extension header of IPv6; None for a fragment that waits."""
        kind, data = packet.protocol, packet.data
        size = 8 if kind == _FRAGMENT else 4 * (data[1] + 2) if kind == _AUTHENTICATION else 8 * (data[1] + 1)
        behind = IpPacket(data[0], packet.addresses, data[size:], max(0, packet.missing - max(0, size - len(data))))
        place, name = int.from_bytes(data[2:4]), int.from_bytes(data[4:8])
        if kind != _FRAGMENT or not place & 0xFFF9:
            return behind
        return self._fragment(behind, name, place & 0xFFF8, bool(place & 1))

    def _fragment(self, packet: IpPacket, name: int, begin: int, more: bool) -> IpPacket | None:
        key = (packet.addresses, packet.protocol, name)
        parts = self._open.setdefault(key, _Fragments())
        whole = parts.add(begin, packet.data, packet.missing, more)
        if whole is not None:
            del self._open[key]
            return IpPacket(packet.protocol, packet.addresses, *whole)
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
            self._counts["IP datagrams with a fragment missing"] += 1
        return None

    def close(self) -> None:
        """Count what was never whole."""
        if self._open:
            self._counts["IP datagrams with a fragment missing"] += len(self._open)
        self._open.clear()


class _Fragments:
    """Pieces of one datagram, by where they begin."""

    def __init__(self) -> None:
        self._pieces: dict[int, tuple[bytes, int]] = {}
        self._total: int | None = None

    def add(self, begin: int, data: bytes, missing: int, more: bool) -> tuple[bytes, int] | None:
        """Return the data up to what was cut off, and the number of bytes behind it, once every fragment has come."""
        if begin + len(data) + missing > _LARGEST:
            return None
        self._pieces[begin] = data, missing
        if not more:
            self._total = begin + len(data) + missing
        if self._total is None:
            return None
        at, whole, cut = 0, bytearray(), None
        for start, (piece, lost) in sorted(self._pieces.items()):
            if start > at:
                return None
            if cut is None:
                whole[start:] = piece
                cut = len(whole) if lost else None
            at = max(at, start + len(piece) + lost)
        if at < self._total:
            return None
        return bytes(whole[: self._total]), self._total - len(whole) if cut is not None else 0


def udp(at: float, packet: IpPacket) -> Datagram | None:
    """Return the datagram in an IP packet; None where its header is not whole."""
    data = packet.data
    if len(data) < 8:
        return None
    there = len(data) + packet.missing
    announced = int.from_bytes(data[4:6])
    length = min(announced, there) if announced >= 8 else there
    body = data[8:length]
    return Datagram(at, packet.addresses + data[:4], body, length - 8 - len(body))


def tcp(at: float, packet: IpPacket) -> TcpSegment | None:
    """Return the segment in an IP packet; None where its header is not whole."""
    data = packet.data
    header = 4 * (data[12] >> 4) if len(data) >= 20 else 0
    if not 20 <= header <= len(data):
        return None
    ends = packet.addresses + data[:4]
    return TcpSegment(at, ends, int.from_bytes(data[4:8]), data[13], data[header:], packet.missing)
