"""Answers requests for what was missed: from memory, else from the journal. Knows no socket.

An answer accounts for the numbers from the first asked for to `until`, and never more than ANSWER_EVENTS events or
ANSWER_BYTES: who wants more asks again from there, as fast as it can take it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from monitor.delivery import requests
from monitor.delivery.journal_thread import JournalThread
from monitor.delivery.recent_events import RecentEvents
from monitor.delivery.requests import SubscriberRequest
from monitor.delivery.topics import TopicIndex
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.journal.journal_reader import JournalRange
from monitor.limits.rate_limit import RateLimit

ANSWER_EVENTS = 1000
ANSWER_BYTES = 1 << 20
PER_S, BURST = 100.0, 200.0
"""Requests of one connection."""

WAIT = frozenset(("limited", "busy", "unreadable", "pending"))
"""Errors that pass: who gets one may ask the same again."""

Peer = Sequence[bytes]
Reply = tuple[Peer, list[bytes]]


class ReplayServer:
    """Answers requests for events of the past. One thread may use it. counts: requests by their outcome."""

    def __init__(self, epoch: str, topics: TopicIndex, history: RecentEvents, journal: Path | None) -> None:
        self._epoch, self._topics, self._history = epoch, topics, history
        self._archive = JournalThread(journal, ANSWER_EVENTS, ANSWER_BYTES) if journal else None
        self._limit = RateLimit(PER_S, BURST)
        self.counts: Counter[str] = Counter()

    def ask(self, peer: Peer, frames: Sequence[bytes]) -> list[bytes] | None:
        """Return the answer to a request; None when the journal is asked first: see answers()."""
        if not self._limit.allows(peer[0], time.monotonic()):
            return self._error("limited", "", "too many requests: wait")
        try:
            if len(frames) != 1:
                raise BadInputError("a request is one frame")
            request = requests.parse(frames[0])
        except BadInputError as error:
            return self._error("malformed", "", error.message)
        self.counts[request.kind] += 1
        if request.kind == "snapshot":
            return self._snapshot(request)
        return self._replay(peer, request)

    def answers(self) -> Iterator[Reply]:
        """Yield what the journal has been found to hold since."""
        for peer, request, found in self._archive.answers() if self._archive else ():
            if found is None:
                yield peer, self._error("unreadable", request.id, "the journal cannot be read now")
            else:
                yield peer, self._from_journal(request, found)

    @property
    def busy(self) -> bool:
        """Return whether the journal is being read, so that answers() will have more."""
        return self._archive is not None and self._archive.busy

    def close(self) -> None:
        """End what reads the journal."""
        if self._archive:
            self._archive.close()

    def _replay(self, peer: Peer, request: SubscriberRequest) -> list[bytes] | None:
        request = replace(request, epoch=request.epoch or self._epoch)
        if request.epoch == self._epoch:
            newest = self._topics.last_seq
            request = replace(request, last=newest if request.last is None else min(request.last, newest))
            if request.first > newest or request.first >= self._history.first or self._archive is None:
                return self._from_memory(request)
        elif self._archive is None:
            return self._unknown(request)
        return None if self._archive.ask(peer, request) else self._error("busy", request.id, "too many requests: wait")

    def _from_memory(self, request: SubscriberRequest) -> list[bytes]:
        last = request.last or 0
        lost = [(request.first, min(last, self._history.first - 1))] if request.first < self._history.first else []
        first = max(request.first, self._history.first)
        bodies, gaps, until = self._history.read(first, last, request.topics, ANSWER_EVENTS, ANSWER_BYTES)
        missing = [gap for gap in (*lost, *gaps) if gap[0] <= gap[1]]
        return self._answer(request, bodies, missing, max(until, request.first - 1), end=False, following="")

    def _from_journal(self, request: SubscriberRequest, found: JournalRange) -> list[bytes]:
        current = request.epoch == self._epoch
        if not found.known and not current:
            return self._unknown(request)
        if current and found.until < request.first <= min(request.last or 0, self._history.first - 1):
            # Sent while the disk was full, and gone from memory since: the journal is still to have it, or a number
            # behind it, which shows that it never will.
            return self._error("pending", request.id, "the journal does not have that yet: wait")
        lines = [line.rstrip(b"\n") for line in found.lines]
        following = "" if current or not found.end else found.next or self._epoch
        return self._answer(
            request, lines, found.missing, found.until, end=found.end and not current, following=following
        )

    def _answer(
        self,
        request: SubscriberRequest,
        bodies: Sequence[bytes],
        missing: Sequence[tuple[int, int]],
        until: int,
        *,
        end: bool,
        following: str,
    ) -> list[bytes]:
        head = requests.answer(
            "replay",
            request.id,
            epoch=request.epoch,
            current=self._epoch,
            last_seq=self._topics.last_seq,
            until=until,
            missing=missing,
            end=end,
            next=following,
        )
        self.counts["events"] += len(bodies)
        return [head, *bodies]

    def _snapshot(self, request: SubscriberRequest) -> list[bytes]:
        """Return what holds now, in the order of the numbers, from the first asked for on."""
        holds = sorted(self._topics.holding(request.topics), key=lambda pair: pair[0].seq)
        chosen = [pair for pair in holds if pair[0].seq >= request.first]
        sent = chosen[:ANSWER_EVENTS]
        last_seq = self._topics.last_seq
        until = last_seq if len(sent) == len(chosen) else sent[-1][0].seq
        head = requests.answer("snapshot", request.id, epoch=self._epoch, last_seq=last_seq, until=until)
        return [head, *(wire.encode(event, prev, snapshot=True) for event, prev in sent)]

    def _unknown(self, request: SubscriberRequest) -> list[bytes]:
        self.counts["unknown"] += 1
        return [requests.answer("unknown", request.id, epoch=request.epoch, current=self._epoch)]

    def _error(self, count: str, request_id: str, why: str) -> list[bytes]:
        self.counts[count] += 1
        return [requests.answer("error", request_id, code=count, error=why, wait=count in WAIT)]
