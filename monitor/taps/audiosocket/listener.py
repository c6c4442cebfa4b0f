"""AudioSocket over TCP: sockets for the conversations (audiosocket_desk.py), which know what the bytes mean."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import Sequence

from monitor.config.addresses import check_reach, read_address
from monitor.config.taps import AudioSocketSection
from monitor.errors import BadInputError
from monitor.limits.accept_queue import ACCEPTED_AT_ONCE, MOST_SILENT
from monitor.limits.descriptors import DESCRIPTORS
from monitor.limits.reasons import Reasons
from monitor.taps.audiosocket.connection import AudioSocketCall, AudioSocketRules
from monitor.taps.audiosocket.frame_parser import HANGUP, pack
from monitor.taps.tap_events import CallStarted, Deliver, RefusedError

TICK_S = 0.25
READ_BYTES = 4096
"""Read at once: a quarter of a second at 8 kHz, so that a burst never runs over a ring."""
RECEIVE_BUFFER = 1 << 16
"""Bytes that the system holds for a peer that is read slowly."""
MOST_WAITING = MOST_SILENT
"""Connections whose UUID has not come, of one host and beside those of calls; the oldest makes room, so that who says
one at once is heard however many do not.
"""
KEEPALIVE = pack(0x10, bytes(320))
"""20 ms of silence."""
PROBE_S, PROBES = 5, 3
"""TCP keep-alive finds a peer that has vanished within PROBE_S * (1 + PROBES)."""


class AudioSocketListener:
    """Listens until cancelled. bound: (host, port) of each socket, once it does. Raises BadInputError."""

    name = "audiosocket"

    def __init__(self, config: AudioSocketSection, deliver: Deliver, idle_s: float, *, insecure: bool = False) -> None:
        self._addresses = [read_address("taps.audiosocket.listen", text) for text in config.listen]
        secure_by = "AudioSocket has no secret: listen on 127.0.0.1, or behind a VPN"
        for host, _ in self._addresses:
            check_reach("taps.audiosocket.listen", host, secured=False, insecure=insecure, secure_by=secure_by)
        self.counts = Reasons()
        self.bound: list[tuple[str, int]] = []
        self.ready = asyncio.Event()
        self.rules = AudioSocketRules(self._accept, read_uuids(config.allow), config.hello_s, idle_s)
        self._deliver, self._most = deliver, config.max_connections
        self._peers: dict[_Peer, None] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        servers: list[asyncio.Server] = []
        try:
            for host, port in self._addresses:
                servers.append(await self._bind(host, port))
            self.ready.set()
            while True:
                await asyncio.sleep(TICK_S)
                for peer in list(self._peers):
                    peer.tick(time.monotonic())
        finally:
            for server in servers:
                server.close()
            for peer in list(self._peers):
                peer.leave("the monitor stops")
            self.bound = []

    async def _bind(self, host: str, port: int) -> asyncio.Server:
        try:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: _Peer(self), host, port, backlog=ACCEPTED_AT_ONCE)
        except OSError as error:
            raise BadInputError(
                f"taps.audiosocket.listen: {host}:{port} is in use, or no address of this machine",
                "end the other program, or listen on another port",
            ) from error
        for each in server.sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.bound.append((host, int(server.sockets[0].getsockname()[1])))
        return server

    def enter(self, peer: _Peer, host: str) -> str:
        """Let a connection in. Returns why not, or ""."""
        waiting = [other for other in self._peers if not other.conversation.call]
        of_host = [other for other in waiting if other.host == host]
        if len(of_host) >= MOST_WAITING:
            self._make_room(of_host[0], f"more than {MOST_WAITING} connections of a host that have not said a UUID")
        elif waiting and len(self._peers) >= self._most + MOST_WAITING:
            self._make_room(waiting[0], "too many connections that have not said a UUID")
        elif len(self._peers) - len(waiting) >= self._most:
            return f"more than taps.audiosocket.max_connections = {self._most}"
        elif not DESCRIPTORS.have_room():
            return "too few file descriptors"
        self._peers[peer] = None
        return ""

    def _make_room(self, oldest: _Peer, why: str) -> None:
        self.counts[why] += 1
        oldest.leave(why)

    def leave(self, peer: _Peer) -> None:
        """Forget a connection."""
        self._peers.pop(peer, None)

    @property
    def deliver(self) -> Deliver:
        """Return what takes the events of conversations."""
        return self._deliver

    def _accept(self, started: CallStarted) -> str:
        if sum(bool(peer.conversation.call) for peer in self._peers) >= self._most:
            return f"more than taps.audiosocket.max_connections = {self._most}"
        try:
            self._deliver(started)
        except RefusedError as error:
            return str(error)
        return ""


class _Peer(asyncio.BufferedProtocol):
    """One connection. It is read in small pieces, and not at all while its conversation wants to wait."""

    conversation: AudioSocketCall
    host = ""

    def __init__(self, listener: AudioSocketListener) -> None:
        self._listener = listener
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._signed = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; only the peer speaks first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, now = transport, time.monotonic()
        self.host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        _probe(transport.get_extra_info("socket"))
        self.conversation = AudioSocketCall((self.host, port), self._listener.rules, self._listener.counts, now)
        if why := self._listener.enter(self, self.host):
            self._listener.counts[why] += 1
            self.leave(why)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """Return the buffer, which is always the same."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hear it, and perhaps wait."""
        now = time.monotonic()
        for tap_event in self.conversation.feed(bytes(self._buffer[:nbytes]), now):
            self._listener.deliver(tap_event)
        if self.conversation.over:
            self.leave(self.conversation.over)
        elif (wait_s := self.conversation.wait_s(now)) > 0:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(wait_s, self._go_on)

    def eof_received(self) -> bool:
        """End the call: the peer sends no more."""
        self._connection_lost("the peer closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the conversation, whoever closed the connection."""
        self._connection_lost(f"the connection broke: {exc}" if exc else "the peer closed the connection")

    def _connection_lost(self, why: str) -> None:
        self.leave(why + ", in the middle of a frame" * self.conversation.unfinished)

    def tick(self, now: float) -> None:
        """End what stalls; keep alive what is only silent."""
        for tap_event in self.conversation.tick(now):
            self._listener.deliver(tap_event)
        if self.conversation.over:
            self.leave(self.conversation.over)
        elif self.conversation.silent(now) and now - self._signed > 1.0 and not self._transport.get_write_buffer_size():
            self._signed = now
            self._transport.write(KEEPALIVE)

    def leave(self, why: str) -> None:
        """End the call, and hang up in a way after which a dialplan goes on."""
        self._listener.leave(self)
        for tap_event in self.conversation.gone(why):
            self._listener.deliver(tap_event)
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
            return
        self._transport.write(pack(HANGUP))
        self._transport.close()

    def _go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()


def _probe(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", PROBE_S), ("TCP_KEEPINTVL", PROBE_S), ("TCP_KEEPCNT", PROBES)):
        with contextlib.suppress(AttributeError, OSError):  # not every system lets these be set
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def read_uuids(texts: Sequence[str]) -> frozenset[uuid.UUID]:
    """Read the UUIDs of calls. Raises BadInputError."""
    found = set()
    for text in texts:
        try:
            found.add(uuid.UUID(text))
        except ValueError as error:
            raise BadInputError(
                f"taps.audiosocket.allow: {text!r} is not a UUID", "write it as in the dialplan, 8-4-4-4-12 digits"
            ) from error
    return frozenset(found)
