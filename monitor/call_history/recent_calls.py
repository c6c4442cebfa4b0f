"""The calls of this run and of those before it, bounded in number and age. Any thread may ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice

from monitor.call_history.kept_call import KeptCall, call_id
from monitor.types import Event

Follower = Callable[[Event], None]


class RecentCalls:
    """epoch: of this run. keep_s: so long a call is kept after its end. most: so many that have ended are kept."""

    def __init__(self, epoch: str, keep_s: float, most: int) -> None:
        self.epoch = epoch
        self._keep_s, self._most = keep_s, most
        self._calls: dict[str, KeptCall] = {}
        self._by_name: dict[tuple[str, str], KeptCall] = {}
        """The same by (epoch, name): scores come often, and an id is a hash."""
        self._ended: dict[str, None] = {}
        """Ids of those that have ended, the oldest first."""
        self._lock = threading.RLock()
        self._followers: dict[str, list[Follower]] = {}

    def add(self, event: Event) -> None:
        """Take an event of this run, in its turn."""
        with self._lock:
            self._apply(event)
            followers = tuple(self._followers.get(event.call, ()))
        for follower in followers:
            follower(event)

    def add_former(self, events: Iterable[Event]) -> None:
        """Take events of former runs, as a journal has them. What belongs to this run is passed over."""
        with self._lock:
            for event in events:
                if event.epoch != self.epoch:
                    self._apply(event)
                    call = self._by_name.get((event.epoch, event.call))
                    if call is not None and call.ended is None:
                        call.ended = event.time  # it runs no more, however it ended

    def settle_former(self) -> None:
        """Note that calls of former runs which never ended were cut off, and put all that ended in order of time."""
        with self._lock:
            for call in self._calls.values():
                if call.epoch != self.epoch and not call.why:
                    call.ended, call.why = call.newest_time or call.started, "the monitor stopped without a word"
            ended = [call for call in self._calls.values() if call.ended is not None]
            self._ended = {call.id: None for call in sorted(ended, key=lambda call: call.ended or "")}
            self._forget()

    def call(self, identity: str) -> KeptCall | None:
        """Return a call by its id. Read it within locked(), for it changes."""
        return self._calls.get(identity)

    def locked(self) -> threading.RLock:
        """Return the lock under which nothing changes."""
        return self._lock

    def calls(self) -> list[KeptCall]:
        """Return all calls, in the order in which they began to be kept. Read them within locked()."""
        with self._lock:
            self._forget()
            return list(self._calls.values())

    def newest_ended(self, most: int) -> list[KeptCall]:
        """Return calls of this run that have ended, the newest first. Read them within locked()."""
        with self._lock:
            self._forget()
            own = (call for call in map(self._calls.__getitem__, reversed(self._ended)) if call.epoch == self.epoch)
            return list(islice(own, most))

    def follow(self, call: str, follower: Follower) -> Callable[[], None]:
        """Pass the events of a call to a follower, in the thread of the sink; returns what ends that.

        call: its name in events.
        """
        with self._lock:
            self._followers.setdefault(call, []).append(follower)

        def end() -> None:
            with self._lock:
                of_call = self._followers[call]
                of_call.remove(follower)
                if not of_call:
                    del self._followers[call]

        return end

    def _apply(self, event: Event) -> None:
        if not event.call:
            return
        epoch = str(event.data.get("of_epoch", event.epoch)) if event.type == "call.marked" else event.epoch
        call = self._by_name.get((epoch, event.call))
        if call is None:
            if event.type == "call.marked":
                return
            call = self._by_name[epoch, event.call] = KeptCall(event.call, epoch)
            self._calls[call_id(epoch, event.call)] = call
        call.apply(event)
        if event.type == "call.ended":
            self._ended[call.id] = None
            self._forget()

    def _forget(self) -> None:
        """Let go of calls that ended too long ago, and of the oldest beyond the number."""
        oldest = (datetime.now(UTC) - timedelta(seconds=self._keep_s)).isoformat()
        for identity in list(self._ended):
            call = self._calls[identity]
            if len(self._ended) <= self._most and (call.ended or "") >= oldest:
                return
            del self._ended[identity], self._calls[identity], self._by_name[call.epoch, call.call]
