"""The newest events of this run, in memory, for those who missed some: pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class RecentEvents:
    """Bounded in events and bytes; the oldest go first. Numbers grow, and some may be left out."""

    def __init__(self, most_events: int, most_bytes: int) -> None:
        self._most_events, self._most_bytes = most_events, most_bytes
        self._events: deque[tuple[int, str, bytes]] = deque()
        self._bytes = 0
        self._start = 1

    @property
    def first(self) -> int:
        """Return the first number from which on nothing was forgotten."""
        return self._start

    def add(self, seq: int, topic: str, body: bytes) -> None:
        """Add the next event; one that is offered again after a fault is added once."""
        if self._events and self._events[-1][0] >= seq:
            return
        self._events.append((seq, topic, body))
        self._bytes += len(body)
        while len(self._events) > self._most_events or self._bytes > self._most_bytes:
            old, _, gone = self._events.popleft()
            self._bytes -= len(gone)
            self._start = old + 1

    def read(
        self, first: int, last: int, topics: Sequence[str], most: int, most_bytes: int
    ) -> tuple[list[bytes], list[tuple[int, int]], int]:
        """Return (events under the topics, gaps in the numbers, the newest number accounted for) of first to last.

        first must not be below self.first.
        """
        bodies: list[bytes] = []
        gaps: list[tuple[int, int]] = []
        until, size, prefixes = first - 1, 0, tuple(topics)
        for seq, topic, body in self._from(first):
            if seq > last:
                break
            if len(bodies) >= most or size >= most_bytes:
                return bodies, gaps, until
            if seq > until + 1:
                gaps.append((until + 1, seq - 1))
            until = seq
            if topic.startswith(prefixes):
                bodies.append(body)
                size += len(body)
        if until < last:
            gaps.append((until + 1, last))
        return bodies, gaps, last

    def _from(self, first: int) -> list[tuple[int, str, bytes]]:
        """Return the index of a number, searched from the right end, where most requests look."""
        found: list[tuple[int, str, bytes]] = []
        for item in reversed(self._events):
            if item[0] < first:
                break
            found.append(item)
        found.reverse()
        return found
