"""Frames and capture files made on the spot, byte by byte: every link type, tunnel and file form that is read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from captured import BEGUN, End, network

Frame = tuple[float, int, bytes]
"""Seconds since BEGUN, link type, bytes."""
MAC = bytes.fromhex("020000000001020000000002")


def ethertype(ip: bytes) -> bytes:
    return b"\x86\xdd" if ip[0] >> 4 == 6 else b"\x08\x00"


def ethernet(ip: bytes, kind: bytes = b"") -> bytes:
    return MAC + (kind or ethertype(ip)) + ip


def ip4(protocol: int, body: bytes, *, name: int = 0, place: int = 0) -> bytes:
    """An IPv4 packet between two routers."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), name, place, 64, protocol, 0, *ROUTERS)
    return head + body


ROUTERS = bytes([203, 0, 113, 1]), bytes([203, 0, 113, 2])


def gre(kind: int, body: bytes, flags: int = 0, fields: bytes = b"") -> bytes:
    return ip4(47, struct.pack("!HH", flags, kind) + fields + body)


def outer_udp(port: int, body: bytes) -> bytes:
    return ip4(17, struct.pack("!HHHH", 50_000, port, 8 + len(body), 0) + body)


def gtp(ip: bytes) -> bytes:
    extended = struct.pack("!BBHIHBB", 0x34, 0xFF, 8 + len(ip), 7, 0, 0, 0x85) + b"\x01\x00\x09\x00"
    return outer_udp(2152, extended + ip)


def sll2(ip: bytes) -> bytes:
    return ethertype(ip) + struct.pack("!HIHBB8s", 0, 2, 1, 0, 6, MAC[:6] + b"\0\0") + ip


def cooked(ip: bytes, tag: bytes = b"") -> bytes:
    kind = b"\x81\x00" + tag + ethertype(ip) if tag else ethertype(ip)
    return struct.pack("!HHH8s", 0, 1, 6, MAC[:6] + b"\0\0") + kind + ip


def nflog(ip: bytes) -> bytes:
    family = 10 if ip[0] >> 4 == 6 else 2
    prefix = struct.pack("<HH", 6, 10) + b"x\0\0\0"
    return struct.pack("!BBH", family, 0, 0) + prefix + struct.pack("<HH", 4 + len(ip), 9) + ip


def wlan(ip: bytes, *, qos: bool = False) -> bytes:
    """A data frame of IEEE 802.11."""
    return (
        (b"\x88\x02" if qos else b"\x08\x02") + bytes(2 + 18 + 2 + 2 * qos) + b"\xaa\xaa\x03\0\0\0" + ethertype(ip) + ip
    )


def ppp(ip: bytes) -> bytes:
    return (b"\x00\x57" if ip[0] >> 4 == 6 else b"\x00\x21") + ip


WRAPPED: Mapping[str, Callable[[bytes], tuple[int, bytes]]] = {
    "ethernet": lambda ip: (1, ethernet(ip)),
    "vlan": lambda ip: (1, ethernet(ip, b"\x81\x00\x00\x05" + ethertype(ip))),
    "vlan in vlan": lambda ip: (1, ethernet(ip, b"\x88\xa8\x00\x05\x81\x00\x00\x06" + ethertype(ip))),
    "cooked": lambda ip: (113, cooked(ip)),
    "vlan in cooked": lambda ip: (113, cooked(ip, b"\x00\x05")),
    "cooked 2": lambda ip: (276, sll2(ip)),
    "raw": lambda ip: (101, ip),
    "loopback": lambda ip: (0, struct.pack("<I", 30 if ip[0] >> 4 == 6 else 2) + ip),
    "nflog": lambda ip: (239, nflog(ip)),
    "ppp": lambda ip: (9, b"\xff\x03" + ppp(ip)),
    "pppoe": lambda ip: (1, MAC + b"\x88\x64" + struct.pack("!BBHH", 0x11, 0, 7, 2 + len(ip)) + ppp(ip)),
    "mpls": lambda ip: (1, MAC + b"\x88\x47" + b"\x00\x01\x00\x40\x00\x02\x01\x40" + ip),
    "ethernet in mpls": lambda ip: (1, MAC + b"\x88\x47" + b"\x00\x02\x01\x40" + bytes(4) + ethernet(ip)),
    "ip in ip": lambda ip: (1, ethernet(ip4(41 if ip[0] >> 4 == 6 else 4, ip))),
    "gre": lambda ip: (1, ethernet(gre(int.from_bytes(ethertype(ip)), ip))),
    "gre with key": lambda ip: (1, ethernet(gre(int.from_bytes(ethertype(ip)), ip, 0x2000, bytes(4)))),
    "ethernet in gre": lambda ip: (1, ethernet(gre(0x6558, ethernet(ip)))),
    "erspan 1": lambda ip: (1, ethernet(gre(0x88BE, ethernet(ip)))),
    "erspan 2": lambda ip: (1, ethernet(gre(0x88BE, b"\x10\x01\x00\x00" + bytes(4) + ethernet(ip), 0x1000, bytes(4)))),
    "erspan 3": lambda ip: (1, ethernet(gre(0x22EB, b"\x20\x01" + bytes(10) + ethernet(ip), 0x1000, bytes(4)))),
    "erspan 3 with more": lambda ip: (
        1,
        ethernet(gre(0x22EB, b"\x20\x01" + bytes(9) + b"\x01" + bytes(8) + ethernet(ip), 0x1000, bytes(4))),
    ),
    "vxlan": lambda ip: (1, ethernet(outer_udp(4789, b"\x08\0\0\0\0\0\x07\0" + ethernet(ip)))),
    "geneve": lambda ip: (1, ethernet(outer_udp(6081, b"\x01\x00\x65\x58\0\0\x07\0" + bytes(4) + ethernet(ip)))),
    "tzsp": lambda ip: (1, ethernet(outer_udp(37008, b"\x01\x00\x00\x01\x0a\x01\x80\x01" + ethernet(ip)))),
    "gtp-u": lambda ip: (1, ethernet(gtp(ip))),
    "vxlan with a policy": lambda ip: (1, ethernet(outer_udp(4789, b"\x88\0\0\x05\0\0\x07\0" + ethernet(ip)))),
    "vxlan-gpe": lambda ip: (
        1,
        ethernet(outer_udp(4790, b"\x0c\0\0" + (b"\x02" if ip[0] >> 4 == 6 else b"\x01") + b"\0\0\x07\0" + ip)),
    ),
    "ip in geneve": lambda ip: (1, ethernet(outer_udp(6081, b"\0\0" + ethertype(ip) + b"\0\0\x07\0" + ip))),
    "802.11 in tzsp": lambda ip: (1, ethernet(outer_udp(37008, b"\x01\x00\x00\x12\x01" + wlan(ip)))),
    "l2tp": lambda ip: (1, ethernet(outer_udp(1701, struct.pack("!HHH", 2, 5, 6) + b"\xff\x03" + ppp(ip)))),
    "l2tp with length": lambda ip: (
        1,
        ethernet(outer_udp(1701, struct.pack("!6H", 0x4802, 16 + len(ip), 0x8005, 6, 1, 1) + b"\xff\x03" + ppp(ip))),
    ),
    "l2tp 3": lambda ip: (1, ethernet(ip4(115, struct.pack("!I", 9) + ethernet(ip)))),
    "mpls in udp": lambda ip: (1, ethernet(outer_udp(6635, b"\x00\x01\x01\x40" + ip))),
    "ip in udp": lambda ip: (1, ethernet(outer_udp(5555, ip))),
    "ethernet in ip": lambda ip: (1, ethernet(ip4(97, b"\x30\0" + ethernet(ip)))),
    "authenticated": lambda ip: (
        1,
        ethernet(ip4(51, bytes([41 if ip[0] >> 4 == 6 else 4, 4, 0, 0]) + struct.pack("!II12x", 7, 1) + ip)),
    ),
    "provider's backbone": lambda ip: (1, MAC + b"\x88\xe7" + bytes(4) + ethernet(ip)),
    "vn-tag": lambda ip: (1, ethernet(ip, b"\x89\x26" + bytes(4) + ethertype(ip))),
    "metadata of cisco": lambda ip: (1, ethernet(ip, b"\x89\x09\x01\x01\x00\x01\x00\x05" + ethertype(ip))),
    "802.11": lambda ip: (105, wlan(ip)),
    "802.11 with radiotap": lambda ip: (127, struct.pack("<BBHI", 0, 0, 8, 0) + wlan(ip, qos=True)),
    "pktap": lambda ip: (258, struct.pack("<III", 108, 1, 1) + bytes(96) + ethernet(ip)),
    "ppi": lambda ip: (192, struct.pack("<BBHI", 0, 0, 8, 1) + ethernet(ip)),
    "pppoe alone": lambda ip: (51, struct.pack("!BBHH", 0x11, 0, 7, 2 + len(ip)) + ppp(ip)),
    "pflog": lambda ip: (117, struct.pack("BB", 61, 24 if ip[0] >> 4 == 6 else 2) + bytes(62) + ip),
    "enc": lambda ip: (109, struct.pack("<III", 24 if ip[0] >> 4 == 6 else 2, 0, 0) + ip),
    "ppp with direction": lambda ip: (204, b"\x00\xff\x03" + ppp(ip)),
    "mpls alone": lambda ip: (219, b"\x00\x01\x01\x40" + ip),
    "atm": lambda ip: (11, b"\xaa\xaa\x03\0\0\0" + ethertype(ip) + ip),
    "vxlan in gre": lambda ip: (
        1,
        ethernet(gre(0x0800, outer_udp(4789, b"\x08\0\0\0\0\0\x07\0" + ethernet(ip)))),
    ),
}
"""Ways in which a packet reaches a capture: from an IP packet to a link type and a frame."""


def fragments(ip: bytes, size: int, name: int = 9) -> list[bytes]:
    """An IP packet in pieces of that size, a multiple of 8."""
    six = ip[0] >> 4 == 6
    head, body = (ip[:40], ip[40:]) if six else (ip[:20], ip[20:])
    pieces = []
    for at in range(0, len(body), size):
        more, piece = at + size < len(body), body[at : at + size]
        if six:
            part = struct.pack("!BBHI", head[6], 0, at | more, name) + piece
            pieces.append(head[:4] + struct.pack("!HB", len(part), 44) + head[7:] + part)
        else:
            place = at // 8 | (0x2000 if more else 0)
            pieces.append(head[:2] + struct.pack("!HHH", 20 + len(piece), name, place) + head[8:] + piece)
    return pieces


def write_pcap(
    path: Path, frames: Iterable[Frame], *, order: str = "<", nanoseconds: bool = False, snap: int = 65_535
) -> Path:
    """One link type: that of the first frame."""
    frames = list(frames)
    unit = 1e9 if nanoseconds else 1e6
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, snap, frames[0][1])
    for at, _, frame in frames:
        whole = round((BEGUN + at) * unit)
        kept = frame[:snap]
        out += struct.pack(order + "IIII", whole // int(unit), whole % int(unit), len(kept), len(frame)) + kept
    path.write_bytes(out)
    return path


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of a pcapng file."""
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, 12 + len(body)) + body + struct.pack(order + "I", 12 + len(body))


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, resolution: int = 6, offset: int = 0, order: str = "<") -> bytes:
    """resolution: as in the file, an exponent of 10, or with the highest bit, of 2."""
    options = struct.pack(order + "HHB3x", 9, 1, resolution) + struct.pack(order + "HHq", 14, 8, offset)
    return block(1, struct.pack(order + "HHI", link, 0, 0) + options + bytes(4), order)


def packet(number: int, at: float, frame: bytes, resolution: int = 6, offset: int = 0, order: str = "<") -> bytes:
    """An enhanced packet block; at: seconds since BEGUN."""
    unit = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    ticks = round((BEGUN + at - offset) * unit)
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)


def write_pcapng(path: Path, frames: Sequence[Frame]) -> Path:
    """One interface a link type, each with its own resolution and offset; a second section in the other byte order."""
    links = list(dict.fromkeys(link for _, link, _ in frames))
    kinds = {link: (i, (6, 9, 0x94, 3)[i % 4], 1000 * i) for i, link in enumerate(links)}
    out = b""
    for order, some in (("<", frames[: len(frames) // 2]), (">", frames[len(frames) // 2 :])):
        out += section(order)
        out += b"".join(interface(link, *kinds[link][1:], order) for link in links)
        out += block(0x0BAD, b"nobody knows this", order)
        out += b"".join(packet(kinds[link][0], at, frame, *kinds[link][1:], order) for at, link, frame in some)
    path.write_bytes(out)
    return path


def wrapped(kind: str, sent: Iterable[tuple[float, End, End, bytes]]) -> list[Frame]:
    """Datagrams, (seconds, source, target, data), as frames of that kind."""
    return [(at, *WRAPPED[kind](network(source, target, data))) for at, source, target, data in sent]
