"""Takes datagrams out of frames: link types, VLAN tags, MPLS, PPP, and the tunnels that port mirrors and carriers use.

PPPoE: RFC 2516. MPLS: RFC 3032, 4385.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.captures.gre import ETHERNET_IN_GRE, PPP_IN_GRE, inside_gre
from monitor.captures.ip_packets import CUT_SHORT, TCP, UDP, Datagram, IpReader, TcpSegment, tcp, udp
from monitor.captures.records import CapturedPacket, records
from monitor.captures.tunnels import VXLAN_PORT, inside, relayed
from monitor.captures.wlan import behind_prism, behind_radiotap, content_at

DEEPEST = 12
"""Layers of one frame that are looked into."""
IPV4, IPV6, VLANS = 0x0800, 0x86DD, frozenset({0x8100, 0x88A8, 0x9100, 0x9200, 0x9300})
LINK_NAMES = {107: "Frame Relay", 143: "DOCSIS", 147: "USER0", 187: "Bluetooth", 189: "USB"}
LINK_NAMES |= {195: "802.15.4", 201: "Bluetooth", 220: "USB", 252: "PDUs of Wireshark"}
_OTHER_ETHERTYPES = {0x0806: "ARP", 0x88CC: "LLDP", 0x8863: "PPPoE discovery", 0x88E5: "MACsec (encrypted)"}
_OTHER_PROTOCOLS = {1: "ICMP", 2: "IGMP", 50: "IPsec ESP (encrypted)", 58: "ICMPv6", 89: "OSPF", 132: "SCTP"}
_PPP = {0x0021: IPV4, 0x0057: IPV6}
_VXLAN = VXLAN_PORT.to_bytes(2)
_TAGS = {0x8926: 4, 0x8909: 6, 0xDADA: 6}
"""Ethertypes of tags beside VLAN, by the bytes to the next Ethertype: VN-Tag, Cisco MetaData, Marvell EDSA."""

Found = Datagram | TcpSegment


def packets(path: Path, counts: Counter[str]) -> Iterator[Found]:
    """Yield the UDP datagrams and TCP segments of a file in its order. counts: takes what else there is, by its name.

    Raises as records() does.
    """
    frames = Frames(counts)
    for record in records(path):
        found = frames.read(record)
        if found is not None:
            yield found
    frames.close()


class Frames:
    """Reads frames; remembers fragments. counts: packets that carry neither UDP nor TCP, tunnels, and what failed."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts, self._network = counts, IpReader(counts)
        self._at, self._depth = 0.0, 0

    def read(self, record: CapturedPacket) -> Found | None:
        """Return the datagram or segment in a frame, or None."""
        at, link, data = record
        if link == 1 and data[12:15] == b"\x08\x00\x45" and len(data) > 42 and not (data[20] & 0x3F or data[21]):
            # Nearly every packet of a capture of calls; the general way takes three times as long.
            total, length = data[16] << 8 | data[17], data[38] << 8 | data[39]
            if (
                data[23] == UDP
                and data[42] >= 0x80
                and data[36:38] != _VXLAN
                and 28 <= length + 20 == total <= len(data) - 14
            ):
                return Datagram(at, data[26:38], data[42 : 34 + length])
        self._at, self._depth = at, 0
        try:
            return self._link(link, data)
        except IndexError:
            self._counts["malformed packets"] += 1
            return None

    def close(self) -> None:
        """Count the datagrams that were never whole."""
        self._network.close()

    def _link(self, link: int, data: bytes) -> Found | None:
        reader = _LINKS.get(link)
        if reader is not None:
            return reader(self, data)
        name = LINK_NAMES.get(link)
        self._counts[f"packets of link type {link}{f' ({name})' if name else ''}, which is not read"] += 1
        return None

    def _ethernet(self, data: bytes) -> Found | None:
        return self._typed(int.from_bytes(data[12:14]), data, 14)

    def _typed(self, kind: int, data: bytes, at: int) -> Found | None:
        """Read what follows an Ethertype, at that place."""
        while kind in VLANS or kind in _TAGS:
            size = _TAGS.get(kind, 2)
            kind, at = int.from_bytes(data[at + size : at + size + 2]), at + size + 2
        if kind < 0x600:  # a length: IEEE 802.2, mostly spanning tree
            if data[at : at + 3] != b"\xaa\xaa\x03":
                self._counts["IEEE 802.2"] += 1
                return None
            kind, at = int.from_bytes(data[at + 6 : at + 8]), at + 8
        if kind in (IPV4, IPV6):
            return self._ip(data[at:])
        self._depth += 1
        if self._depth > DEEPEST:
            return None
        if kind == 0x8864:
            return self._pppoe(data[at:])
        if kind in (0x8847, 0x8848):
            self._counts["in MPLS"] += 1
            return self._mpls(data[at:])
        if kind == 0x88E7:
            self._counts["in a provider's backbone (802.1ah)"] += 1
            return self._ethernet(data[at + 4 :])
        self._counts[_OTHER_ETHERTYPES.get(kind, f"Ethertype 0x{kind:04x}")] += 1
        return None

    def _cooked(self, data: bytes) -> Found | None:
        return self._typed(int.from_bytes(data[14:16]), data, 16)

    def _cooked_2(self, data: bytes) -> Found | None:
        return self._typed(int.from_bytes(data[0:2]), data, 20)

    def _loopback(self, data: bytes) -> Found | None:
        return self._ip(data[4:])

    def _ppp(self, data: bytes) -> Found | None:
        at = 2 if data[:2] == b"\xff\x03" else 0
        kind, at = (data[at], at + 1) if data[at] & 1 else (int.from_bytes(data[at : at + 2]), at + 2)
        if kind in _PPP:
            return self._ip(data[at:])
        self._counts["other PPP"] += 1
        return None

    def _pppoe(self, data: bytes) -> Found | None:
        self._counts["in PPPoE"] += 1
        return self._ppp(data[6:])

    def _hdlc(self, data: bytes) -> Found | None:
        return self._typed(int.from_bytes(data[2:4]), data, 4)

    def _nflog(self, data: bytes) -> Found | None:
        """Read the attributes of Linux' packet log; number 9 is the packet. They are in the byte order of the host."""
        at, order = 4, "<HH" if 4 <= int.from_bytes(data[4:6], "little") <= len(data) else ">HH"
        while at + 4 <= len(data):
            length, kind = struct.unpack_from(order, data, at)
            if kind & 0x7FFF == 9:
                return self._ip(data[at + 4 : at + length])
            if length < 4:
                break
            at += length + 3 & ~3
        return None

    def _mpls(self, data: bytes) -> Found | None:
        at = 0
        while not data[at + 2] & 1:
            at += 4
        at += 4
        version = data[at] >> 4
        if version in (4, 6):
            return self._ip(data[at:])
        return self._ethernet(data[at + 4 if version == 0 else at :])

    def _ip(self, data: bytes) -> Found | None:
        self._depth += 1
        packet = self._network.packet(data) if self._depth <= DEEPEST else None
        if packet is None:
            return None
        if packet.protocol == UDP:
            return self._udp(udp(self._at, packet))
        if packet.protocol == TCP:
            return tcp(self._at, packet)
        if packet.protocol in (4, 41):
            self._counts["in IP in IP"] += 1
            return self._ip(packet.data)
        if packet.protocol == 47:
            return self._gre(packet.data)
        if packet.protocol in (97, 115):
            return self._ethernet_over_ip(packet.protocol, packet.data)
        self._counts[_OTHER_PROTOCOLS.get(packet.protocol, f"IP protocol {packet.protocol}")] += 1
        return None

    def _ethernet_over_ip(self, protocol: int, data: bytes) -> Found | None:
        """Read EtherIP (RFC 3378), or L2TP version 3 (RFC 3931), whose cookie nothing in a packet describes."""
        for at in (2,) if protocol == 97 else (4, 8, 12, 16):
            if data[at + 12 : at + 14] in (b"\x08\x00", b"\x86\xdd", b"\x81\x00"):
                self._counts["in EtherIP" if protocol == 97 else "in L2TP"] += 1
                return self._ethernet(data[at:])
        self._counts["other EtherIP" if protocol == 97 else "other L2TP"] += 1
        return None

    def _gre(self, data: bytes) -> Found | None:
        name, kind, at = inside_gre(data)
        self._counts[name] += 1
        if kind == PPP_IN_GRE:
            return self._ppp(data[at:])
        return self._ethernet(data[at:]) if kind == ETHERNET_IN_GRE else self._typed(kind, data, at)

    def _udp(self, datagram: Datagram | None) -> Found | None:
        if datagram is None:
            self._counts[CUT_SHORT] += 1
            return None
        if not datagram.data or (datagram.data[0] >= 0x80 and datagram.ends[-2:] != _VXLAN):
            return datagram
        tunnel = inside(datagram)
        if tunnel is None:
            if (rtp := relayed(datagram)) is not None:
                self._counts["in TURN"] += 1
            return rtp or datagram
        name, (link, at) = tunnel
        self._counts[f"in {name}"] += 1
        self._depth += 1
        return self._link(link, datagram.data[at:]) if self._depth <= DEEPEST else None

    def _wlan(self, data: bytes) -> Found | None:
        at = content_at(data)
        if isinstance(at, int):
            return self._typed(0, data, at)
        self._counts[at] += 1
        return None

    def _behind(self, size: int, link: int, data: bytes) -> Found | None:
        """Read what stands behind a header of that size, which names the link type itself."""
        if size < 8:
            self._counts["malformed packets"] += 1
            return None
        self._depth += 1
        return self._link(link, data[size:]) if self._depth <= DEEPEST else None


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


_LINKS: dict[int, Callable[[Frames, bytes], Found | None]] = {
    0: Frames._loopback,
    1: Frames._ethernet,
    9: Frames._ppp,
    11: lambda frames, data: frames._typed(0, data, 0),
    50: Frames._ppp,
    51: Frames._pppoe,
    104: Frames._hdlc,
    105: Frames._wlan,
    108: Frames._loopback,
    109: lambda frames, data: frames._ip(data[12:]),
    113: Frames._cooked,
    117: lambda frames, data: frames._ip(data[data[0] + 3 & ~3 :]),
    119: lambda frames, data: frames._wlan(behind_prism(data)),
    127: lambda frames, data: frames._wlan(behind_radiotap(data)),
    166: lambda frames, data: frames._ppp(data[2:]),
    204: lambda frames, data: frames._ppp(data[1:]),
    205: lambda frames, data: frames._hdlc(data[1:]),
    219: Frames._mpls,
    239: Frames._nflog,
    192: lambda frames, data: frames._behind(_little(data[2:4]), _little(data[4:8]), data),
    258: lambda frames, data: frames._behind(_little(data[:4]), _little(data[8:12]), data),
    276: Frames._cooked_2,
    **dict.fromkeys((12, 14, 101, 228, 229), Frames._ip),
}
