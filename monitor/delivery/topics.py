"""Keeps the last number and state of each topic, for subscribers that join late. Pure; for monitor/sinks/zeromq.py.

A late subscriber is told what is true now (last score, last state, open alert of every running call), and any
subscriber can see that it missed something, whatever prefix of topics it chose:

* every message names the one before it on its topic (prev);
* a heartbeat gives, for each prefix that somebody subscribed to, the newest seq under it, and how many messages there
  were under it since somebody began to follow it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from monitor.types import Event

MAX_PREFIXES = 10_000
MAX_PREFIX_BYTES = 512
MAX_PREFIXES_BYTES = 1 << 18
"""Prefixes that are followed, of all subscribers: so many, so long, and so many bytes together."""
MAX_HEARTBEAT_BYTES = 1 << 15
"""The most that prefixes may take of a heartbeat, which every subscriber gets each second. Short ones, which concern
most subscribers, come first; of one that has no room its subscribers know nothing, and ask.
"""
MAX_TOPICS = 100_000
"""Beyond it the oldest topic is forgotten."""
_ENTRY_BYTES = 60
"""The size of a prefix in a heartbeat, without the prefix itself, which stands there twice: its numbers and
punctuation.
"""


@dataclass(slots=True)
class _Topic:
    call: str
    seq: int
    current: Event | None
    prev: int


@dataclass(slots=True)
class _Prefix:
    text: str
    size: int
    newest: int
    since: int
    count: int = 0


class TopicIndex:
    """Feed it every numbered event in the order of sending."""

    def __init__(self) -> None:
        self.last_seq = 0
        self._gap_end = 0
        self._topics: dict[bytes, _Topic] = {}
        self._of_call: dict[str, set[bytes]] = {}
        self._prefixes: dict[bytes, _Prefix] = {}
        self._prefix_bytes = 0

    def record(self, topic: bytes, event: Event) -> tuple[int, bool]:
        """Return prev: seq of the message before this one on its topic, 0 for the first; and whether anybody follows
        it.

        Numbers that were skipped were lost before they came here and might have been of any topic. Every topic
        then names the end of that gap as its prev: its subscribers look for a message that they do not have.
        """
        before = self._topics.get(topic)
        if before and before.seq == event.seq:
            return before.prev, True  # Offered again after a fault.
        if event.seq > self.last_seq + 1:
            self._gap_end = event.seq - 1
            for prefix in self._prefixes.values():
                prefix.newest = self._gap_end
        self.last_seq = event.seq
        is_followed = bool(self._prefixes) and self._count(topic, event.seq)
        prev = max(before.seq, self._gap_end) if before else self._gap_end
        self._keep(topic, event, prev)
        return prev, is_followed

    def _count(self, topic: bytes, seq: int) -> bool:
        """Count a message for the prefixes of its topic. Returns whether there are any."""
        found = [prefix for end in range(len(topic) + 1) if (prefix := self._prefixes.get(topic[:end]))]
        for prefix in found:
            prefix.newest = seq
            prefix.count += 1
        return bool(found)

    def current(self, prefix: bytes) -> list[bytes]:
        """Return the topics under the prefix whose last message still holds."""
        return [name for name, topic in self._topics.items() if topic.current and name.startswith(prefix)]

    def message(self, topic: bytes) -> tuple[Event, int] | None:
        """Return what holds on a topic now and its prev; None when nothing does."""
        found = self._topics.get(topic)
        return (found.current, found.prev) if found and found.current else None

    def holding(self, prefixes: Sequence[str]) -> Iterator[tuple[Event, int]]:
        """Yield the events that hold now under any of the prefixes, each with its prev."""
        wanted = tuple(prefix.encode() for prefix in prefixes)
        for name, topic in self._topics.items():
            if topic.current and name.startswith(wanted):
                yield topic.current, topic.prev

    def subscribe(self, prefix: bytes) -> bool:
        """Follow a prefix, unless no topic can be so long. Returns False where there is no room for it."""
        if prefix in self._prefixes or len(prefix) > MAX_PREFIX_BYTES:
            return True
        size = self._prefix_bytes + len(prefix)
        if len(self._prefixes) >= MAX_PREFIXES or size > MAX_PREFIXES_BYTES:
            return False
        under = (topic.seq for name, topic in self._topics.items() if name.startswith(prefix))
        text = prefix.decode("utf-8", "replace")
        entry = 2 * len(json.dumps(text, ensure_ascii=False).encode()) + _ENTRY_BYTES
        self._prefixes[prefix] = _Prefix(text, entry, max(under, default=0), self.last_seq)
        self._prefix_bytes = size
        return True

    def unsubscribe(self, prefix: bytes) -> None:
        """Remove a prefix that no connection follows any more."""
        if self._prefixes.pop(prefix, None) is not None:
            self._prefix_bytes -= len(prefix)

    def all_closed(self) -> None:
        """Forget all subscriptions: all connections were closed."""
        self._prefixes.clear()
        self._prefix_bytes = 0

    def followed(self) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
        """Return, for a heartbeat, by prefix: the newest seq under it; the seq after which it is followed, and messages
        since.

        Of all prefixes that are followed as many as fit MAX_HEARTBEAT_BYTES, the shortest first.
        """
        newest: dict[str, int] = {}
        sent: dict[str, tuple[int, int]] = {}
        room = MAX_HEARTBEAT_BYTES
        for prefix in sorted(self._prefixes, key=len):
            found = self._prefixes[prefix]
            room -= found.size
            if room < 0:
                break
            newest[found.text], sent[found.text] = found.newest, (found.since, found.count)
        return newest, sent

    def _keep(self, topic: bytes, event: Event, prev: int) -> None:
        if event.type == "call.marked":  # a person's word, which takes the place of no state
            if found := self._topics.get(topic):
                self._topics[topic] = replace(found, seq=event.seq, prev=prev)
            return
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
