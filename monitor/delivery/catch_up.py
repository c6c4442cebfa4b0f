"""Turns what arrives into what is delivered: nothing twice, in order, and holes closed first. Pure: no socket, clock.

put() takes what came on the subscription, reply() what came as an answer; step() gives the next items to deliver;
request is what to ask the publisher for now. While an answer is awaited, what arrives is held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.delivery.gaps import GapDetector, Missed, Position, Sent
from monitor.delivery.requests import SubscriberRequest
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.events.wire import Message


@dataclass(frozen=True, slots=True)
class Restarted:
    """Another run of the publisher; numbers start again at 1.

    whole: everything of the run before is known to have been delivered (a journal has it); otherwise its end may be
    missing, and nobody can say how much of it.
    """

    epoch: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class _AnsweredUpTo:
    """An answer accounts for all up to here."""

    seq: int


Found = Message | Missed | Restarted


class CatchUp:
    """epoch: of what is delivered now. can_ask: whether there is anybody to be asked for what was missed."""

    def __init__(self, topics: Sequence[str], since: Position | None = None) -> None:
        self._topics = tuple(topics)
        self.epoch = since.epoch if since else ""
        self.can_ask: bool | None = None
        self._continuity = GapDetector(self._topics, since.seq, since.seen) if since else GapDetector(self._topics)
        self._held: deque[Message] = deque()
        self._replayed: deque[Message | Missed | _AnsweredUpTo] = deque()
        self._postponed: dict[str, Message] = {}
        self.request: SubscriberRequest | None = None
        self._asked = 0
        self._restart = False
        self._whole = False
        self._next = ""

    @property
    def position(self) -> Position | None:
        """Return the position after everything that step() gave; None before anything is known."""
        complete = self._continuity.complete
        return None if complete is None else Position(self.epoch, complete, self._continuity.seen())

    @property
    def held(self) -> int:
        """Return the messages that wait."""
        return len(self._held)

    @property
    def idle(self) -> bool:
        """Return whether step() has nothing to do until something arrives."""
        return not self._replayed and (self.request is not None or not self._held or self.blind)

    @property
    def blind(self) -> bool:
        """Return whether the first that waits cannot be judged before a heartbeat says who can be asked."""
        if self.can_ask is not None or not self._held:
            return False
        first = self._held[0]
        return bool(first.event.seq) and (self._continuity.complete is not None or self._gap(first) is not None)

    def _gap(self, message: Message) -> Missed | None:
        """Return what a numbered message of this run, if it is new, shows to be missing before it."""
        if message.event.epoch != self.epoch or not self.wants(message):
            return None
        new = self._continuity.is_new(message.topic, message.event.seq)
        return self._continuity.gap(message.topic, message.event.seq, message.prev) if new else None

    def put(self, message: Message) -> None:
        """Take a message of the subscription."""
        self._held.append(message)

    def step(self) -> list[Found]:
        """Do one thing: at most one message is delivered by it, so that `position` is exact after it."""
        if self._replayed:
            return self._from_answer(self._replayed.popleft())
        message = self._held[0]
        if message.event.epoch != self.epoch:
            return self._other_epoch(message.event.epoch)
        return self._number(message) if message.event.seq else self._heartbeat(message)

    def reply(self, head: Mapping[str, Any], bodies: Sequence[bytes]) -> bool:
        """Take an answer; return whether it is one to the current request. Another one is ignored."""
        request = self.request
        if request is None or head.get("id") != request.id:
            return False
        if head.get("reply") == "unknown":
            self.give_up()
            return True
        until = head.get("until")
        if head.get("reply") != "replay" or not isinstance(until, int):
            return False
        self._replayed.extend(_in_order(bodies, head.get("missing"), self._continuity.everything))
        if until >= request.first:
            self._replayed.append(_AnsweredUpTo(until))
        if head.get("end") is True or (request.last is not None and until >= request.last):
            # A publisher that was killed may have sent more than its journal had.
            self._lose(max(request.first, until + 1), request.last)
            self._end_fetch(whole=True, following=str(head.get("next", "")))
        else:
            self._ask(request.epoch, max(request.first, until + 1), request.last)
        return True

    def give_up(self) -> None:
        """Stop waiting for an answer: report what is missing as lost, and deliver what is held."""
        if self.request is not None:
            self._lose(self.request.first, self.request.last)
            self._end_fetch(whole=False, following="")
        elif self.can_ask is None:
            self.can_ask = False

    def _lose(self, first: int, last: int | None) -> None:
        """These cannot be had."""
        if last is not None and first <= last:
            self._replayed.extend((Missed(first, last, "", self._continuity.everything), _AnsweredUpTo(last)))

    def _end_fetch(self, *, whole: bool, following: str) -> None:
        self.request = None
        if self._restart:
            self._whole, self._next = whole, following

    def _ask(self, epoch: str, first: int, last: int | None) -> None:
        self._asked += 1
        self.request = SubscriberRequest("replay", str(self._asked), epoch, first, last, self._topics)

    def _other_epoch(self, epoch: str) -> list[Found]:
        if not self.epoch:
            self.epoch = epoch
            return []
        complete = self._continuity.complete
        if not self._restart and self.can_ask and complete is not None:
            self._restart, self._whole, self._next = True, False, ""
            self._ask(self.epoch, complete + 1, None)
            return []
        following, whole = self._next or epoch, self._restart and self._whole
        if following != epoch and any(message.event.epoch == following for message in self._held):
            following = epoch  # a run of which the journal has nothing lies between
        self._restart = False
        # The subscription is older than the new run, or goes on from one before it: all of it is ours.
        self.epoch, self._continuity = following, GapDetector(self._topics, 0)
        self._postponed.clear()
        return [Restarted(following, whole)]

    def _number(self, message: Message) -> list[Found]:
        seq, topic = message.event.seq, message.topic
        if not self.wants(message) or not self._continuity.is_new(topic, seq):
            self._held.popleft()
            return []
        if message.snapshot and self.can_ask and self._continuity.complete is not None:
            # What it repeats is fetched in its order; should that be gone, the next heartbeat lets this through.
            self._postponed[topic] = self._held.popleft()
            return []
        if missed := self._continuity.gap(topic, seq, message.prev):
            return self._close([missed], seq - 1)
        self._held.popleft()
        return self._deliver(message)

    def _heartbeat(self, message: Message) -> list[Found]:
        data = message.event.data
        last_seq, newest, sent = data.get("last_seq"), data.get("last"), _sent(data.get("sent"))
        if isinstance(last_seq, int) and isinstance(newest, dict):
            numbers = {prefix: seq for prefix, seq in newest.items() if isinstance(seq, int)}
            if missed := self._continuity.gaps_at(last_seq, numbers, sent):
                return self._close(missed, last_seq)
            if self._postponed:
                _, message = self._postponed.popitem()
                return self._deliver(message) if self._continuity.is_new(message.topic, message.event.seq) else []
            self._continuity.heartbeat(last_seq, sent)
        self._held.popleft()
        return [message] if self.wants(message) else []

    def _close(self, missed: Sequence[Missed], until: int) -> list[Found]:
        """Ask for what is missing, up to a number; or say that it is."""
        if self.can_ask:
            known = self._continuity.complete
            # Before the first heartbeat only the hole itself is known to be ours: what is older nobody asked for.
            self._ask(self.epoch, missed[0].first if known is None else known + 1, until)
            return []
        for hole in missed:
            self._continuity.reported(hole)
        if not self._held[0].event.seq:
            self._continuity.completed(until)
        return list(missed)

    def _from_answer(self, found: Message | Missed | _AnsweredUpTo) -> list[Found]:
        if isinstance(found, _AnsweredUpTo):
            self._continuity.completed(found.seq)
            return []
        if isinstance(found, Missed):
            self._continuity.reported(found)
            return [found]
        fits = found.event.epoch == self.epoch and self.wants(found)
        return self._deliver(found) if fits and self._continuity.is_new(found.topic, found.event.seq) else []

    def _deliver(self, message: Message) -> list[Found]:
        self._continuity.accept(message.topic, message.event.seq, message.snapshot)
        return [message]

    def wants(self, message: Message) -> bool:
        """Return whether it was subscribed to; heartbeats come in any case."""
        return message.topic.startswith(self._topics)


def _in_order(bodies: Sequence[bytes], missing: object, exact: bool) -> list[Message | Missed]:
    """Return the events and gaps of an answer by their numbers; what cannot be read is left out."""
    numbered: list[tuple[int, Message | Missed]] = []
    for body in bodies:
        try:
            message = wire.decode(body)
        except BadInputError:
            continue
        numbered.append((message.event.seq, replace(message, snapshot=False)))
    for gap in missing if isinstance(missing, list) else ():
        if isinstance(gap, list) and len(gap) == 2 and all(isinstance(n, int) for n in gap):
            numbered.append((gap[0], Missed(gap[0], gap[1], "", exact)))
    return [item for _, item in sorted(numbered, key=lambda pair: pair[0])]


def _sent(value: object) -> Sent:
    if not isinstance(value, dict):
        return {}
    return {
        prefix: (pair[0], pair[1])
        for prefix, pair in value.items()
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) for n in pair)
    }
