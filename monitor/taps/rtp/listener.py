"""RTP over UDP: sockets for RtpSessions (sessions.py), which knows what the packets mean."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.resample import StreamResampler
from monitor.config.addresses import check_reach, split_host
from monitor.config.taps import RtpSection
from monitor.errors import BadInputError
from monitor.limits.reasons import Reasons
from monitor.rtp.codecs import DECODERS, why_not
from monitor.rtp.payload import STATIC, USUAL, PayloadFormat, read_format
from monitor.rtp.sdp import SdpMedia, parse_sdp
from monitor.taps.rtp.datagrams import DatagramReader
from monitor.taps.rtp.pairing import CallPorts
from monitor.taps.rtp.sessions import RtpSessions
from monitor.taps.tap_events import CallStarted, Deliver, RefusedError

LOOK_S = 0.01
"""Between two looks at the sockets, whose buffers hold no more than some hundred packets on most systems."""
STALL_S = 0.5
"""A longer wait for a look is a stall of this machine, and no silence of the senders."""
TICK_S, LONGEST_TICK_S, TICK_SHARE = 0.035, 0.1, 0.2
"""Seconds between two calls of RtpSessions.tick(), which decodes what has come, and the share of the time that they
may take, if that leaves them often enough. Five packets at once cost little more than one.
"""
MOST_AT_ONCE = 2000
"""Datagrams of one socket in one look; what comes beside them waits in the system's buffer."""
LONGEST_DATAGRAM = 8192
"""Bytes: 20 ms of L16 at 96 kHz in stereo, and more."""
SO_RCVBUFFORCE = 33
"""Linux, asm-generic/socket.h; the socket module lacks it."""
RECEIVE_BUFFER = 4 << 20
"""Bytes that the system holds for a socket while nobody reads: 0.2 s of 200 calls and more."""
CALLER, CALLEE = "caller", "callee"


@dataclass(frozen=True)
class BoundPorts:
    """A line and the host that it listens on."""

    host: str
    line: CallPorts


def read_line(
    text: str, formats: Mapping[int, PayloadFormat], media: tuple[SdpMedia, ...], step: int = 0
) -> BoundPorts:
    """Read HOST:PORT for calls of one party, HOST:PORT+PORT for caller and callee. step: taps.rtp.port_step. Raises
    BadInputError.
    """
    host, numbers = split_host(text)
    ports = [int(p) if p.isascii() and p.isdigit() else -1 for p in numbers.split("+")]
    if not host or not 1 <= len(ports) <= 2 or not all(0 <= p < 65_536 for p in ports):
        raise BadInputError(
            f"taps.rtp.listen: {text!r} is not an address",
            "write HOST:PORT for calls of one party, HOST:PORT+PORT for the two parties of a call",
        )
    names = (CALLER, CALLEE) if len(ports) == 2 else ("party",)
    each = tuple({**STATIC, **USUAL, **formats, **_announced(media, port)} for port in ports)
    return BoundPorts(host, CallPorts(tuple(ports), names, each, step))


def _announced(media: tuple[SdpMedia, ...], port: int) -> dict[int, PayloadFormat]:
    """Return the formats announced for a port; those of all ports where none names this one."""
    here = [m for m in media if m.port == port] or list(media)
    return {kind: form for m in here for kind, form in m.formats.items()}


def read_formats(types: Mapping[str, str]) -> dict[int, PayloadFormat]:
    """Parse payload types such as "96" = "opus/48000/2". Raises BadInputError."""
    formats = {}
    for kind, text in types.items():
        form = read_format(text)
        number = int(kind) if kind.isascii() and kind.isdigit() else -1
        reason = why_not(form) if form is not None else "is not NAME/RATE"
        if reason or form is None or not 0 <= number < 128:
            raise BadInputError(
                f'taps.rtp.payload_types: {kind} = "{text}" is not valid{f": {reason}" if reason else ""}',
                f'write 96 = "opus/48000/2" or 97 = "AMR/8000; octet-align=1"; known are {", ".join(DECODERS)}',
            )
        formats[number] = form
    return formats


def read_description(path: str) -> tuple[SdpMedia, ...]:
    """Return the audio of an SDP file; () where there is no path. Raises BadInputError."""
    if not path:
        return ()
    try:
        media = parse_sdp(Path(path).read_text("utf-8", "replace"))
    except OSError as error:
        raise BadInputError(f"taps.rtp.sdp: {path} cannot be read: {error.strerror}", "name an SDP file") from error
    if not media:
        raise BadInputError(f"taps.rtp.sdp: {path} announces no audio", "name an SDP file with an m=audio line")
    if any(m.encrypted for m in media):
        raise BadInputError(
            f"taps.rtp.sdp: {path} announces encrypted audio (SRTP)",
            "it cannot be heard without its keys: tap behind the gateway",
        )
    return media


@dataclass(frozen=True)
class _BoundSocket:
    """A bound socket, and whose audio comes in there."""

    socket: socket.socket
    line: CallPorts
    party: int


class RtpListener:
    """Listens until cancelled. bound: (host, port) of each socket, once it does. Raises BadInputError."""

    name = "rtp"

    def __init__(self, config: RtpSection, deliver: Deliver, idle_s: float, *, insecure: bool = False) -> None:
        formats, media = read_formats(config.payload_types), read_description(config.sdp)
        self._lines = [read_line(text, formats, media, config.port_step) for text in config.listen]
        for bound in self._lines:
            secure_by = "RTP has no secret: listen on 127.0.0.1 behind a VPN or a relay"
            check_reach("taps.rtp.listen", bound.host, secured=False, insecure=insecure, secure_by=secure_by)
        self._deliver = deliver
        self._sessions = RtpSessions(self._accept, idle_s)
        self._sockets: list[_BoundSocket] = []
        self._reader = DatagramReader(LONGEST_DATAGRAM)
        StreamResampler(48_000, 1)  # The first use of libav takes a third of a second, for which no call should wait.
        self.bound: list[tuple[str, int]] = []
        self.ready = asyncio.Event()

    @property
    def counts(self) -> Reasons:
        """Return the packets that were not heard, by the reason."""
        return self._sessions.counts

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            for bound in self._lines:
                for party, port in enumerate(bound.line.ports):
                    self._bind(bound, party, port)
            self.ready.set()
            due = 0.0
            while True:
                since = time.monotonic()
                await asyncio.sleep(LOOK_S)
                self._sessions.postpone_timeouts(max(0.0, time.monotonic() - since - STALL_S))
                for bound_socket in self._sockets:
                    self._drain(bound_socket)
                if (begun := time.monotonic()) >= due:
                    self._tick()
                    took = time.monotonic() - begun
                    due = begun + min(LONGEST_TICK_S, max(TICK_S, took / TICK_SHARE))
        finally:
            for bound_socket in self._sockets:
                bound_socket.socket.close()
            self._sockets, self.bound = [], []
            for tap_event in self._sessions.close():
                self._deliver(tap_event)

    def _bind(self, bound: BoundPorts, party: int, port: int) -> None:
        """Bind the port of a party, and the one above it for RTCP where that is free (RFC 3550, section 11)."""
        opened = open_socket(bound.host, port)
        if opened is None:
            raise BadInputError(
                f"taps.rtp.listen: {bound.host}:{port} is in use, or no address of this machine",
                "end the other program, or listen on another port",
            )
        self._sockets.append(_BoundSocket(opened, bound.line, party))
        taken = int(opened.getsockname()[1])
        self.bound.append((bound.host, taken))
        if taken % 2 or taken + 1 in bound.line.ports:
            return
        if (control := open_socket(bound.host, taken + 1)) is not None:
            self._sockets.append(_BoundSocket(control, bound.line, party))

    def _tick(self) -> None:
        for tap_event in self._sessions.tick(time.monotonic()):
            self._deliver(tap_event)

    def _drain(self, bound_socket: _BoundSocket) -> None:
        """Hear what has come in: all at once costs a third of what asyncio's own way does, datagram by datagram."""
        now = time.monotonic()
        for data, source in self._reader.read(bound_socket.socket, MOST_AT_ONCE):
            if len(data) > LONGEST_DATAGRAM:
                self._sessions.counts[f"a datagram of more than {LONGEST_DATAGRAM} bytes"] += 1
                continue
            for tap_event in self._sessions.datagram(bound_socket.line, bound_socket.party, data, source, now):
                self._deliver(tap_event)

    def _accept(self, started: CallStarted) -> bool:
        try:
            self._deliver(started)
        except RefusedError:
            self._sessions.counts["refused calls"] += 1
            return False
        return True


def open_socket(host: str, port: int) -> socket.socket | None:
    """Bind a socket that never blocks; None where that cannot be."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(family, kind)
    except OSError:
        return None
    try:
        made.bind(address)
    except OSError:
        made.close()
        return None
    made.setblocking(False)
    for option in (socket.SO_RCVBUF, getattr(socket, "SO_RCVBUFFORCE", SO_RCVBUFFORCE)):
        with contextlib.suppress(OSError):  # the second, beyond what the system allows to everybody, is for root
            made.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
    return made
