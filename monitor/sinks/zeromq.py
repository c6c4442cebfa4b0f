"""Events on a ZeroMQ XPUB socket, [topic, JSON] for any number of subscribers, and a ROUTER for what they missed.

A heartbeat every second says how far the stream has come. A subscriber that does not read is held `high_water_mark`
messages (and what fits the TCP buffers); then libzmq drops the newest for this subscriber alone, and it asks for them
later. The publisher never waits for anybody.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import zmq

from monitor.delivery.publisher_sockets import PublisherAddresses, PublisherSockets
from monitor.delivery.recent_events import RecentEvents
from monitor.delivery.replay_server import ReplayServer
from monitor.delivery.topics import TopicIndex
from monitor.errors import SinkError
from monitor.events import wire
from monitor.events.schema.schema_files import SOURCE
from monitor.events.sink import RunContext, Sink
from monitor.types import Event

SNAPSHOT_BURST = 200
"""Messages of a snapshot in one tick, about 13 000 a second: libzmq drops what a newcomer cannot read in time, and
live events should not wait for a large snapshot."""
SUBSCRIPTIONS_S = 0.005
"""The time in one tick for reading subscriptions: each means a look through all topics."""
GREETING_S = 0.1
"""Between two heartbeats for subscribers that have just come."""
MAX_REQUESTS = 50
"""Read in one tick."""
SOON_S = 0.015
"""Between two ticks while a snapshot is sent or the journal is read."""
SUBSCRIBE, UNSUBSCRIBE = b"\x01", b"\x00"


class ZeromqSink(Sink):
    """Binds at once and is then used by one thread. address, replay: where it is bound, the port filled in for `:*`.

    Heartbeats carry the figures that start() gives access to.
    """

    name = "zeromq"
    waits = True

    def __init__(
        self,
        places: PublisherAddresses,
        epoch: str,
        heartbeat_s: float = 1.0,
        history: RecentEvents | None = None,
        journal: Path | None = None,
        source: str = SOURCE,
    ) -> None:
        """epoch: that of the bus. history, journal: what requests are answered from. source: name of this monitor in
        CloudEvents. Raises BadInputError when an address is taken or cannot be bound, or there are no keys.
        """
        self._run = RunContext("", dict, list)
        self._epoch, self._source = epoch, source
        self._heartbeat_s = heartbeat_s
        self._topics = TopicIndex()
        self._history = history or RecentEvents(0, 0)
        self._due: dict[bytes, None] = {}
        self._next_heartbeat = self._next_greeting = 0.0
        self._greet = self._subscriptions_wait = False
        self._sockets = PublisherSockets(places)
        self.address, self.replay = self._sockets.address, self._sockets.replay
        self._replays = ReplayServer(epoch, self._topics, self._history, journal if self.replay else None)

    def start(self, run: RunContext) -> None:
        """Send the figures of the engine with every heartbeat."""
        self._run = run

    def emit(self, event: Event) -> None:
        """Send to all whose subscription matches. Raises SinkError when libzmq refuses."""
        self._sockets.rebind()
        name = wire.topic(event)
        topic = name.encode()
        if not event.seq:
            self._send(topic, wire.encode(event))
            return
        prev, is_followed = self._topics.record(topic, event)
        body = wire.encode(event, prev)
        self._history.add(event.seq, name, body)
        if is_followed or self._subscriptions_wait:  # who is not read yet counts from there on
            self._send(topic, body)

    def tick(self) -> None:
        """Answer who is new and who asks, and send the heartbeat when it is due."""
        if self._sockets.check():
            self._topics.all_closed()
        self._read_subscriptions()
        self._send_snapshot()
        self._answer_requests()
        now = time.monotonic()
        if now >= self._next_heartbeat or (self._greet and not self._due and now >= self._next_greeting):
            self._heartbeat("heartbeat")

    def tick_in_s(self) -> float:
        """Return the time until the next heartbeat, or until there may be more to send."""
        if self._due or self._replays.busy:
            return SOON_S
        next_one = self._next_greeting if self._greet else self._next_heartbeat
        return min(next_one - time.monotonic(), self._sockets.check_in_s())

    def wait(self, timeout_s: float) -> bool:
        """Wait for what a peer sends."""
        return self._sockets.wait(timeout_s)

    def wake(self) -> None:
        """End wait()."""
        self._sockets.wake()

    def close(self) -> None:
        """Say goodbye and wait a moment for what is on its way. May be called twice."""
        if self._sockets.closed:
            return
        # A goodbye that libzmq refuses tells nobody anything; the sockets are to be closed all the same.
        with contextlib.suppress(SinkError):
            self._heartbeat("stopped")
        self._replays.close()
        self._sockets.close()

    def _send(self, topic: bytes, body: bytes) -> None:
        try:
            self._sockets.events.send(topic, zmq.SNDMORE)
            self._sockets.events.send(body)
        except zmq.ZMQError as error:
            raise SinkError(f"{self.address}: {zmq.strerror(error.errno or 0)}") from error

    def _read_subscriptions(self) -> None:
        until = time.monotonic() + SUBSCRIPTIONS_S
        self._subscriptions_wait = True
        while time.monotonic() < until:
            frames = _waiting(self._sockets.events)
            if not frames:
                self._subscriptions_wait = False
                return
            message = frames[0].bytes
            prefix = message[1:]
            if message[:1] == SUBSCRIBE:
                if not self._topics.subscribe(prefix) and self._sockets.cut_largest():
                    self._topics.all_closed()
                    return
                # In order of their first mention, each topic once: whoever else waits for it gets this one too.
                self._due.update(dict.fromkeys(self._topics.current(prefix)))
                self._greet |= wire.HEALTH.encode().startswith(prefix)
            elif message[:1] == UNSUBSCRIBE:
                self._topics.unsubscribe(prefix)

    def _send_snapshot(self) -> None:
        for _ in range(min(SNAPSHOT_BURST, len(self._due))):
            topic = next(iter(self._due))
            del self._due[topic]
            # As it is now: a live message that overtook the snapshot must not be followed by an older one.
            if found := self._topics.message(topic):
                event, prev = found
                self._send(topic, wire.encode(event, prev, snapshot=True))

    def _answer_requests(self) -> None:
        socket = self._sockets.requests
        for _ in range(MAX_REQUESTS):
            if socket is None or not (frames := _waiting(socket)):
                break
            # What REQ sends has an empty frame in front, which its answer must have too; DEALER may leave it out.
            at = 2 if len(frames) > 2 and not frames[1].bytes else 1
            peer = [frame.bytes for frame in frames[:at]]
            if not self._sockets.may_ask(_user(frames[-1])):
                self._sockets.counts["revoked"] += 1
            elif answer := self._replays.ask(peer, [frame.bytes for frame in frames[at:]]):
                self._reply(peer, answer)
        for to, answer in self._replays.answers():
            self._reply(to, answer)

    def _reply(self, peer: Sequence[bytes], answer: list[bytes]) -> None:
        """Send an answer without waiting: a peer that is gone, or does not read, gets none and may ask again."""
        try:
            if self._sockets.requests is not None:
                self._sockets.requests.send_multipart([*peer, *answer], zmq.NOBLOCK)
        except zmq.ZMQError:
            self._replays.counts["undelivered"] += 1

    def _heartbeat(self, code: str) -> None:
        self._next_heartbeat = time.monotonic() + self._heartbeat_s
        self._next_greeting = time.monotonic() + GREETING_S
        self._greet = False
        newest, sent = self._topics.followed()
        data = {
            **self._run.heartbeat_figures(),
            "code": code,
            "detail": "",
            "usable": True,
            "last_seq": self._topics.last_seq,
            "last": newest,
            "sent": sent,
            "replay": self.replay,
            "source": self._source,
            "requests": dict(self._replays.counts),
            "refused": dict(self._sockets.refused),
        }
        event = Event(wire.HEALTH, "", "", 0, data, 0, self._epoch, wire.utc_now())
        wire.check(event)
        self._send(wire.HEALTH.encode(), wire.encode(event))


def _waiting(socket: zmq.Socket[bytes]) -> list[zmq.Frame]:
    """Return the message that waits, [] where there is none.

    Other threads run meanwhile: libzmq takes in here whatever peers have sent, for seconds while they send a lot, and
    zmq.EVENTS would keep all threads waiting for that, the one that ends such connections among them.
    """
    try:
        return socket.recv_multipart(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return []


def _user(frame: zmq.Frame) -> str:
    """Return the name that ZAP gave to the connection on which a frame came."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
