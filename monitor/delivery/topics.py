"""What the subscribers of a stream need to know of its past: pure bookkeeping for monitor/sinks/zeromq.py.

A late subscriber is told what is true now (last score, last state, open alert of every running call), and any
subscriber can see that it missed something, whatever prefix of topics it chose:

* every message names the one before it on its topic (prev);
* a heartbeat gives, for each prefix that somebody subscribed to, the newest seq under it, and how many messages there
  were under it since somebody began to follow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.types import Event

MAX_PREFIXES = 10_000
MAX_PREFIX_BYTES = 256
MAX_TOPICS = 100_000
"""Bounds on memory. Beyond them the oldest topic is forgotten, and a new prefix has no entry in the heartbeats."""


@dataclass(slots=True)
class _Topic:
    call: str
    seq: int
    current: Event | None
    prev: int


@dataclass(slots=True)
class _Prefix:
    newest: int
    since: int
    count: int = 0


class Ledger:
    """Feed it every numbered event in the order of sending."""

    def __init__(self) -> None:
        self.last_seq = 0
        self._gap_end = 0
        self._topics: dict[bytes, _Topic] = {}
        self._of_call: dict[str, set[bytes]] = {}
        self._prefixes: dict[bytes, _Prefix] = {}

    def record(self, topic: bytes, event: Event) -> int:
        """Returns prev: seq of the message before this one on its topic, 0 for the first.

        Numbers that were skipped were lost before they came here and might have been of any topic. Every topic
        then names the end of that gap as its prev: its subscribers look for a message that they do not have.
        """
        before = self._topics.get(topic)
        if before and before.seq == event.seq:
            return before.prev  # Offered again after a fault.
        if event.seq > self.last_seq + 1:
            self._gap_end = event.seq - 1
            for prefix in self._prefixes.values():
                prefix.newest = self._gap_end
        self.last_seq = event.seq
        for end in range(len(topic) + 1):
            if followed := self._prefixes.get(topic[:end]):
                followed.newest = event.seq
                followed.count += 1
        prev = max(before.seq, self._gap_end) if before else self._gap_end
        self._keep(topic, event, prev)
        return prev

    def current(self, prefix: bytes) -> list[bytes]:
        """Topics under the prefix whose last message still holds."""
        return [name for name, topic in self._topics.items() if topic.current and name.startswith(prefix)]

    def message(self, topic: bytes) -> tuple[Event, int] | None:
        """What holds on a topic now and its prev; None when nothing does."""
        found = self._topics.get(topic)
        return (found.current, found.prev) if found and found.current else None

    def holding(self, prefixes: Sequence[str]) -> Iterator[tuple[Event, int]]:
        """What holds now under any of the prefixes, and its prev."""
        wanted = tuple(prefix.encode() for prefix in prefixes)
        for name, topic in self._topics.items():
            if topic.current and name.startswith(wanted):
                yield topic.current, topic.prev

    def subscribe(self, prefix: bytes) -> None:
        """Follow a prefix."""
        if len(prefix) <= MAX_PREFIX_BYTES and len(self._prefixes) < MAX_PREFIXES and prefix not in self._prefixes:
            under = (topic.seq for name, topic in self._topics.items() if name.startswith(prefix))
            self._prefixes[prefix] = _Prefix(max(under, default=0), self.last_seq)

    def unsubscribe(self, prefix: bytes) -> None:
        """Nobody follows the prefix any more."""
        self._prefixes.pop(prefix, None)

    def nobody(self) -> None:
        """All connections were closed."""
        self._prefixes.clear()

    def newest(self) -> dict[str, int]:
        """Newest seq under every prefix that is followed."""
        return {_text(prefix): followed.newest for prefix, followed in self._prefixes.items()}

    def sent(self) -> dict[str, tuple[int, int]]:
        """(seq after which it is followed, messages since) of every prefix that is followed."""
        return {_text(prefix): (followed.since, followed.count) for prefix, followed in self._prefixes.items()}

    def _keep(self, topic: bytes, event: Event, prev: int) -> None:
        if event.type == "call.ended":
            for name in self._of_call.pop(event.call, ()):
                self._topics.pop(name, None)
            return
        holds = event.type != "alert.closed" and topic != b"health"
        self._topics[topic] = _Topic(event.call, event.seq, event if holds else None, prev)
        if topic != b"health":
            self._of_call.setdefault(event.call, set()).add(topic)
        if len(self._topics) > MAX_TOPICS:
            self._forget(next(iter(self._topics)))

    def _forget(self, topic: bytes) -> None:
        call = self._topics.pop(topic).call
        of_call = self._of_call.get(call, set())
        of_call.discard(topic)
        if not of_call:
            self._of_call.pop(call, None)


def _text(prefix: bytes) -> str:
    return prefix.decode("utf-8", "replace")
