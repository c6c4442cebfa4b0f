"""Reads the datagrams that wait at a socket, many with one system call where the system can.

Each call lets another thread have the interpreter, which this one gets back after a while only: with ten thousand
packets a second, one call each, it would wait more than it reads.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from collections.abc import Callable, Iterator

import numpy as np

from monitor.captures.ip_packets import Endpoint

AT_ONCE = 128
"""Datagrams of one system call."""
MOST_SENDERS = 10_000
"""Addresses whose text is kept; beyond it all are forgotten."""
_ADDRESS = 28
"""Bytes of the longer address, that of IPv6."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr of recvmmsg(2)."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


Datagram = tuple[bytes, Endpoint]


class DatagramReader:
    """longest: bytes of a datagram that are read; of a longer one, one more."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._receive = _recvmmsg()
        self._senders: dict[bytes, Endpoint] = {}
        if self._receive is not None:
            self._lay_out(longest + 1)

    def read(self, source: socket.socket, most: int) -> Iterator[Datagram]:
        """Yield the datagrams that wait at a socket that never waits, about so many at most."""
        if self._receive is None or source.family not in (socket.AF_INET, socket.AF_INET6):
            yield from self._one_by_one(source, most)
            return
        for _ in range(max(1, most // AT_ONCE)):
            self._name_lengths[:] = _ADDRESS
            count = self._receive(source.fileno(), self._messages, AT_ONCE, 0, None)
            if count < 0 and ctypes.get_errno() in (errno.EAGAIN, errno.EWOULDBLOCK):
                return
            if count > 0:
                yield from self._datagrams(source, count)
            if 0 <= count < AT_ONCE:
                return

    def _datagrams(self, source: socket.socket, count: int) -> Iterator[Datagram]:
        size, data, names = self._longest + 1, memoryview(self._data), bytes(self._names)
        known, slots = self._senders, range(0, count * size, size)
        for i, (at, length) in enumerate(zip(slots, self._lengths[:count].tolist(), strict=True)):
            name = names[i * _ADDRESS : (i + 1) * _ADDRESS]
            sender = known.get(name)
            if sender is None:
                sender = self._sender(source, name)
            yield bytes(data[at : at + length]), sender

    def _sender(self, source: socket.socket, name: bytes) -> Endpoint:
        """Return host and port of a struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)), as recvfrom() does."""
        host = name[4:8] if source.family == socket.AF_INET else name[8:24]
        if len(self._senders) >= MOST_SENDERS:
            self._senders.clear()
        self._senders[name] = socket.inet_ntop(source.family, host), int.from_bytes(name[2:4])
        return self._senders[name]

    def _one_by_one(self, source: socket.socket, most: int) -> Iterator[Datagram]:
        for _ in range(most):
            try:
                data, (host, port, *_) = source.recvfrom(self._longest + 1)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP message for something that was never sent
            yield data, (host, port)

    def _lay_out(self, size: int) -> None:
        """Make the buffers, and what says where they are."""
        self._data = (ctypes.c_char * (AT_ONCE * size))()
        self._names = (ctypes.c_char * (AT_ONCE * _ADDRESS))()
        self._messages, self._vectors = (_Message * AT_ONCE)(), (_Vector * AT_ONCE)()
        for i, message in enumerate(self._messages):
            self._vectors[i] = _Vector(ctypes.addressof(self._data) + i * size, size)
            message.header.name = ctypes.addressof(self._names) + i * _ADDRESS
            message.header.vectors = ctypes.pointer(self._vectors[i])
            message.header.vector_count = 1
        step, raw = (ctypes.sizeof(_Message),), np.frombuffer(memoryview(self._messages), np.uint8)
        places = _Message.length.offset, _Header.name_length.offset
        self._lengths, self._name_lengths = (np.ndarray(AT_ONCE, np.uint32, raw, at, step) for at in places)


def _recvmmsg() -> Callable[..., int] | None:
    """Return the system's call for many datagrams; None where there is none, as outside of Linux."""
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "recvmmsg", None)
    if function is not None:
        function.restype = ctypes.c_int
        function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    return function
