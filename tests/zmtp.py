"""A peer that speaks ZMTP 3.0 (RFC 23) byte by byte, and so may do what no library would."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import Self

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + bytes(32)


class Peer:
    """Connected and introduced as a socket of that kind."""

    def __init__(self, address: str, kind: bytes = b"SUB", *, introduce: bool = True) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), 5.0)
        if introduce:
            ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
            self.socket.sendall(GREETING + b"\x04" + bytes([len(ready)]) + ready)
            self.socket.settimeout(60.0)
            self._receive(len(GREETING))
            self._receive(self._receive(2)[1])

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.socket.recv(count - len(data)) or _gone()
        return data

    def frame(self, body: bytes, *, more: bool = False) -> None:
        """Raises OSError where the connection was ended."""
        self.socket.sendall(frame(body, more=more))

    def subscribe(self, prefix: bytes) -> None:
        self.frame(b"\x01" + prefix)

    def flood(self, data: bytes, limit: int) -> int:
        """Send it until the connection is ended. Returns how many bytes went out. Raises TimeoutError where the other
        side neither ends it nor takes anything for 20 s.
        """
        sent = 0
        self.socket.settimeout(20.0)
        with contextlib.suppress(ConnectionError):
            while sent < limit:
                sent += self.socket.send(data)
        return sent

    def is_ended_within(self, seconds: float) -> bool:
        """Read until the connection is ended by the other side."""
        until = time.monotonic() + seconds
        self.socket.settimeout(0.1)
        while time.monotonic() < until:
            try:
                if not self.socket.recv(1 << 20):
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
        return False

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _gone() -> bytes:
    raise ConnectionResetError


def frame(body: bytes, *, more: bool = False) -> bytes:
    if len(body) > 255:
        return bytes([2 | more]) + struct.pack(">Q", len(body)) + body
    return bytes([int(more), len(body)]) + body


def is_turned_away(address: str, seconds: float) -> bool:
    """Connect and say nothing: the other side ends the connection, if need be before connect() has returned."""
    try:
        peer = Peer(address, introduce=False)
    except ConnectionError:
        return True
    with peer:
        return peer.is_ended_within(seconds)
