"""Finds out what a subscriber of the stream has missed: pure, fed by monitor/subscriber.py.

Works for any choice of topic prefixes. A subscriber of everything compares the numbers of all messages and knows
exactly what is missing; one of a part compares prev with what it has, and the newest number under its prefixes in
each heartbeat with its own.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_TOPICS = 100_000
"""Topics whose last number is remembered; of a forgotten one a snapshot may be delivered a second time."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Messages were lost between the publisher and here.

    first, last: numbers (seq) between which they lie. topic: on which topic, a prefix when a heartbeat told, "" for a
    subscriber of everything. exact: every number from first to last is missing (a snapshot may still bring the newest
    of a topic); otherwise some of them were on other topics.
    """

    first: int
    last: int
    topic: str
    exact: bool

    @property
    def at_most(self) -> int:
        """How many messages at most."""
        return self.last - self.first + 1


class Continuity:
    """One subscriber's memory of one epoch. joined: number from which on messages are ours; None: not known yet."""

    def __init__(self, prefixes: Sequence[str], joined: int | None = None) -> None:
        self._everything = "" in prefixes
        self._joined = joined
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._under = dict.fromkeys(("",) if self._everything else prefixes, joined or 0)
        self._told: deque[range] = deque(maxlen=64)

    def is_new(self, topic: str, seq: int) -> bool:
        """False for a message that was here before, as snapshots made for other subscribers are."""
        return seq > self._seen.get(topic, 0)

    def message(self, topic: str, seq: int, prev: int, snapshot: bool) -> Missed | None:
        """Account for a new message."""
        missed = self._before_any(seq) if self._everything else self._before_on_topic(topic, prev)
        self._remember(topic, seq)
        if self._everything and not snapshot and self._joined is None:
            self._joined = seq
        for prefix in self._under:
            # The old numbers in a newcomer's snapshot say nothing of what came between them.
            if topic.startswith(prefix) and (self._joined is not None or not self._everything):
                self._under[prefix] = max(self._under[prefix], seq)
        return missed

    def heartbeat(self, last_seq: int, newest: Mapping[str, int]) -> list[Missed]:
        """Account for the end of what was sent; newest: newest number under each prefix."""
        missed = []
        for prefix, known in self._under.items():
            last = last_seq if self._everything else newest.get(prefix, 0)
            if self._joined is not None and last > max(known, self._joined):
                missed.append(Missed(max(known, self._joined) + 1, last, prefix, self._everything))
                self._told.append(range(missed[-1].first, last + 1))
            self._under[prefix] = max(known, last)
        if self._joined is None:
            self._joined = last_seq
        return missed

    def _before_any(self, seq: int) -> Missed | None:
        known = self._under[""]
        return Missed(known + 1, seq - 1, "", True) if self._joined is not None and seq - 1 > known else None

    def _before_on_topic(self, topic: str, prev: int) -> Missed | None:
        known = self._seen.get(topic, self._joined)
        if known is None or prev <= known or any(prev in told for told in self._told):
            return None
        return Missed(known + 1, prev, topic, False)

    def _remember(self, topic: str, seq: int) -> None:
        self._seen[topic] = seq
        self._seen.move_to_end(topic)
        if len(self._seen) > MAX_TOPICS:
            _, forgotten = self._seen.popitem(last=False)
            self._joined = max(self._joined or 0, forgotten)
