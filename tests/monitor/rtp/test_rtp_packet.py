"""RTP and RTCP packets: read as the RFC says, refused with a reason, and never anything else."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.rtp.packet import MalformedPacketError, RtpPacket, is_rtcp, parse_bye, parse_rtp

PLAIN = struct.pack("!BBHII", 0x80, 0x88, 65535, 1600, 0xDEADBEEF) + b"audio"


def test_a_plain_packet() -> None:
    assert parse_rtp(PLAIN) == RtpPacket(8, True, 65535, 1600, 0xDEADBEEF, b"audio")
    assert not is_rtcp(PLAIN)


def test_contributing_sources_extension_and_padding_are_not_payload() -> None:
    head = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 2, 0, 1, 2, 3) + bytes(8)
    extension = struct.pack("!HH", 0xBEDE, 1) + bytes(4)
    assert parse_rtp(head + extension + b"audio" + b"\0\0\3").payload == b"audio"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes are too short"),
        (PLAIN[:11], "11 bytes"),
        (b"\x40" + PLAIN[1:], "version 1"),
        (b"\x8f" + PLAIN[1:], "longer than the packet"),
        (b"\x90" + PLAIN[1:12], "extension is cut off"),
        (b"\x90" + PLAIN[1:12] + b"\0\0\xff\xff", "longer than the packet"),
        (b"\xa0" + PLAIN[1:12] + b"\xff", "longer than the packet"),
        (b"\xa0" + PLAIN[1:12] + b"\0", "padding of 0"),
    ],
)
def test_what_is_no_packet(data: bytes, says: str) -> None:
    with pytest.raises(MalformedPacketError, match=says):
        parse_rtp(data)


def test_goodbye_in_a_compound_packet() -> None:
    report = struct.pack("!BBHI", 0x80, 201, 1, 5)
    bye = struct.pack("!BBHII", 0x82, 203, 2, 5, 6)
    assert is_rtcp(report)
    assert parse_bye(report + bye) == (5, 6)
    assert parse_bye(report) == ()


@pytest.mark.parametrize(
    "data", [b"\x80", b"\x80\xcb\0\1", b"\x9f\xcb\0\0", b"\x40\xcb\0\0", b"\x80\xc9\0\0\x80\xcb\xff\xff"]
)
def test_what_is_no_rtcp(data: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        parse_bye(data)


@settings(max_examples=500)
@given(st.binary(max_size=64))
@example(b"\xb0" + bytes(15))
def test_any_bytes_are_a_packet_or_malformed(data: bytes) -> None:
    for read in (parse_rtp, parse_bye):
        with contextlib.suppress(MalformedPacketError):
            read(data)
