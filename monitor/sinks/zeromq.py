"""Events on a ZeroMQ XPUB socket: [topic, JSON] for any number of subscribers, and a heartbeat every second.

What the pattern lacks is added in docs/alerts.md's terms: late subscribers get the current state, holes can be seen.
A subscriber that does not read is held `high_water_mark` messages (and what fits the TCP buffers); then libzmq drops
the newest for this subscriber alone. The publisher never waits for anybody.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

import zmq

from monitor import wire
from monitor.errors import BadInputError, SinkError
from monitor.ledger import Ledger
from monitor.types import Event

LINGER_MS = 200
"""After the last event: long enough for the end of a call to reach a reading subscriber, short enough that one which
does not read cannot keep the program from ending within a second."""
SNAPSHOT_BURST = 200
"""Messages of a snapshot in one tick, about 13 000 a second: libzmq drops what a newcomer cannot read in time, and
live events should not wait for a large snapshot."""
MAX_SUBSCRIPTIONS = 1_000
"""Read in one tick."""
SUBSCRIBE, UNSUBSCRIBE = b"\x01", b"\x00"

Vitals = Callable[[], Mapping[str, object]]


class ZeromqSink:
    """Binds at once and is then used by one thread. address: where it is bound, the port filled in for `:*`.

    vitals gives fields for each heartbeat (statuses of sinks, latencies); it is called in the sink's thread and may be
    replaced at any time.
    """

    name = "zeromq"

    def __init__(
        self,
        address: str,
        epoch: str,
        heartbeat_s: float = 1.0,
        high_water_mark: int = 10_000,
        vitals: Vitals = dict,
    ) -> None:
        """epoch: that of the bus. Raises BadInputError when the address is taken or cannot be bound."""
        wire.check_address(address)
        self.vitals = vitals
        self._epoch = epoch
        self._heartbeat_s = heartbeat_s
        self._ledger = Ledger()
        self._due: dict[bytes, None] = {}
        self._next_heartbeat = 0.0
        self._greet = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self._socket.setsockopt(zmq.SNDHWM, high_water_mark)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self._socket.setsockopt(zmq.IPV6, int("[" in address))
        self.address = self._bind(address)

    def emit(self, event: Event) -> None:
        """Send to all whose subscription matches. Raises SinkError when libzmq refuses."""
        topic = wire.topic(event).encode()
        prev = self._ledger.record(topic, event) if event.seq else None
        self._send(topic, wire.encode(event, prev))

    def tick(self) -> None:
        """Answer new subscribers and send the heartbeat when it is due."""
        self._read_subscriptions()
        self._send_snapshot()
        if time.monotonic() >= self._next_heartbeat or (self._greet and not self._due):
            self._heartbeat("heartbeat")

    def close(self) -> None:
        """Say goodbye and wait at most LINGER_MS for what is on its way. May be called twice."""
        if self._socket.closed:
            return
        # A goodbye that libzmq refuses tells nobody anything; the socket is to be closed all the same.
        with contextlib.suppress(SinkError):
            self._heartbeat("stopped")
        self._socket.close()
        self._context.term()

    def _bind(self, address: str) -> str:
        try:
            self._socket.bind(address)
            return self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        except (zmq.ZMQError, ValueError) as error:
            self._socket.close(0)
            self._context.term()
            raise _refused(address, error) from error

    def _send(self, topic: bytes, body: bytes) -> None:
        try:
            self._socket.send(topic, zmq.SNDMORE)
            self._socket.send(body)
        except zmq.ZMQError as error:
            raise SinkError(f"{self.address}: {zmq.strerror(error.errno or 0)}") from error

    def _read_subscriptions(self) -> None:
        for _ in range(MAX_SUBSCRIPTIONS):
            if not self._socket.poll(0):
                return
            message = self._socket.recv()
            prefix = message[1:]
            if message[:1] == SUBSCRIBE:
                self._ledger.subscribe(prefix)
                # In order of their first mention, each topic once: whoever else waits for it gets this one too.
                self._due.update(dict.fromkeys(self._ledger.current(prefix)))
                self._greet |= wire.HEALTH.encode().startswith(prefix)
            elif message[:1] == UNSUBSCRIBE:
                self._ledger.unsubscribe(prefix)

    def _send_snapshot(self) -> None:
        for _ in range(min(SNAPSHOT_BURST, len(self._due))):
            topic = next(iter(self._due))
            del self._due[topic]
            # As it is now: a live message that overtook the snapshot must not be followed by an older one.
            if found := self._ledger.message(topic):
                event, prev = found
                self._send(topic, wire.encode(event, prev, snapshot=True))

    def _heartbeat(self, code: str) -> None:
        self._next_heartbeat = time.monotonic() + self._heartbeat_s
        self._greet = False
        data = {
            **self.vitals(),
            "code": code,
            "detail": "",
            "usable": True,
            "last_seq": self._ledger.last_seq,
            "last": self._ledger.newest(),
        }
        event = Event(wire.HEALTH, "", "", 0, data, 0, self._epoch, wire.utc_now())
        wire.check(event)
        self._send(wire.HEALTH.encode(), wire.encode(event))


def _refused(address: str, error: Exception) -> BadInputError:
    other = "choose another with --publish tcp://127.0.0.1:5557, or turn it off with --no-publish"
    if isinstance(error, zmq.ZMQError) and error.errno == zmq.EADDRINUSE:
        return BadInputError(f"{address} is taken: another monitor, or another program, listens there", other)
    reason = zmq.strerror(error.errno or 0) if isinstance(error, zmq.ZMQError) else str(error)
    return BadInputError(f"cannot publish on {address}: {reason}", f"use an address of this machine: {other}")
