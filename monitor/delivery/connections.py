"""Tracks the connections to a socket of libzmq, and names those to end.

libzmq cannot refuse or end a single connection, and takes every subscription that a peer sends. Its monitor names the
file descriptor of each connection, though, and the kernel knows how many bytes came on it (TCP_INFO of Linux): a
connection over a limit is shut down there, whatever its peer sent, and no other one feels it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

TCP_INFO: int = getattr(socket, "TCP_INFO", 0)
_BYTES_RECEIVED = struct.Struct("=Q")
_AT = 128
"""Offset of tcpi_bytes_received in struct tcp_info (include/uapi/linux/tcp.h), there since Linux 4.1."""

_RESET = struct.pack("ii", 1, 0)
"""Lingering for 0 s: once libzmq closes its descriptor, the peer is told so, and the system keeps nothing. Otherwise a
peer that finds no room to send would wait, and what is left of the connection stay, for a minute (tcp_fin_timeout)."""
SILENT_S, GREETING_BYTES = 0.5, 64
"""A peer sends its greeting (ZMTP 3.0, 23/ZMTP) of so many bytes at once; who did not in this time makes room."""


@dataclass(frozen=True)
class ConnectionLimits:
    """connections: in all; of_host: of one address. burst, per_s: bytes that one connection may send at once, and in
    the long run. in_all: bytes that the connections there are may have sent together.
    """

    connections: int
    of_host: int
    burst: int
    per_s: float
    in_all: int


@dataclass
class _Peer:
    host: str
    port: int
    since: float
    received: int = 0


class Connections:
    """The connections of one listening socket. cut: how many were ended, by reason. One thread may use it."""

    def __init__(self, limits: ConnectionLimits, have_room: Callable[[], bool]) -> None:
        """have_room: whether the process can afford one more descriptor."""
        self._limits, self._have_room = limits, have_room
        self._peers: dict[int, _Peer] = {}
        self._of_host: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._peers)

    def accepted(self, fd: int, now: float) -> None:
        """Add an accepted connection. Where there are too many, end one that has said nothing yet, else this one."""
        self.gone(fd)
        name = _name(fd)
        if name is None:
            return
        self._peers[fd] = _Peer(*name, now)
        self._of_host[name[0]] += 1
        if len(self._peers) > self._limits.connections:
            self._cut(self._silent(now, "") or fd, "too many connections")
        elif self._of_host[name[0]] > self._limits.of_host:
            self._cut(self._silent(now, name[0]) or fd, "too many connections of one host")
        elif not self._have_room():
            self._cut(fd, "too few file descriptors")

    def _silent(self, now: float, host: str) -> int:
        """Return the oldest connection, of a host or of any (""), that had SILENT_S and has sent no greeting; 0 where
        there is none."""
        for fd, peer in self._peers.items():
            if now - peer.since > SILENT_S and host in ("", peer.host) and (_received(fd) or 0) < GREETING_BYTES:
                return fd
        return 0

    def gone(self, fd: int) -> None:
        """Remove a connection that has ended."""
        peer = self._peers.pop(fd, None)
        if peer is not None:
            self._of_host[peer.host] -= 1
            if not self._of_host[peer.host]:
                del self._of_host[peer.host]

    def count_received(self) -> int:
        """See how many bytes each connection has sent. Returns how many they are in all."""
        for fd, peer in self._peers.items():
            received = _received(fd)
            peer.received = peer.received if received is None else received
        return sum(peer.received for peer in self._peers.values())

    def check(self, now: float) -> None:
        """End the connections that have sent too much."""
        total = self.count_received()
        for fd, peer in list(self._peers.items()):
            received = peer.received
            if received > self._limits.burst + self._limits.per_s * (now - peer.since):
                total -= received
                self._cut(fd, "sent too much")
        while total > self._limits.in_all and (sent := self.cut_largest("all together sent too much")):
            total -= sent

    def cut_largest(self, why: str) -> int:
        """End the connection that had sent most at the last count. Returns how many bytes that were; 0 where nobody
        knows."""
        fd = max(self._peers, key=lambda fd: self._peers[fd].received, default=None)
        if fd is None or not (sent := self._peers[fd].received):
            return 0
        self._cut(fd, why)
        return sent

    def _cut(self, fd: int, why: str) -> None:
        """Shut a connection down. Its descriptor is libzmq's, and may mean another connection at any moment."""
        peer = self._peers[fd]
        self.gone(fd)
        own = _own(fd)
        if own is None:
            return
        with own, contextlib.suppress(OSError):
            if own.getpeername()[:2] == (peer.host, peer.port):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                own.shutdown(socket.SHUT_RDWR)
                self.cut[why] += 1


def _name(fd: int) -> tuple[str, int] | None:
    """Host and port at the other end; None for what is no connection over TCP, or has ended."""
    own = _own(fd)
    if own is None:
        return None
    with own:
        try:
            if own.family not in (socket.AF_INET, socket.AF_INET6):
                return None
            host, port = own.getpeername()[:2]
        except OSError:
            return None
    return str(host), int(port)


def _own(fd: int) -> socket.socket | None:
    """Return the connection behind a descriptor, under a descriptor of our own."""
    try:
        copy = os.dup(fd)
    except OSError:
        return None
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None


def _received(fd: int) -> int | None:
    """Return the bytes that have come; None where the system does not say, or the connection has ended."""
    if not TCP_INFO:
        return None
    try:
        borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=fd)
    except OSError:
        return None
    try:
        info = borrowed.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256)
        return int(_BYTES_RECEIVED.unpack_from(info, _AT)[0])
    except (OSError, struct.error):
        return None
    finally:
        borrowed.detach()
