"""SIP over TCP and WebSocket: messages out of segments that come in any order, twice, or not at all."""

from __future__ import annotations

import random
import socket
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from capture_calls import flow, heard, only
from capture_files import Frame, ethernet, wrapped, write_pcap
from captured import A, B, End, answer, invite

from monitor.captures.ip_packets import TcpSegment
from monitor.captures.sip import parse_sip
from monitor.captures.sip_streams import MOST_BYTES, SipStreams

ENDS = bytes(range(12))
SYN = 0x02


def with_length(message: bytes, name: bytes = b"Content-Length") -> bytes:
    head, _, body = message.partition(b"\r\n\r\n")
    return head + b"\r\n" + name + b": " + str(len(body)).encode() + b"\r\n\r\n" + body


MESSAGES = [
    with_length(invite(A, B)),
    with_length(answer(B), b"l"),
    with_length(b"BYE sip:x SIP/2.0\r\nCall-ID: c1\r\n\r\n"),
]


def segments(data: bytes, size: int, first: int = 2**32 - 300, syn: bool = True) -> list[TcpSegment]:
    """Bytes in segments of that size, whose numbers run over the end of 32 bits."""
    opening = [TcpSegment(0.0, ENDS, first - 1 & 0xFFFFFFFF, SYN, b"")] if syn else []
    pieces = range(0, len(data), size)
    return opening + [TcpSegment(0.0, ENDS, first + at & 0xFFFFFFFF, 0x18, data[at : at + size]) for at in pieces]


def taken(some: Sequence[TcpSegment], counts: Counter[str] | None = None) -> list[bytes]:
    streams = SipStreams(counts if counts is not None else Counter())
    return [message for segment in some for message in streams.take(segment)]


@pytest.mark.parametrize("size", [7, 100, 536, 10_000])
@pytest.mark.parametrize("syn", [True, False])
def test_messages_in_segments_of_any_size(size: int, syn: bool) -> None:
    whole = b"".join(MESSAGES)
    size = max(size, 60) if not syn else size  # the first segment must show what the connection is
    assert taken(segments(whole, size, syn=syn)) == MESSAGES
    assert [parse_sip(m).call_id for m in MESSAGES] == ["c1"] * 3


def test_segments_in_any_order_and_twice() -> None:
    chance = random.Random(1)
    plain = segments(b"\r\n\r\n".join(MESSAGES), 90)
    for _ in range(50):
        some = [*plain[1:], *chance.sample(plain[1:], 5)]
        chance.shuffle(some)
        assert taken([plain[0], *some]) == MESSAGES


def test_segments_that_overlap() -> None:
    whole = b"".join(MESSAGES)
    first = [TcpSegment(0.0, ENDS, 1 + at, 0x18, whole[at : at + 120]) for at in range(0, len(whole), 80)]
    assert taken([TcpSegment(0.0, ENDS, 0, SYN, b""), *first]) == MESSAGES


def test_a_hole_costs_the_message_that_it_is_in() -> None:
    counts: Counter[str] = Counter()
    plain = segments(b"".join(MESSAGES * 10), 50)
    messages = taken([s for i, s in enumerate(plain) if i != 3], counts)
    assert 25 <= len(messages) < 30
    assert set(messages) <= set(MESSAGES)
    assert counts["SIP messages with a part missing"] >= 1


def test_a_segment_cut_short_is_a_hole() -> None:
    opening, first, *rest = segments(b"".join(MESSAGES), 100)
    cut = first._replace(data=first.data[:40], missing=len(first.data) - 40)
    assert taken([opening, cut, *rest]) == MESSAGES[1:]


def handshake(answered: bool) -> bytes:
    first = b"HTTP/1.1 101 Switching Protocols" if answered else b"GET /ws HTTP/1.1"
    return first + b"\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n"


def framed(message: bytes, masked: bool, opcode: int = 1, final: bool = True) -> bytes:
    size = len(message)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2)
    mask = b"\x11\x22\x33\x44" if masked else b""
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message)) if masked else message
    return bytes([opcode | 0x80 * final, length[0] | 0x80 * masked]) + length[1:] + mask + body


@pytest.mark.parametrize("size", [11, 200, 10_000])
@pytest.mark.parametrize("masked", [True, False])
def test_sip_over_websocket(size: int, masked: bool) -> None:
    ping = framed(b"x", masked, 9)
    halves = framed(MESSAGES[1][:50], masked, final=False) + ping + framed(MESSAGES[1][50:], masked, 0)
    data = handshake(not masked) + framed(MESSAGES[0], masked) + halves + framed(MESSAGES[2], masked, 2)
    assert taken(segments(data, size)) == MESSAGES


@pytest.mark.parametrize("lost", [False, True])
def test_compressed_sip_over_websocket(lost: bool) -> None:
    """Each message builds upon those before it: behind one that is lost nothing can be read, and that is counted."""
    compress = zlib.compressobj(wbits=-15)
    packed = [(compress.compress(m) + compress.flush(zlib.Z_SYNC_FLUSH))[:-4] for m in [*MESSAGES, *MESSAGES]]
    frames = [framed(data, masked=True, opcode=0x41) for data in packed]
    counts: Counter[str] = Counter()
    data = handshake(answered=False) + b"".join(frames[1:] if lost else frames)
    assert taken(segments(data, 100), counts) == ([] if lost else [*MESSAGES, *MESSAGES])
    assert counts["WebSocket messages that hold no SIP"] == (5 if lost else 0)


def test_a_connection_that_began_before_the_capture() -> None:
    data = b"Via: x\r\nContent-Length: 0\r\n\r\n" + b"".join(MESSAGES)
    assert taken(segments(data, 2000, syn=False)) == MESSAGES


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n<html>", b"SSH-2.0-OpenSSH\r\n", b"\x16\x03\x01\x02\x00" * 9]
)
def test_other_connections_are_counted_and_not_kept(data: bytes) -> None:
    counts: Counter[str] = Counter()
    assert taken(segments(data, 10_000), counts) == []
    assert counts == {"other TCP": 1}


def test_sip_over_tls_is_named() -> None:
    counts: Counter[str] = Counter()
    ends = bytes(8) + (40_000).to_bytes(2) + (5061).to_bytes(2)
    taken([TcpSegment(0.0, ends, 5, 0x18, b"\x17\x03\x03\x00\x40" + bytes(64))], counts)
    assert counts == {"SIP over TLS (encrypted)": 1}


def test_a_length_that_lies_holds_no_more_than_so_much() -> None:
    endless = MESSAGES[0].replace(b"Content-Length: ", b"Content-Length: 9999")
    counts: Counter[str] = Counter()
    data = endless + bytes(MOST_BYTES) + b"\r\n" + MESSAGES[1]
    assert taken(segments(data, 1400), counts) == [MESSAGES[1]]
    assert counts["SIP messages with a part missing"] == 1


def tcp_frame(source: End, target: End, sequence: int, data: bytes, flags: int = 0x18) -> bytes:
    segment = struct.pack("!HHIIBBHHH", source[1], target[1], sequence, 0, 0x50, flags, 1000, 0, 0) + data
    hosts = socket.inet_aton(source[0]), socket.inet_aton(target[0])
    return ethernet(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, *hosts) + segment)


def test_a_call_whose_sip_came_over_tcp(tmp_path: Path) -> None:
    rtpmap = "96 L16/8000"
    own, other = (A[0], 40_000), (B[0], 5060)
    asked, answered = (with_length(m) for m in (invite(A, B, rtpmap=rtpmap), answer(B, rtpmap=rtpmap)))
    result: list[Frame] = [(0.0, 1, tcp_frame(own, other, 0, b"", SYN))]
    result += [(0.01, 1, tcp_frame(own, other, 1 + at, asked[at : at + 100])) for at in range(0, len(asked), 100)]
    result += [(0.1, 1, tcp_frame(other, own, 77, answered))]
    talk = [(at, a, b, data[:1] + b"\x60" + data[2:12] + data[12:] * 2) for at, a, b, data in flow(A, B, 0.2)]
    source = only(write_pcap(tmp_path / "a.pcap", [*result, *wrapped("ethernet", talk)]))
    audio, _ = heard(source)
    assert source.channels == ("caller",)
    assert source.name == "a.pcap (alice to bob)"
    assert audio.shape[1] == pytest.approx(32_000, abs=500)
