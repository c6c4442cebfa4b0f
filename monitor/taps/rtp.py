"""RTP over UDP: sockets for the desk (rtp_desk.py), which knows what the packets mean."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import BadInputError
from monitor.rtp.payload import COMFORT_NOISE, DECODERS, EVENTS, STATIC, USUAL, Format
from monitor.rtp.sdp import Media, parse_sdp
from monitor.taps.config import RtpSection
from monitor.taps.happenings import CallStarted, Deliver, RefusedError
from monitor.taps.rtp_desk import Line, RtpDesk
from monitor.taps.safety import check_reach

TICK_S = 0.02
RECEIVE_BUFFER = 4 << 20
"""Bytes that the system holds for a socket while nobody reads: 0.2 s of 200 calls and more."""
CALLER, CALLEE = "caller", "callee"


@dataclass(frozen=True)
class Bound:
    """A line and the host that it listens on."""

    host: str
    line: Line


def read_line(text: str, formats: Mapping[int, Format], media: tuple[Media, ...]) -> Bound:
    """HOST:PORT for calls of one party, HOST:PORT+PORT for caller and callee. Raises BadInputError."""
    host, _, numbers = text.rpartition(":")
    ports = [int(p) if p.isascii() and p.isdigit() else -1 for p in numbers.split("+")]
    if not host or not 1 <= len(ports) <= 2 or not all(0 <= p < 65_536 for p in ports):
        raise BadInputError(
            f"taps.rtp.listen: {text!r} is no address",
            "write HOST:PORT for calls of one party, HOST:PORT+PORT for the two parties of a call",
        )
    names = (CALLER, CALLEE) if len(ports) == 2 else ("party",)
    each = tuple({**STATIC, **USUAL, **formats, **_announced(media, port)} for port in ports)
    return Bound(host.strip("[]"), Line(tuple(ports), names, each))


def _announced(media: tuple[Media, ...], port: int) -> dict[int, Format]:
    """What a description says of a port; of all ports where it does not name this one."""
    here = [m for m in media if m.port == port] or list(media)
    return {kind: form for m in here for kind, form in m.formats.items()}


def read_formats(types: Mapping[str, str]) -> dict[int, Format]:
    """Of payload types such as "96" = "opus/48000/2". Raises BadInputError."""
    formats = {}
    for kind, text in types.items():
        name, _, rest = text.partition("/")
        rate, _, channels = rest.partition("/")
        known = name.upper() in {*DECODERS, COMFORT_NOISE, EVENTS}
        number = int(kind) if kind.isascii() and kind.isdigit() else -1
        if not known or not 0 <= number < 128 or not rate.isdigit() or channels not in ("", "1", "2"):
            raise BadInputError(
                f'taps.rtp.payload_types: {kind} = "{text}" makes no sense',
                f'write 96 = "opus/48000/2"; known are {", ".join(DECODERS)}',
            )
        formats[number] = Format(name.upper(), int(rate), int(channels or 1))
    return formats


def read_description(path: str) -> tuple[Media, ...]:
    """The audio of an SDP file; () where there is no path. Raises BadInputError."""
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


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, listener: RtpListener, line: Line, party: int) -> None:
        self._listener, self._line, self._party = listener, line, party

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """IPv6 addresses come with a flow and a scope, which do not matter here."""
        self._listener.datagram(self._line, self._party, data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """An ICMP message for something that was never sent: nothing to do."""


class RtpListener:
    """Listens until cancelled. bound: (host, port) of each socket, once it does. Raises BadInputError."""

    name = "rtp"

    def __init__(self, config: RtpSection, deliver: Deliver, idle_s: float, *, insecure: bool = False) -> None:
        formats, media = read_formats(config.payload_types), read_description(config.sdp)
        self._lines = [read_line(text, formats, media) for text in config.listen]
        for bound in self._lines:
            secure_by = "RTP has no secret: listen on 127.0.0.1 behind a VPN or a relay"
            check_reach("taps.rtp.listen", bound.host, secured=False, insecure=insecure, secure_by=secure_by)
        self._deliver = deliver
        self._desk = RtpDesk(self._accept, idle_s)
        self.bound: list[tuple[str, int]] = []
        self.ready = asyncio.Event()

    @property
    def counts(self) -> Counter[str]:
        """Packets that were not heard, by the reason."""
        return self._desk.counts

    async def run(self) -> None:
        """Listen until cancelled."""
        loop = asyncio.get_running_loop()
        transports = []
        try:
            for bound in self._lines:
                for party, port in enumerate(bound.line.ports):
                    found = await self._bind(loop, bound, party, port)
                    transports += found
            self.ready.set()
            while True:
                await asyncio.sleep(TICK_S)
                for happening in self._desk.tick(time.monotonic()):
                    self._deliver(happening)
        finally:
            for transport in transports:
                transport.close()
            for happening in self._desk.close():
                self._deliver(happening)

    async def _bind(
        self, loop: asyncio.AbstractEventLoop, bound: Bound, party: int, port: int
    ) -> list[asyncio.DatagramTransport]:
        """The port of a party, and the one above it for RTCP where that is free (RFC 3550, section 11)."""
        transport = await self._open(loop, bound, party, port)
        if transport is None:
            raise BadInputError(
                f"taps.rtp.listen: {bound.host}:{port} is in use, or no address of this machine",
                "end the other program, or listen on another port",
            )
        taken = int(transport.get_extra_info("sockname")[1])
        self.bound.append((bound.host, taken))
        if taken % 2 or taken + 1 in bound.line.ports:
            return [transport]
        control = await self._open(loop, bound, party, taken + 1)
        return [transport, *([control] if control is not None else [])]

    async def _open(
        self, loop: asyncio.AbstractEventLoop, bound: Bound, party: int, port: int
    ) -> asyncio.DatagramTransport | None:
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Socket(self, bound.line, party), local_addr=(bound.host, port)
            )
        except OSError:
            return None
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return transport

    def datagram(self, line: Line, party: int, data: bytes, source: tuple[str, int]) -> None:
        """Hear one datagram."""
        for happening in self._desk.datagram(line, party, data, source, time.monotonic()):
            self._deliver(happening)

    def _accept(self, started: CallStarted) -> bool:
        try:
            self._deliver(started)
        except RefusedError:
            self._desk.counts["refused calls"] += 1
            return False
        return True
