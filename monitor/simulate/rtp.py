"""A sender of RTP without signalling, such as a PBX that mirrors its calls (RFC 3550, RFC 3551)."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.resample import resample_all
from monitor.audio import Audio
from monitor.config.addresses import split_host
from monitor.errors import BadInputError
from monitor.rtp.encode import encode
from monitor.rtp.packet import HEADER, RTCP_BYE, VERSION
from monitor.rtp.payload import STATIC, PayloadError, PayloadFormat
from monitor.simulate.simulated_peer import SimulatedCall, SimulationCounts, number, paced
from monitor.types import SAMPLE_RATE

FORMATS: Mapping[str, tuple[int, PayloadFormat]] = {
    "PCMU": (0, STATIC[0]),
    "PCMA": (8, STATIC[8]),
    "G722": (9, STATIC[9]),
    "OPUS": (96, PayloadFormat("OPUS", 48_000, 2)),
    "L16": (97, PayloadFormat("L16", 16_000)),
}
"""Codec to its usual payload type and format; taps.rtp.payload_types has to tell the monitor what 96 and 97 are."""
TIMESTAMP_JUMP_S = 3600.0
FRAME_MS = (2.5, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0)


@dataclass(frozen=True)
class RtpOptions:
    """Options of one run. ppm: how fast the sender's clock runs. *_at: seconds of the call, inf = never."""

    form: PayloadFormat
    payload_type: int
    frame_ms: float
    ppm: float
    ssrc_change_at: float
    timestamp_jump_at: float
    bye: bool


def read_options(options: Mapping[str, str]) -> RtpOptions:
    """Read the options of --with. Raises BadInputError."""
    codec = options.get("codec", "PCMU").upper()
    if codec not in FORMATS:
        raise BadInputError(f"codec={codec} cannot be sent", f"choose from {', '.join(FORMATS)}")
    if (bye := options.get("bye", "yes")) not in ("yes", "no"):
        raise BadInputError(f"bye={bye} is not valid", "write bye=yes or bye=no")
    usual, form = FORMATS[codec]
    frame_ms = number(options, "frame_ms", 20.0)
    if frame_ms not in FRAME_MS:
        raise BadInputError(
            f"frame_ms={frame_ms:g} is not a supported length", f"choose from {', '.join(f'{n:g}' for n in FRAME_MS)}"
        )
    kind = number(options, "payload_type", usual)
    if not 0 <= kind < 128 or kind % 1:
        raise BadInputError(f"payload_type={kind:g} is not a payload type", "write a number from 0 to 127")
    return RtpOptions(
        form,
        int(kind),
        frame_ms,
        number(options, "clock-ppm", 0.0),
        number(options, "ssrc-change-at", math.inf),
        number(options, "timestamp-jump-at", math.inf),
        bye == "yes",
    )


def read_target(to: str) -> tuple[str, tuple[int, ...]]:
    """Read HOST:PORT, or HOST:PORT+PORT for two parties. Raises BadInputError."""
    host, ports = split_host(to)
    numbers = tuple(int(p) if p.isascii() and p.isdigit() else 0 for p in ports.split("+"))
    if not host or len(numbers) > 2 or not all(0 < p < 65_536 for p in numbers):
        raise BadInputError(
            f"{to!r} is not an address", "write HOST:PORT, or HOST:PORT+PORT for the two parties of a call"
        )
    return host, numbers


@dataclass
class PacketStream:
    """Turns frames into packets of one sender. Each change of SSRC begins a stream of its own, as after a transfer."""

    sending: RtpOptions
    ssrc: int
    first_sequence: int
    first_timestamp: int

    @classmethod
    def of(cls, sending: RtpOptions, number: int, party: int) -> PacketStream:
        """Make the sender of one party of a call; the same in every run."""
        random = np.random.default_rng([number, party, 3550])
        return cls(sending, *(int(n) for n in random.integers(0, (1 << 32, 1 << 16, 1 << 32))))

    def ssrc_of(self, frame: int) -> int:
        """Return the SSRC under which a frame is sent."""
        changed = frame * self.sending.frame_ms / 1000 >= self.sending.ssrc_change_at
        return (self.ssrc + changed) & 0xFFFF_FFFF

    def packet(self, frame: int, payload: bytes) -> bytes:
        ticks = self.sending.form.clock_rate * self.sending.frame_ms / 1000
        jumped = frame * self.sending.frame_ms / 1000 >= self.sending.timestamp_jump_at
        jump = TIMESTAMP_JUMP_S * self.sending.form.clock_rate * jumped
        ssrc = self.ssrc_of(frame)
        timestamp = self.first_timestamp + round(frame * ticks + jump) & 0xFFFF_FFFF
        sequence = self.first_sequence + frame & 0xFFFF
        marked = self.sending.payload_type | (0x80 if frame == 0 else 0)
        return HEADER.pack(VERSION << 6, marked, sequence, timestamp, ssrc) + payload

    def bye_packet(self, frames: int) -> bytes:
        """Return an empty receiver report, which RFC 3550 wants first (section 6.1), and a BYE."""
        ssrc = self.ssrc_of(max(0, frames - 1))
        return struct.pack("!BBHIBBHI", VERSION << 6, 201, 1, ssrc, VERSION << 6 | 1, RTCP_BYE, 1, ssrc)


def open_sockets(host: str, ports: Sequence[int]) -> list[socket.socket]:
    """Open UDP sockets to those ports, all from one port of ours. Raises OSError, later too: where nobody listens."""
    made: list[socket.socket] = []
    for port in ports:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        made.append(socket.socket(family, kind))
        made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if len(made) > 1:
            made[-1].bind(made[0].getsockname())
        made[-1].connect(address)
    return made


class RtpPeer:
    """Every call comes from a port of its own, and both parties of a call from the same."""

    to = "127.0.0.1:5004"
    options: Mapping[str, str] = {
        "codec": f"{', '.join(FORMATS)} (PCMU)",
        "frame_ms": "audio in a packet (20)",
        "payload_type": "its number (as usual for the codec)",
        "clock-ppm": "by so much the sender's clock is fast (0)",
        "ssrc-change-at": "second at which the sender takes a new SSRC (never)",
        "timestamp-jump-at": "second at which its timestamps jump by an hour (never)",
        "bye": "yes or no: whether it says BYE at the end (yes)",
    }

    def __init__(self) -> None:
        self._encoded: dict[tuple[int, int], list[bytes]] = {}

    async def play(self, call: SimulatedCall, counts: SimulationCounts) -> None:
        """Play one call. Raises OSError and BadInputError."""
        sending = read_options(call.options)
        host, ports = read_target(call.to)
        audio = call.audio if len(ports) > 1 or len(call.audio) == 1 else call.audio.mean(axis=0, keepdims=True)
        sockets = open_sockets(host, ports[: len(audio)])
        try:
            parties = enumerate(sockets)
            await asyncio.gather(*(self._party(call, sending, audio, i, out, counts) for i, out in parties))
        finally:
            for out in sockets:
                out.close()

    async def _party(
        self,
        call: SimulatedCall,
        sending: RtpOptions,
        audio: Audio,
        party: int,
        out: socket.socket,
        counts: SimulationCounts,
    ) -> None:
        payloads = self._payloads(sending, audio, party)
        stream = PacketStream.of(sending, call.number, party)
        plan = call.departures(len(payloads), sending.frame_ms / 1000 / (1 + sending.ppm * 1e-6), party)
        counts.lost += len(payloads) - len(plan)
        async for frame in paced(plan):
            out.send(stream.packet(frame, payloads[frame]))
            counts.sent += 1
        if sending.bye:
            out.send(stream.bye_packet(len(payloads)))

    def _payloads(self, sending: RtpOptions, audio: Audio, party: int) -> list[bytes]:
        """Encode once for all calls. Raises BadInputError."""
        key = (len(audio), party)
        if key not in self._encoded:
            samples = resample_all(audio[party], SAMPLE_RATE, sending.form.sample_rate)
            try:
                self._encoded[key] = encode(sending.form, samples, sending.frame_ms)
            except PayloadError as error:
                raise BadInputError(str(error), "choose another frame_ms") from error
        return self._encoded[key]
