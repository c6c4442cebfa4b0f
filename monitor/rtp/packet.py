"""RTP and RTCP packets as values (RFC 3550, sections 5.1, 6 and 6.6; told apart by RFC 5761, section 4)."""

from __future__ import annotations

import struct
from typing import NamedTuple

VERSION = 2
HEADER = struct.Struct("!BBHII")
FIRST_RTCP, LAST_RTCP = 192, 223
RTCP_BYE = 203


class MalformedPacketError(ValueError):
    """The bytes are not a packet of this kind; the text says why."""


class RtpPacket(NamedTuple):
    """One RTP packet; a tuple, since thousands are made in a second. sequence: 16 bits. timestamp, ssrc: 32 bits.
    payload: without header, extension and padding. missing: bytes at its end that were never seen; the packet then
    counts as lost.
    """

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    missing: int = 0


def is_rtcp(data: bytes) -> bool:
    """Return whether a packet on a port that RTP and RTCP share is RTCP."""
    return len(data) >= 2 and data[0] >> 6 == VERSION and FIRST_RTCP <= data[1] <= LAST_RTCP


def parse_rtp(data: bytes, missing: int = 0) -> RtpPacket:
    """Read a packet of any bytes; missing: how many are not there at its end. Raises MalformedPacketError alone."""
    if len(data) < HEADER.size:
        raise MalformedPacketError(f"{len(data)} bytes are too short for an RTP header")
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != VERSION:
        raise MalformedPacketError(f"RTP version {first >> 6}, not {VERSION}")
    begin = HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < begin + 4 and not missing:
            raise MalformedPacketError("the header extension is cut off")
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
    end = len(data)
    if missing:
        begin = min(begin, end)
    elif first & 0x20:
        padding = data[-1]
        if not padding:
            raise MalformedPacketError("a padding of 0 bytes")
        end -= padding
    if begin > end:
        raise MalformedPacketError("header and padding are longer than the packet")
    return RtpPacket(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, bytes(data[begin:end]), missing)


def parse_bye(data: bytes) -> tuple[int, ...]:
    """Return the SSRCs that a compound RTCP packet says BYE for. Raises MalformedPacketError."""
    leaving: list[int] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise MalformedPacketError("an RTCP header is cut off")
        first, kind, fields = struct.unpack_from("!BBH", data, at)
        size, count = 4 * (fields + 1), first & 0x1F
        if first >> 6 != VERSION:
            raise MalformedPacketError(f"RTCP version {first >> 6}, not {VERSION}")
        if at + size > len(data):
            raise MalformedPacketError("an RTCP packet is longer than its datagram")
        if kind == RTCP_BYE:
            if 4 + 4 * count > size:
                raise MalformedPacketError("a BYE names more sources than it holds")
            leaving += struct.unpack_from(f"!{count}I", data, at + 4)
        at += size
    return tuple(leaving)
