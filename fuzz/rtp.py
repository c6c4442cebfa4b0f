"""RTP and RTCP packets, the jitter buffer, and a stream from its packets to its audio."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from fuzz.harness import Harness
from monitor.rtp.codecs import DECODERS, open_decoder
from monitor.rtp.jitter_buffer import MOST_HELD, JitterState, accept, expire, flush
from monitor.rtp.packet import MalformedPacketError, RtpPacket, is_rtcp, parse_bye, parse_rtp
from monitor.rtp.packet_loss import LONGEST_PAUSE_S
from monitor.rtp.payload import STATIC, USUAL, PayloadError, PayloadFormat, duration_s
from monitor.rtp.rtp_stream import RtpStream
from monitor.types import SAMPLE_RATE

PLAIN = struct.pack("!BBHII", 0x80, 0, 7, 160, 9) + bytes(16)
EXTENDED = struct.pack("!BBHIIIHHI", 0x91, 0x80, 7, 160, 9, 1, 0xBEDE, 1, 2) + bytes(8)
PADDED = struct.pack("!BBHII", 0xA0, 8, 7, 160, 9) + bytes(7) + b"\x04"
BYE = struct.pack("!BBHI", 0x80, 201, 1, 9) + struct.pack("!BBHI", 0x81, 203, 1, 9)
STEP = struct.Struct("!hBiB")
"""One packet of a sequence: steps to its number, 10 ms steps to its arrival, to its timestamp, its type and size."""
GIVE_UP_S = 0.1
FORMATS = {**STATIC, **USUAL, 96: PayloadFormat("L16", 16_000)}
MOST_PACKETS = 60


def _packet(data: bytes) -> None:
    try:
        packet = parse_bye(data) if is_rtcp(data) else parse_rtp(data)
    except MalformedPacketError:
        return
    if isinstance(packet, RtpPacket):
        assert len(packet.payload) <= len(data) - 12
    else:
        assert len(packet) * 4 < len(data)


def _payload(data: bytes) -> None:
    """Return an input: the number of a format, and payloads, each behind its length."""
    formats = list(CODECS)
    form = formats[data[0] % len(formats)] if data else formats[0]
    decoder, at = open_decoder(form), 1
    while at < len(data):
        payload = data[at + 1 : at + 1 + data[at]]
        assert duration_s(form, payload) >= 0
        with suppress(PayloadError):
            samples = decoder.decode(payload)
            assert samples.dtype == np.float32
            assert samples.ndim == 1
        at += 1 + data[at]


def _packets(data: bytes) -> Iterator[tuple[RtpPacket, float]]:
    """Return packets and their arrivals."""
    sequence, timestamp, arrival = 65_530, 0, 0.0
    for number, wait, ticks, kind in STEP.iter_unpack(data[: len(data) // STEP.size * STEP.size][: 8 * MOST_PACKETS]):
        sequence, timestamp, arrival = sequence + number & 0xFFFF, timestamp + ticks & 0xFFFF_FFFF, arrival + wait / 100
        yield RtpPacket(kind & 0x7F, False, sequence, timestamp, 9, bytes(kind)), arrival


def _jitter(data: bytes) -> None:
    state, given, received, arrival = JitterState(), 0, 0, 0.0
    for packet, arrival in _packets(data):
        state, ready = accept(state, packet, arrival, GIVE_UP_S)
        given, received = given + len(ready), received + 1
        assert len(state.held) <= MOST_HELD
    state, ready = expire(state, arrival + GIVE_UP_S, GIVE_UP_S)
    state, last = flush(state)
    given += len(ready) + len(last)
    assert not state.held
    assert given <= received


def _stream(data: bytes) -> None:
    stream, packets, arrival, played = RtpStream(FORMATS), 0, 0.0, 0
    for packet, arrival in _packets(data):
        sound = stream.push(packet, arrival)
        played, packets = played + len(sound), packets + 1
        assert sound.samples.dtype == np.float32
        assert sound.concealed is None or len(sound.concealed) == len(sound)
        assert sound.concealed is None or np.isfinite(sound.samples[sound.concealed]).all()
    played += len(stream.advance(arrival + 1.0)) + len(stream.finish())
    # Each packet of at most 255 bytes, a pause before each, and what the resampler rounds.
    assert played <= packets * (2 * LONGEST_PAUSE_S + 0.1) * SAMPLE_RATE


SEQUENCE = b"".join(STEP.pack(1, 2, 160, 0x80) for _ in range(8))
HOLE = STEP.pack(1, 2, 160, 0x80) + STEP.pack(3, 2, 480, 0x80) + STEP.pack(-1, 1, -160, 0x80) + SEQUENCE
RESTART = SEQUENCE + STEP.pack(9000, 2, -160, 0) + STEP.pack(1, 200, 160, 13) + STEP.pack(1, 2, 160, 101)

RATES = {"OPUS": 48_000, "AMR-WB": 16_000}
CODECS = tuple(
    PayloadFormat(name, RATES.get(name, 8000), fmtp=fmtp)
    for name in DECODERS
    for fmtp in (("", "octet-align=1") if name.startswith("AMR") else ("",))
)
SIZES = (160, 10, 12, 33, 24, 20, 38, 50, 32, 33, 61, 14, 7)
PAYLOADS = Harness(
    _payload,
    tuple(
        bytes([i]) + b"".join(bytes([size]) + bytes(range(size)) for size in sizes)
        for i in range(len(CODECS))
        for sizes in (SIZES[:3], SIZES[3:8], SIZES[8:])
    ),
    longest=256,
)
PACKET = Harness(_packet, (PLAIN, EXTENDED, PADDED, BYE), longest=128)
JITTER = Harness(_jitter, (SEQUENCE, HOLE, RESTART), longest=STEP.size * MOST_PACKETS)
STREAM = Harness(_stream, (SEQUENCE, HOLE, RESTART), longest=STEP.size * MOST_PACKETS)
