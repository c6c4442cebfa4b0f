"""The subscriber's sockets: SUB for the stream, DEALER for what was missed, a monitor that sees refusals.

The stream's socket connects again by itself, after a tenth of a second and then at most every second. The other is
thrown away and made anew when no answer comes (the guide's Lazy Pirate, https://zguide.zeromq.org/docs/chapter4/): a
request has no effect but its answer, so that asking twice does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zmq

from monitor.delivery import requests
from monitor.delivery.answer_timeout import LONGEST_STEP_S, AnswerTimeout
from monitor.delivery.keys import KeyPair
from monitor.delivery.requests import SubscriberRequest
from monitor.delivery.socket_events import read_socket_event
from monitor.errors import BadInputError
from monitor.events import wire

FIRST_RECONNECT_MS, LONGEST_RECONNECT_MS = 100, 1_000
CONNECT_MS = 3_000
"""The longest that a connection may take to be made. The system itself would wait longer and longer, for two minutes,
where the publisher has no room at first.
"""
BUSY_S = 0.05
"""After "too many requests"."""
BUSY = frozenset(("busy", "limited"))
"""Who answers is there and will answer: that is no time without an answer. Not so where the journal cannot be read, or
waits for room, which may last for days while alerts wait behind it."""
REFUSED_RETRY_S = 2.0
HELD_ANSWERS = 4
REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
NEVER = float("inf")

Socket = zmq.Socket[bytes]


@dataclass(frozen=True)
class Endpoint:
    """The address to connect to, the server's public key and the subscriber's own keys."""

    address: str
    server_key: str = ""
    keys: KeyPair | None = None

    def __post_init__(self) -> None:
        if bool(self.server_key) != bool(self.keys and self.keys.secret):
            raise BadInputError(
                "an encrypted stream needs two keys: the publisher's public one and your own secret one",
                "give both --server-key and --key, or neither",
            )


class SubscriberSockets:
    """Connects at once. Used by one thread."""

    def __init__(self, line: Endpoint, topics: Sequence[str], high_water_mark: int) -> None:
        """Raises BadInputError for an address or a key that libzmq refuses."""
        self._line, self._topics, self._high_water_mark = line, topics, high_water_mark
        self._context: zmq.Context[Socket] = zmq.Context()
        self._replay = ""
        self._dealer: Socket | None = None
        self._asked: SubscriberRequest | None = None
        self._waits = False
        self._timeout = AnswerTimeout(time.monotonic())
        self._ask_at = self._reconnect_at = NEVER
        try:
            self._connect()
        except BadInputError:
            self._context.destroy(0)
            raise

    def close(self) -> None:
        """Disconnect. May be called twice."""
        if not self._context.closed:
            self._context.destroy(0)

    def replay_at(self, address: str) -> None:
        """Set the address that answers requests; it takes effect with the next request."""
        if address != self._replay:
            self._replay = address
            self._hang_up()
            self._ask_at = 0.0

    def wait(self, within_s: float) -> bool:
        """Wait until there is something to do, at most so long, and at most LONGEST_STEP_S while an answer is awaited.

        Returns whether something is.
        """
        now = time.monotonic()
        due = min(self._ask_at, self._reconnect_at)
        within_s = max(0.0, min(within_s, due - now, LONGEST_STEP_S if self._waits else NEVER))
        self._timeout.advance(now)
        poller = zmq.Poller()
        for socket in (self._monitor, self._dealer, self._sub):
            if socket is not None:
                poller.register(socket, zmq.POLLIN)
        arrived = poller.poll(None if within_s == NEVER else int(within_s * 1000) + 1)
        now = time.monotonic()
        self._timeout.advance(now)
        return bool(arrived) or now >= due

    def message(self) -> list[bytes] | None:
        """Return the next of the stream, if there is one."""
        try:
            return self._sub.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def answer(self) -> tuple[Mapping[str, Any], list[bytes]] | None:
        """Return the head and the events of an answer, if there is one that can be read."""
        try:
            frames = self._dealer.recv_multipart(zmq.NOBLOCK) if self._dealer is not None else None
        except zmq.Again:
            return None
        try:
            head = requests.head(frames[0]) if frames else {}
        except BadInputError:
            return None
        if not frames or head.get("reply") == "error":
            if head.get("wait"):
                self._ask_at = time.monotonic() + BUSY_S
            if head.get("code") in BUSY:
                self.restart_timeout()
            return None
        return head, frames[1:]

    def ask(self, request: SubscriberRequest | None, waits: bool) -> None:
        """See to it that the request, if any, is made, and made again where no answer comes. waits: whether there is
        something else that only the publisher can tell.
        """
        if request != self._asked or not (self._waits or waits):
            self.restart_timeout()
        again, self._asked, self._waits = request == self._asked, request, waits or request is not None
        if request is None:
            self._ask_at = NEVER
        elif not again or self._timeout.is_due or time.monotonic() >= self._ask_at:
            if again and self._timeout.is_due:
                self._hang_up()
                self._timeout.retried()
            self._send(request.encode())

    def is_waiting(self, seconds: float) -> bool:
        """Return False when what was asked for has been waited for longer than that."""
        return not self._waits or self._timeout.total < seconds

    def message_came(self) -> None:
        """Note that the stream is alive: only time in which it is counts towards the answer's timeout."""
        self._timeout.message_came()

    def restart_timeout(self) -> None:
        """Restart the timeout: an answer came, or the publisher may have been away."""
        self._timeout.answer_came(time.monotonic())

    def refusal(self) -> str:
        """Return why the publisher does not let us in, when it has just said so; else ""."""
        reason = ""
        while self._monitor.poll(0):
            event = read_socket_event(self._monitor)[0]
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                reason = "this key is not allowed, or was revoked"
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                reason = _mismatch(self._line)
            self._reconnect_at = time.monotonic() + REFUSED_RETRY_S  # libzmq itself tries no more
        if time.monotonic() >= self._reconnect_at:
            self._reconnect_at = NEVER
            self._sub.disable_monitor()
            self._sub.close(0)
            self._monitor.close(0)
            self._connect()
        return reason

    def _connect(self) -> None:
        socket = self._new(zmq.SUB)
        self._monitor = socket.get_monitor_socket(REFUSALS)
        socket.setsockopt(zmq.RCVHWM, self._high_water_mark)
        # Before connecting, so that all prefixes arrive at once; heartbeats are needed whatever was chosen.
        for prefix in {*self._topics, wire.HEALTH}:
            socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        try:
            socket.connect(self._line.address)
        except zmq.ZMQError as error:
            hint = "write the address at which the monitor publishes, such as tcp://127.0.0.1:5556"
            reason = zmq.strerror(error.errno or 0)
            raise BadInputError(f"cannot subscribe to {self._line.address}: {reason}", hint) from error
        self._sub = socket

    def _new(self, kind: int) -> Socket:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, FIRST_RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, LONGEST_RECONNECT_MS)
        socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_MS)
        # The kernel notices a dead network without help of this process, which may be suspended for a while.
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
        socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
        socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
        socket.setsockopt(zmq.IPV6, int("[" in self._line.address))
        if self._line.keys is not None:
            socket.setsockopt(zmq.CURVE_SERVERKEY, self._line.server_key.encode())
            socket.setsockopt(zmq.CURVE_PUBLICKEY, self._line.keys.public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._line.keys.secret.encode())
        return socket

    def _send(self, request: bytes) -> None:
        self._ask_at = NEVER
        if self._dealer is None:
            self._dealer = self._new(zmq.DEALER)
            self._dealer.setsockopt(zmq.RCVHWM, HELD_ANSWERS)
            self._dealer.connect(self._replay)
        try:
            self._dealer.send(request, zmq.NOBLOCK)
        except zmq.Again:  # it is made again later
            return

    def _hang_up(self) -> None:
        if self._dealer is not None:
            self._dealer.close(0)
            self._dealer = None


def replay_address(stream: str, announced: str) -> str:
    """Return where to ask, given what a heartbeat said: the publisher knows its port, the subscriber knows its host."""
    if not announced.startswith("tcp://") or not stream.startswith("tcp://"):
        return announced
    return f"{stream.rpartition(':')[0]}:{announced.rpartition(':')[2]}"


def _mismatch(line: Endpoint) -> str:
    if line.keys is None:
        return "the stream is encrypted: give --server-key and --key"
    return "the stream is not encrypted, or something else listens there"
