"""Network captures: the file, SIP and SDP in it, and the calls that they make."""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np

from fuzz.harness import NASTY, Harness
from monitor.captures.assemble_calls import find_calls
from monitor.captures.captured_call import CapturedCall
from monitor.captures.explain import nothing_found, unscored
from monitor.captures.frames import Frames
from monitor.captures.ip_packets import TcpSegment, endpoints
from monitor.captures.leg_audio import LegAudio
from monitor.captures.records import CapturedPacket, is_capture
from monitor.captures.scan import Scan, scan
from monitor.captures.sip import parse_sip
from monitor.captures.sip_streams import SipStreams
from monitor.captures.timeline import settle
from monitor.errors import BadInputError
from monitor.rtp.sdp import parse_sdp

sys.path.append(str(NASTY.parent))
from capture_files import WRAPPED
from captured import A6, B6, A, B, answer, capture, invite, network

FOLDER = tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
HEARD = 4
"""Of so many captures one is heard as well: hearing costs as much as all before it."""
RTP = bytes.fromhex("800000070000001000000009") + bytes(8)
TALK = [(i / 50, A, B, RTP[:3] + bytes([i]) + RTP[4:]) for i in range(12)]


def _sdp(data: bytes) -> None:
    for media in parse_sdp(data.decode("utf-8", "replace")):
        assert 0 < media.port < 65_536
        assert all(0 <= kind < 128 for kind in media.formats)


def _sip(data: bytes) -> None:
    message = parse_sip(data)
    if message is not None:
        parse_sdp(message.body)


def _capture(data: bytes) -> None:
    path = Path(FOLDER.name) / "pcap"
    path.write_bytes(data)
    is_capture(path)
    with suppress(BadInputError):
        _find(path, heard=zlib.crc32(data) % HEARD == 0)


def _find(path: Path, heard: bool) -> None:
    """Read a capture and find its calls."""
    scanned = scan(path)
    found = find_calls(scanned)
    nothing_found(found, scanned)
    for call in (*found.calls, *found.silent):
        assert call.legs
        assert len({leg.name for leg in call.legs}) == len(call.legs)
        if heard:
            _hear(call, scanned)


def _hear(call: CapturedCall, scanned: Scan) -> None:
    """Hear a second of a call."""
    timeline = settle([leg.parts for leg in call.legs], scanned.spool)
    for leg, tracks in zip(call.legs, timeline.tracks, strict=True):
        assert all(0 <= item.share <= 1 for item in unscored(leg))
        samples, concealed = LegAudio(tracks, scanned.spool).take(16_000)
        assert np.isfinite(samples[concealed]).all()


def _tcp(data: bytes) -> None:
    """Segments: two bytes of sequence number, one of flags, one of length, and the data."""
    streams, counts, at = SipStreams(Counter()), 0, 0
    while at + 4 <= len(data):
        end = at + 4 + data[at + 3]
        segment = TcpSegment(
            0.0, b"abcdefghijkl", int.from_bytes(data[at : at + 2]), data[at + 2] & 2, data[at + 4 : end]
        )
        for message in streams.take(segment):
            counts += 1
            parse_sip(message)
        at = end
    assert counts * 12 <= len(data)


def _cut(data: bytes, size: int = 90, begin: int = 1) -> bytes:
    """Return bytes as the segments of _tcp."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    at, out = begin, b"\x00\x00\x02\x00"
    for piece in pieces:
        out += at.to_bytes(2) + b"\x10" + bytes([len(piece)]) + piece
        at += len(piece)
    return out


def _framed(message: bytes) -> bytes:
    """Return a message of a WebSocket, masked."""
    mask = b"abcd"
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
    return b"\x81\xfe" + len(message).to_bytes(2) + mask + masked


def _frames(data: bytes) -> None:
    """Feed a link type, and a frame; the same again, so that fragments meet."""
    frames = Frames(Counter())
    for at in (0.0, 1.0):
        found = frames.read(CapturedPacket(at, int.from_bytes(data[:2]), data[2:]))
        if found is not None:
            assert found.at == at
            assert found.missing >= 0
            endpoints(found.ends)
    frames.close()


def _captured(link: str, form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        six = [(0.5, A6, B6, RTP)] if link == "raw" else []
        sent = [(0.0, A, B, invite(A, B)), (0.1, B, A, answer(B)), *TALK[:4], *six]
        return bytes(capture(Path(folder) / "x", sent, link, form).read_bytes())


DESCRIPTION = (
    b"v=0\r\nc=IN IP4 192.0.2.1/127\r\nm=audio 5004 RTP/SAVP 0 96 101\r\na=rtpmap:96 opus/48000/2\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\nm=video 9 RTP/AVP 31\r\n"
)
WORDS = (b"m=audio ", b"c=IN IP4 ", b"a=rtpmap:", b"RTP/AVP", b"SAVP", b"L16/", b"opus/48000/2", b"\r\n\r\n")
SIP_WORDS = (b"INVITE sip:", b" SIP/2.0\r\n", b"SIP/2.0 200 ", b"Call-ID: ", b"From: ", b"To: ", b"i:", b"f:", b"t:")

SDP = Harness(_sdp, (DESCRIPTION,), WORDS)
SIP = Harness(_sip, (invite(A, B), answer(B)), WORDS + SIP_WORDS)
HANDSHAKE = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
TCP = Harness(
    _tcp,
    (_cut(invite(A, B)), _cut(answer(B) + invite(A, B)), _cut(HANDSHAKE + _framed(invite(A, B)))),
    (*SIP_WORDS, b"Content-Length: ", b"l:", b"\x81\xfe", b"Upgrade: websocket"),
    longest=2048,
)
FRAMES = Harness(
    _frames,
    tuple(link.to_bytes(2) + frame for link, frame in (make(network(A, B, RTP)) for make in WRAPPED.values())),
    longest=256,
)
LINKS, FORMS = ("ethernet", "vlan", "cooked", "raw"), ("pcap", "pcapng")
CAPTURE = Harness(
    _capture,
    (*(_captured(link, form) for link in LINKS for form in FORMS), _captured("raw", "gzip")),
    (b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\x08\x00", b"\x86\xdd", b"\x81\x00"),
    longest=2048,
)
