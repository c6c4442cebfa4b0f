"""Network captures: the file, SIP and SDP in it, and the calls that they make."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from fuzz.harness import NASTY, Harness
from monitor.captures.calls import find_calls
from monitor.captures.datagrams import CutOffError, Datagram, datagrams, is_capture
from monitor.captures.sip import parse_sip
from monitor.errors import BadInputError
from monitor.rtp.sdp import parse_sdp

sys.path.append(str(NASTY.parent))
from captured import A6, B6, A, B, answer, capture, invite

FOLDER = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
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
    path = FOLDER / f"fuzz-{os.getpid()}.pcap"
    path.write_bytes(data)
    try:
        is_capture(path)
        found: list[Datagram] = []
        with suppress(BadInputError, CutOffError):
            found.extend(datagrams(path))
        for call in find_calls(found):
            assert call.legs
            assert len({leg.name for leg in call.legs}) == len(call.legs)
    finally:
        path.unlink()


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
LINKS, FORMS = ("ethernet", "vlan", "cooked", "raw"), ("pcap", "pcapng")
CAPTURE = Harness(
    _capture,
    (*(_captured(link, form) for link in LINKS for form in FORMS), _captured("raw", "gzip")),
    (b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\x08\x00", b"\x86\xdd", b"\x81\x00"),
    longest=4096,
)
