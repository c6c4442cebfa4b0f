"""Captures made on the spot: two parties, SIP around them, over any link."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import dpkt

from monitor.rtp.packet import RtpPacket

A, B = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
A6, B6 = ("2001:db8::1", 4000), ("2001:db8::2", 5000)
End = tuple[str, int]
BEGUN = 1_790_000_000.0


def packed(packet: RtpPacket) -> bytes:
    """The packet on the wire."""
    second = packet.payload_type | packet.marker << 7
    return struct.pack("!BBHII", 0x80, second, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload


def network(source: End, target: End, data: bytes) -> bytes:
    """An IP packet with a UDP datagram."""
    udp = dpkt.udp.UDP(sport=source[1], dport=target[1], data=data)
    udp.ulen = len(udp)
    six = ":" in source[0]
    family = socket.AF_INET6 if six else socket.AF_INET
    ends = {"src": socket.inet_pton(family, source[0]), "dst": socket.inet_pton(family, target[0])}
    if six:
        return bytes(dpkt.ip6.IP6(**ends, nxt=17, hlim=64, plen=len(udp), data=udp))
    ip = dpkt.ip.IP(**ends, p=17, data=udp)
    ip.len = len(ip)
    return bytes(ip)


def framed(body: bytes, link: str) -> tuple[int, bytes]:
    """A link type, and the packet in a frame of it."""
    kind = 0x86DD if body[0] >> 4 == 6 else 0x0800
    return {
        "ethernet": (1, bytes(12) + struct.pack("!H", kind) + body),
        "vlan": (1, bytes(12) + struct.pack("!HHH", 0x8100, 5, kind) + body),
        "cooked": (113, struct.pack("!HHH8sH", 0, 1, 6, bytes(8), kind) + body),
        "raw": (101, body),
    }[link]


def capture(
    path: Path, sent: Iterable[tuple[float, End, End, bytes]], link: str = "ethernet", form: str = "pcap"
) -> Path:
    """Write datagrams, (seconds, source, target, data), to a file."""
    held = BytesIO()
    frames = [(at, *framed(network(source, target, data), link)) for at, source, target, data in sent]
    kind = frames[0][1] if frames else 1
    if form == "pcapng":
        block = dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=kind)
        writer = dpkt.pcapng.Writer(held, idb=block)
    else:
        writer = dpkt.pcap.Writer(held, linktype=kind)
    for at, _, frame in frames:
        writer.writepkt(frame, BEGUN + at)
    path.write_bytes(gzip.compress(held.getvalue()) if form == "gzip" else held.getvalue())
    return path


def invite(own: End, other: End, call: str = "c1", proto: str = "RTP/AVP", rtpmap: str = "0 PCMU/8000") -> bytes:
    """An INVITE from alice to bob whose audio is received at `own`."""
    kind = rtpmap.split()[0]
    sdp = f"v=0\r\nc=IN IP4 {own[0]}\r\nm=audio {own[1]} {proto} {kind}\r\na=rtpmap:{rtpmap}\r\n"
    head = (
        f"INVITE sip:bob@{other[0]} SIP/2.0\r\nCall-ID: {call}\r\nFrom: <sip:alice@x>;tag=1\r\nTo: <sip:bob@y>\r\n\r\n"
    )
    return (head + sdp).encode()


def answer(own: End, call: str = "c1", rtpmap: str = "0 PCMU/8000") -> bytes:
    """bob's 200 OK."""
    sdp = f"v=0\r\nc=IN IP4 {own[0]}\r\nm=audio {own[1]} RTP/AVP {rtpmap.split()[0]}\r\na=rtpmap:{rtpmap}\r\n"
    head = f"SIP/2.0 200 OK\r\ni: {call}\r\nf: <sip:alice@x>;tag=1\r\nt: <sip:bob@y>;tag=2\r\n\r\n"
    return (head + sdp).encode()
