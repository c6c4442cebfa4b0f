"""The receiving end of the stream: events of a running monitor, each once and in order.

with Subscriber("tcp://127.0.0.1:5556", topics=["alert."]) as subscriber:
    for item in subscriber:
        print(item)

What is lost on the way is fetched again from the publisher, from its memory or its journal; what cannot be had is
reported as Missed. docs/reliability.md says what is guaranteed.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from monitor.delivery.catch_up import CatchUp, Restarted
from monitor.delivery.connection_notices import Refused, Returned, Silent, Unreadable
from monitor.delivery.gaps import Missed, Position
from monitor.delivery.keys import KeyPair
from monitor.delivery.requests import MAX_TOPICS
from monitor.delivery.subscriber_sockets import Endpoint, SubscriberSockets, replay_address
from monitor.delivery.topics import MAX_PREFIX_BYTES
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.events.schema.schema_files import SOURCE
from monitor.events.wire import Message

__all__ = [
    "Item",
    "KeyPair",
    "Message",
    "Missed",
    "Pair",
    "Position",
    "Refused",
    "Restarted",
    "Returned",
    "Silent",
    "Subscriber",
    "Unreadable",
]

Pair = KeyPair
"""The name of KeyPair in 0.2, for one version more."""
SETTLE_S = 0.1
"""After a pause of this process (suspended, stopped) what has arrived meanwhile comes first."""


Item = Message | Missed | Restarted | Silent | Returned | Refused | Unreadable


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
        *,
        since: Position | None = None,
        replay: str | None = None,
        answer_timeout_s: float = 30.0,
        server_key: str = "",
        keys: KeyPair | None = None,
        patience_s: float | None = None,
    ) -> None:
        """silence_s: without a heartbeat for so long, Silent is reported. high_water_mark: messages held here.

        since: go on after this position; None: from now on. replay: where to ask for what was missed; None: where the
        publisher says, "": nowhere. answer_timeout_s: what was waited for so long, while the publisher's messages came,
        is reported as Missed; time in which this process did not run or was not in receive() does not count.
        server_key: of the publisher, keys: one's own; both, or neither where the stream is not encrypted. patience_s:
        the former name of answer_timeout_s, which goes with 0.4.

        Raises BadInputError for an address or keys that cannot be; that nobody answers there is no error.
        """
        _check(address, topics)
        self.address, self._heartbeats, self._silence_s, self._replay = address, heartbeats, silence_s, replay
        if patience_s is not None:
            warnings.warn("patience_s is answer_timeout_s now", DeprecationWarning, stacklevel=2)
            answer_timeout_s = patience_s
        self._answer_timeout_s, self._most_held = answer_timeout_s, max(high_water_mark, 100)
        self._source: str | None = None
        self._items: deque[Item] = deque()
        self._catchup = CatchUp(topics, since)
        self._received_at = time.monotonic()
        self._connected = self._silent = self._refused = False
        self._links = SubscriberSockets(Endpoint(address, server_key, keys), tuple(topics), high_water_mark)
        if replay is not None:
            self._links.replay_at(replay)
            self._catchup.can_ask = bool(replay)

    @property
    def has_received(self) -> bool:
        """Return whether anything has come yet."""
        return self._connected

    @property
    def epoch(self) -> str:
        """Return the run of the publisher from which the last item came; "" before the first."""
        return self._catchup.epoch

    @property
    def source(self) -> str | None:
        """Return the name of the publisher in CloudEvents (its publish.source), which heartbeats tell; None before the
        first.
        """
        return self._source

    @property
    def position(self) -> Position | None:
        """Return where to go on after the last item that receive() gave: keep it together with what was made of that
        item.

        None before it is known, which is with the first heartbeat.
        """
        return self._catchup.position

    def receive(self, timeout_s: float | None = None) -> Item | None:
        """Return the next item; None when there was none within timeout_s (None: waits as long as it takes)."""
        until = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while not self._items:
            if not self._catchup.idle:
                self._items.extend(item for item in self._catchup.step() if self._is_wanted(item))
                continue
            self._links.ask(self._catchup.request, self._catchup.blind)
            now = time.monotonic()
            silent_at = float("inf") if self._silent else self._received_at + self._silence_s
            if self._links.wait(min(until, silent_at) - now):
                self._take()
            elif time.monotonic() >= silent_at and not self._links.wait(SETTLE_S):
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
        self._links.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> None:
        """Take what the sockets have: an answer, a refusal, a message."""
        reason = self._links.refusal()
        if reason and not self._refused:
            self._refused = True
            self._items.append(Refused(self.address, reason))
        if (answer := self._links.answer()) is not None:
            self._catchup.reply(*answer)
        if parts := self._links.message():
            self._put(parts)

    def _put(self, parts: Sequence[bytes]) -> None:
        topic = parts[0].decode("utf-8", "replace")
        # While an answer is awaited the stream is read on: nothing else tells whether there is anybody who could
        # answer. What finds no room is a hole like any other, and is fetched.
        if topic != wire.HEALTH and self._catchup.held >= self._most_held:
            self._message_came()
            return
        try:
            message = wire.decode(parts[-1], topic)
        except BadInputError as error:
            self._items.append(Unreadable(topic, error.message))
            return
        self._message_came()
        if not message.event.seq and message.event.data.get("code") == "heartbeat":
            self._learn(message.event.data)
        if self._catchup.held < self._most_held:
            self._catchup.put(message)

    def _message_came(self) -> None:
        """Take note that somebody publishes: who does not answer now may be given up."""
        self._connected, self._refused, self._received_at = True, False, time.monotonic()
        self._links.message_came()
        if self._silent:
            self._silent = False
            self._items.append(Returned(self.address))
            self._links.restart_timeout()
        elif not self._links.is_waiting(self._answer_timeout_s):
            self._catchup.give_up()

    def _learn(self, beat: Mapping[str, object]) -> None:
        """Learn from a message who publishes, and where to ask."""
        replay, source = beat.get("replay"), beat.get("source")
        self._source = source if isinstance(source, str) and source else SOURCE
        if self._replay is not None:
            return
        if can_ask := isinstance(replay, str) and bool(replay):
            self._links.replay_at(replay_address(self.address, str(replay)))
        self._catchup.can_ask = can_ask

    def _is_wanted(self, item: Item) -> bool:
        beat = isinstance(item, Message) and not item.event.seq and item.event.data.get("code") == "heartbeat"
        return self._heartbeats or not beat


def _check(address: str, topics: Sequence[str]) -> None:
    """Raise BadInputError for an address or topics that cannot be."""
    if isinstance(topics, str):
        raise BadInputError("topics must be a list of prefixes", f"write topics=[{topics!r}]")
    if len(topics) > MAX_TOPICS or any(len(topic.encode()) > MAX_PREFIX_BYTES for topic in topics):
        raise BadInputError(
            f"at most {MAX_TOPICS} prefixes of {MAX_PREFIX_BYTES} bytes each",
            'subscribe to a shorter prefix, or to "" and choose among the events',
        )
    wire.check_address(address)
    if address.endswith((":0", ":*")):
        raise BadInputError(f"{address} names no port", "write the address at which the monitor publishes")
