"""Finds out what a subscriber of the stream has missed: pure, fed by monitor/delivery/catch_up.py.

Works for any choice of topic prefixes. A subscriber of everything compares the numbers of all messages and knows
exactly what is missing; one of a part compares prev with what it has, and the newest number and the count of messages
under its prefixes in each heartbeat with its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_TOPICS = 100_000
"""Topics whose last number is remembered; of a forgotten one a snapshot may be delivered a second time."""

Sent = Mapping[str, tuple[int, int]]
"""For each prefix: (seq after which the publisher follows it, messages since)."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Messages were lost between the publisher and here, and could not be had again.

    first, last: numbers (seq) between which they lie. topic: on which topic, a prefix when a heartbeat told, "" for a
    subscriber of everything, or where the publisher itself no longer knows. exact: every number from first to last is
    missing (a snapshot may still bring the newest of a topic); otherwise some of them were on other topics.
    """

    first: int
    last: int
    topic: str
    exact: bool

    @property
    def at_most(self) -> int:
        """Return how many messages at most."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Position:
    """The progress of a subscriber: everything up to seq, and on some topics further. Store it to resume."""

    epoch: str
    seq: int
    seen: Mapping[str, int] = field(default_factory=dict)


class GapDetector:
    """Finds gaps in the numbers of one epoch, for one subscriber.

    complete: every message of ours up to this number is accounted for; None: not known yet from which on they are ours.
    seen: newest number on each topic beyond that.
    """

    def __init__(
        self, prefixes: Sequence[str], complete: int | None = None, seen: Mapping[str, int] | None = None
    ) -> None:
        self.everything = "" in prefixes
        self.complete = complete
        self._floor = complete or 0
        self._seen: OrderedDict[str, int] = OrderedDict(seen or {})
        self._under = dict.fromkeys(("",) if self.everything else prefixes, complete or 0)
        self._base: Sent = {}
        self._received = dict.fromkeys(self._under, 0)
        self._gap_reported = False

    def seen(self) -> dict[str, int]:
        """Return the newest number on each topic that is beyond `complete`."""
        if self.everything:
            return {}
        found = {}
        for topic, seq in reversed(self._seen.items()):
            if seq > (self.complete or 0):
                found[topic] = seq
        return found

    def is_new(self, topic: str, seq: int) -> bool:
        """Return False for a message that was here before, as snapshots made for other subscribers are."""
        return seq > max(self._seen.get(topic, 0), self._floor)

    def gap(self, topic: str, seq: int, prev: int) -> Missed | None:
        """Return what a new message shows to be missing before it."""
        if self.everything:
            known = self.complete
            return Missed(known + 1, seq - 1, "", True) if known is not None and seq - 1 > known else None
        if self.complete is None and topic not in self._seen:
            return None
        known = max(self._seen.get(topic, 0), self.complete or 0)
        return Missed(known + 1, prev, topic, False) if prev > known else None

    def accept(self, topic: str, seq: int, snapshot: bool) -> None:
        """Account for a new message."""
        self._remember(topic, seq)
        if self.everything and (self.complete is not None or not snapshot):
            self.complete = max(self.complete or 0, seq)
        for prefix in self._under:
            if topic.startswith(prefix):
                self._under[prefix] = max(self._under[prefix], seq)
                self._received[prefix] += not snapshot

    def gaps_at(self, last_seq: int, newest: Mapping[str, int], sent: Sent) -> list[Missed]:
        """Return what a heartbeat shows to be missing. newest: newest number under each prefix that the publisher
        follows.

        Of a prefix that is not among them it knows nothing (our subscription had not reached it yet, or there are too
        many): anything may have been sent under it.
        """
        known = self.complete
        if known is None or last_seq <= known:
            return []
        if self.everything:
            return [Missed(known + 1, last_seq, "", True)]
        missed = []
        for prefix, under in self._under.items():
            last = newest.get(prefix, last_seq)
            if last > max(under, known):
                missed.append(Missed(max(under, known) + 1, last, prefix, False))
            elif prefix in sent and not self._gap_reported and not self._counts(prefix, sent[prefix]):
                missed.append(Missed(known + 1, last_seq, prefix, False))
        return missed

    def heartbeat(self, last_seq: int, sent: Sent) -> None:
        """Take a heartbeat: everything up to it is accounted for."""
        self.completed(last_seq)
        self._base = dict(sent)
        self._received = dict.fromkeys(self._under, 0)
        self._gap_reported = False

    def completed(self, until: int) -> None:
        """Note that everything of ours up to this number was delivered or reported as lost."""
        self.complete = max(self.complete or 0, until)

    def reported(self, missed: Missed) -> None:
        """Remove a gap that was reported to the user."""
        self._gap_reported = True
        if self.everything:
            self.completed(missed.last)
        elif missed.topic and missed.topic not in self._under:
            self._remember(missed.topic, max(missed.last, self._seen.get(missed.topic, 0)))

    def _counts(self, prefix: str, sent: tuple[int, int]) -> bool:
        """Return whether as many messages came as were sent since the last heartbeat."""
        since, count = sent
        base_since, base = self._base.get(prefix, (0, 0))
        return since == base_since and count - base == self._received[prefix]

    def _remember(self, topic: str, seq: int) -> None:
        self._seen[topic] = seq
        self._seen.move_to_end(topic)
        if len(self._seen) > MAX_TOPICS:
            _, forgotten = self._seen.popitem(last=False)
            if self.complete is not None:
                self.completed(forgotten)
