"""The receiving end of the stream: events of a running monitor, and what went missing on the way.

with Subscriber("tcp://127.0.0.1:5556", topics=["alert."]) as subscriber:
    for item in subscriber:
        print(item)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import zmq

from monitor import wire
from monitor.continuity import Continuity, Missed
from monitor.errors import BadInputError
from monitor.wire import Message

__all__ = ["Item", "Message", "Missed", "Restarted", "Returned", "Silent", "Subscriber", "Unreadable"]

SETTLE_S = 0.1
"""After a pause of this process (suspended, stopped) what has arrived meanwhile comes first."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """Another run of the publisher answers; numbers start again at 1."""

    epoch: str


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came for so long, not even a heartbeat: what was heard last may no longer hold."""

    seconds: float
    address: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The publisher is heard again after Silent."""

    address: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something came that is no event of a monitor."""

    topic: str
    reason: str


Item = Message | Missed | Restarted | Silent | Returned | Unreadable


class Subscriber:
    """Receives what matches any of the topic prefixes; connects, and connects again, by itself.

    A prefix matches the beginning of a topic: "alert." all alerts, "score.call1." the scores of call1, "" everything.
    heartbeats: whether to deliver those too. One thread may use it.
    """

    def __init__(
        self,
        address: str,
        topics: Sequence[str] = ("",),
        heartbeats: bool = False,
        silence_s: float = 3.0,
        high_water_mark: int = 10_000,
    ) -> None:
        """silence_s: without a heartbeat for so long, Silent is reported. high_water_mark: messages held here.

        Raises BadInputError for an address that cannot be one; that nobody answers there is no error.
        """
        if isinstance(topics, str):
            raise BadInputError("topics must be a list of prefixes", f"write topics=[{topics!r}]")
        wire.check_address(address)
        if address.endswith((":0", ":*")):
            raise BadInputError(f"{address} names no port", "write the address at which the monitor publishes")
        self.address = address
        self.epoch = ""
        self._topics = tuple(topics)
        self._heartbeats = heartbeats
        self._silence_s = silence_s
        self._items: deque[Item] = deque()
        self._continuity = Continuity(self._topics)
        self._heard_at = time.monotonic()
        self._silent = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._connect(high_water_mark)

    @property
    def heard(self) -> bool:
        """Whether anything has come yet."""
        return bool(self.epoch)

    def receive(self, timeout_s: float | None = None) -> Item | None:
        """The next item; None when there was none within timeout_s (None: waits as long as it takes)."""
        until = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while not self._items:
            now = time.monotonic()
            silent_at = float("inf") if self._silent else self._heard_at + self._silence_s
            if self._arrives(min(until, silent_at) - now):
                self._take()
            elif time.monotonic() >= silent_at and not self._arrives(SETTLE_S):
                self._silent = True
                return Silent(self._silence_s, self.address)
            elif time.monotonic() >= until:
                return None
        return self._items.popleft()

    def __iter__(self) -> Iterator[Item]:
        while (item := self.receive()) is not None:
            yield item

    def close(self) -> None:
        """Disconnect. May be called twice."""
        if not self._socket.closed:
            self._socket.close(0)
            self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, high_water_mark: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, high_water_mark)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
        # The kernel notices a dead network without help of this process, which may be suspended for a while.
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
        socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
        socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
        socket.setsockopt(zmq.IPV6, int("[" in self.address))
        # Before connecting, so that all prefixes arrive at once; heartbeats are needed whatever was chosen.
        for prefix in {*self._topics, wire.HEALTH}:
            socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        try:
            socket.connect(self.address)
        except zmq.ZMQError as error:
            socket.close(0)
            self._context.term()
            hint = "write the address at which the monitor publishes, such as tcp://127.0.0.1:5556"
            raise BadInputError(
                f"cannot subscribe to {self.address}: {zmq.strerror(error.errno or 0)}", hint
            ) from error
        return socket

    def _arrives(self, within_s: float) -> bool:
        milliseconds = None if within_s == float("inf") else max(0, int(within_s * 1000) + 1)
        return bool(self._socket.poll(milliseconds))

    def _take(self) -> None:
        parts = self._socket.recv_multipart()
        topic = parts[0].decode("utf-8", "replace")
        try:
            message = wire.decode(parts[-1], topic)
        except BadInputError as error:
            self._items.append(Unreadable(topic, error.message))
            return
        self._heard_at = time.monotonic()
        if self._silent:
            self._silent = False
            self._items.append(Returned(self.address))
        self._follow_epoch(message.event.epoch)
        if message.event.seq:
            self._number(message)
        else:
            self._beat(message)

    def _follow_epoch(self, epoch: str) -> None:
        if epoch == self.epoch:
            return
        if self.epoch:
            self._items.append(Restarted(epoch))
            # This subscription is older than the new run, so that all of it is ours.
            self._continuity = Continuity(self._topics, joined=0)
        self.epoch = epoch

    def _number(self, message: Message) -> None:
        event = message.event
        if not self._wanted(message) or not self._continuity.is_new(message.topic, event.seq):
            return
        missed = self._continuity.message(message.topic, event.seq, message.prev, message.snapshot)
        if missed:
            self._items.append(missed)
        self._items.append(message)

    def _beat(self, message: Message) -> None:
        data = message.event.data
        last_seq, newest = data.get("last_seq"), data.get("last")
        if isinstance(last_seq, int) and isinstance(newest, dict):
            numbers = {prefix: seq for prefix, seq in newest.items() if isinstance(seq, int)}
            self._items.extend(self._continuity.heartbeat(last_seq, numbers))
        if self._wanted(message) and (self._heartbeats or data.get("code") != "heartbeat"):
            self._items.append(message)

    def _wanted(self, message: Message) -> bool:
        return message.topic.startswith(self._topics)
