"""The publisher's sockets: XPUB for events, ROUTER for requests, and with keys ZAP, which says who may connect.

All of them are closed and bound anew when a key was revoked: libzmq has no other way to end a connection. Whoever is
still allowed is back within a tenth of a second, and fetches what it missed.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path
from socket import socketpair

import zmq

from monitor.delivery import keys, zap
from monitor.delivery.bind_addresses import AUTO, Socket, bind, bind_replay
from monitor.delivery.connection_guard import ConnectionGuard
from monitor.delivery.connections import ConnectionLimits
from monitor.delivery.requests import MAX_BYTES
from monitor.errors import BadInputError, SinkError
from monitor.events import wire
from monitor.limits.accept_queue import ACCEPT_QUEUE

LINGER_MS = 200
"""After the last event: long enough for the end of a call to reach a reading subscriber, short enough that one which
does not read cannot keep the program from ending within a second."""
ANSWERS_HELD = 8
"""Answers of up to a MiB that wait for one peer; one that does not read gets no more."""
MAX_MESSAGE_BYTES = 4 * MAX_BYTES
"""libzmq drops the connection of whoever announces a larger frame, before it allocates anything. What lies between is
read and answered with an error."""
MAX_SUBSCRIPTION_BYTES = 1024
"""The same limit for a subscription: the longest prefix that is followed, encrypted, and the frames of a handshake."""
SUBSCRIPTIONS_HELD = 8
"""Subscriptions of one peer that libzmq reads ahead. It takes all of them in before anybody can refuse one, and to let
go of a connection it walks through those of all: who floods is to be cut off before many were read."""
BACKLOG = 100
"""Messages of one peer that libzmq reads ahead."""
OF_EVENTS = ConnectionLimits(connections=2000, of_host=1000, burst=16 << 10, per_s=64.0, in_all=4 << 20)
"""A subscriber sends its handshake, its prefixes and at most a ping a second. libzmq needs some 40 bytes of memory for
each byte of a prefix."""
OF_REQUESTS = ConnectionLimits(connections=2000, of_host=1000, burst=256 << 10, per_s=32768.0, in_all=64 << 20)
HANDSHAKE_MS = 5_000
KEYS_CHECK_S = 1.0


@dataclass(frozen=True)
class PublisherAddresses:
    """The addresses to bind, and how. replay: an address, "auto" (the port after, or any free one), or "" for none.

    keys: the folder of them, None for no encryption. high_water_mark: messages held for one slow subscriber.
    """

    address: str
    replay: str = ""
    high_water_mark: int = 10_000
    keys: Path | None = None


class PublisherSockets:
    """Binds at once. Used by one thread."""

    def __init__(self, places: PublisherAddresses) -> None:
        """Raises BadInputError when an address is taken or cannot be bound, or there are no keys."""
        wire.check_address(places.address)
        if places.replay not in ("", AUTO):
            wire.check_address(places.replay)
        self._places = places
        self._server = keys.server(places.keys) if places.keys else None
        self._allowed = self._read_keys()
        self._next_check = time.monotonic() + KEYS_CHECK_S
        self._down = False
        self._wake_receiver, self._wake_sender = socketpair()
        for end in (self._wake_receiver, self._wake_sender):
            end.setblocking(False)
        self.counts: Counter[str] = Counter()
        self.address, self.replay = places.address, places.replay
        self._open()

    @property
    def closed(self) -> bool:
        """Return whether close() was called."""
        return self.events.closed

    @property
    def refused(self) -> Counter[str]:
        """Count connections that were turned away or ended, by reason."""
        return sum((guard.refused() for guard in self._guards), self.counts.copy())

    def cut_largest(self) -> bool:
        """End the connection that has sent most, since there is no room for another subscription. Returns whether all
        connections were closed for that, because the system does not say which one it is.
        """
        if self._guards[0].cut_largest("too many subscriptions"):
            return False
        self.counts["all, for too many subscriptions"] += 1
        self._reset()
        return True

    def check(self) -> bool:
        """Answer who wants to connect, and look at the keys. Returns whether all connections were closed for that."""
        self.rebind()
        self._authenticate()
        now = time.monotonic()
        if self._places.keys is None or now < self._next_check:
            return False
        self._next_check = now + KEYS_CHECK_S
        before, self._allowed = self._allowed, self._read_keys()
        if before <= self._allowed:
            return False
        self.counts["revoked"] += len(before - self._allowed)
        self._reset()
        return True

    def check_in_s(self) -> float:
        """Return the time until the keys are to be looked at again."""
        return inf if self._places.keys is None else self._next_check - time.monotonic()

    def wait(self, timeout_s: float) -> bool:
        """Wait until a peer has sent something, or wake() is called. Returns whether a peer has, or the time is over.

        Other threads run meanwhile, and libzmq takes in here what peers have sent.
        """
        ready = dict(self._poller.poll(None if timeout_s == inf else max(0, ceil(timeout_s * 1000))))
        if ready.pop(self._wake_receiver.fileno(), 0):
            with suppress(BlockingIOError):
                self._wake_receiver.recv(64)
            return bool(ready)
        return True

    def wake(self) -> None:
        """End wait(). Any thread may call it."""
        with suppress(OSError):  # full of calls, or closed
            self._wake_sender.send(b"!")

    def rebind(self) -> None:
        """Bind anew where that failed after keys were revoked. Raises SinkError while it fails."""
        if not self._down:
            return
        try:
            self._open()
        except BadInputError as error:
            raise SinkError(error.message) from error
        self._down = False

    def _reset(self) -> None:
        """Close all connections and bind anew."""
        self._close(0)
        self._down = True
        self.rebind()

    def may_ask(self, user: str) -> bool:
        """Return whether the key of a connection, as ZAP named it, is still allowed."""
        return self._server is None or bytes.fromhex(user or "") in self._allowed

    def close(self) -> None:
        """Wait at most LINGER_MS for what is on its way. May be called twice."""
        if not self.events.closed:
            self._close(LINGER_MS)
            self._wake_receiver.close()
            self._wake_sender.close()

    def _open(self) -> None:
        self._context: zmq.Context[Socket] = zmq.Context()
        self.requests: Socket | None = None
        self._guards: list[ConnectionGuard] = []
        try:
            self._zap = self._open_zap()
            self.events = self._new(zmq.XPUB, self._places.high_water_mark, MAX_SUBSCRIPTION_BYTES)
            self._guards.append(ConnectionGuard(self.events, OF_EVENTS))
            self.events.setsockopt(zmq.XPUB_VERBOSE, 1)
            self.address = bind(self.events, self.address, "--publish")
            if self.replay:
                self.requests = self._new(zmq.ROUTER, ANSWERS_HELD, MAX_MESSAGE_BYTES)
                self._guards.append(ConnectionGuard(self.requests, OF_REQUESTS))
                self.requests.setsockopt(zmq.ROUTER_MANDATORY, 1)
                self.replay = bind_replay(self.requests, self.replay, self.address)
            self._poller = self._new_poller()
        except BaseException:
            for guard in self._guards:
                guard.close()
            self._context.destroy(0)
            raise

    def _open_zap(self) -> Socket | None:
        if self._server is None:
            return None
        socket = self._context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(zap.ENDPOINT)
        return socket

    def _new(self, kind: int, high_water_mark: int, most_bytes: int) -> Socket:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.SNDHWM, high_water_mark)
        socket.setsockopt(zmq.RCVHWM, SUBSCRIPTIONS_HELD if kind == zmq.XPUB else BACKLOG)
        socket.setsockopt(zmq.MAXMSGSIZE, most_bytes)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        socket.setsockopt(zmq.BACKLOG, ACCEPT_QUEUE)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.IPV6, int("[" in self._places.address))
        if self._server is not None:
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._server.secret.encode())
            socket.setsockopt(zmq.ZAP_DOMAIN, zap.DOMAIN.encode())
        return socket

    def _new_poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        for socket in (self.events, self.requests, self._zap):
            if socket is not None:
                poller.register(socket, zmq.POLLIN)
        poller.register(self._wake_receiver.fileno(), zmq.POLLIN)
        return poller

    def _read_keys(self) -> frozenset[bytes]:
        if self._places.keys is None:
            return frozenset()
        from zmq.utils import z85

        return frozenset(z85.decode(key.encode()) for key in keys.readable(self._places.keys).values())

    def _authenticate(self) -> None:
        while self._zap is not None and self._zap.poll(0):
            answer = zap.answer(self._zap.recv_multipart(), self._allowed)
            self._zap.send_multipart(answer or [b""])

    def _close(self, linger_ms: int) -> None:
        for guard in self._guards:
            guard.close()
        for socket in (self.events, self.requests):
            if socket is not None:
                socket.close(linger_ms)
        if self._zap is not None:
            self._zap.close(0)
        self._context.term()
