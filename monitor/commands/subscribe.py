"""`monitor subscribe`: what a running monitor says, for people or, with --json, for programs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from monitor.commands.subscribe_text import Report, notice
from monitor.events import wire
from monitor.events.cloudevents import structured
from monitor.events.schema.files import SOURCE

if TYPE_CHECKING:
    from monitor.subscriber import Item, Position, Subscriber

WAITING_AFTER_S = 0.5
MOST_WAITING = 10_000
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


class _Output(Protocol):
    def item(self, item: Item) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What the user asked for. since: "SEQ" or "EPOCH:SEQ". state: a file that remembers how far it came."""

    topics: Sequence[str] = ("",)
    count: int | None = None
    timeout_s: float | None = None
    since: str | None = None
    state: Path | None = None
    server_key: str = ""
    key: Path | None = None
    replay: str | None = None


def subscribe(address: str, as_json: bool = False, wanted: Wanted | None = None, cloudevents: bool = False) -> int:
    """Print the stream until Ctrl-C, `count` events or `timeout_s`. Returns the exit status.

    0: enough was seen or the reader of the output has gone; 1: fewer than count events within timeout_s; 130: Ctrl-C.
    Raises BadInputError for an impossible address, key, number or state file.
    """
    wanted = wanted or Wanted()
    try:
        with _connect(address, wanted) as subscriber:
            if cloudevents:
                return _follow(Named(subscriber), _CloudEvents(subscriber), wanted)
            with closing(_Json() if as_json else Report(sys.stdout)) as output:
                return _follow(subscriber, output, wanted)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit; there is nobody left to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _connect(address: str, wanted: Wanted) -> Subscriber:
    from monitor.delivery import keys
    from monitor.delivery.resume import starting_point
    from monitor.subscriber import Subscriber

    return Subscriber(
        address,
        wanted.topics,
        since=starting_point(wanted.since, wanted.state, wanted.topics),
        replay=wanted.replay,
        server_key=keys.public_key(wanted.server_key) if wanted.server_key else "",
        keys=keys.secret_pair(wanted.key) if wanted.key else None,
    )


def _follow(subscriber: Subscriber | Named, output: _Output, wanted: Wanted) -> int:
    from monitor.delivery.resume import remember

    until = float("inf") if wanted.timeout_s is None else time.monotonic() + wanted.timeout_s
    waiting_at = time.monotonic() + WAITING_AFTER_S
    seen = 0
    while wanted.count is None or seen < wanted.count:
        now = time.monotonic()
        if now >= until:
            return 0 if wanted.count is None else 1
        if now >= waiting_at:
            waiting_at = float("inf")
            if not subscriber.heard:
                print(f"waiting for {subscriber.address}", file=sys.stderr, flush=True)
        due = min(until, waiting_at)
        item = subscriber.receive(None if due == float("inf") else due - now)
        if item is None:
            continue
        output.item(item)
        seen += isinstance(item, wire.Message)
        if wanted.state is not None:
            remember(wanted.state, subscriber.position, wanted.topics)
    return 0


class _Json:
    """One JSON object a line: events as they came, and what the subscriber noticed as types of their own."""

    def item(self, item: Item) -> None:
        if isinstance(item, wire.Message):
            _line(item.raw)
        else:
            noticed = {"type": type(item).__name__.lower(), **asdict(item)}
            _line(json.dumps(noticed, separators=(",", ":")).encode())

    def close(self) -> None:
        """Nothing is held back."""


class _CloudEvents:
    """One CloudEvent a line; what the subscriber noticed is none, and goes to standard error."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def item(self, item: Item) -> None:
        if isinstance(item, wire.Message):
            _line(structured(item.event, self._subscriber.source or SOURCE, item.raw))
        else:
            print(notice(item), file=sys.stderr, flush=True)


class Named:
    """A subscriber whose messages wait until the publisher has told its name, which is with its first heartbeat."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._waiting: deque[tuple[Item, Position | None]] = deque()
        self.address, self.position = subscriber.address, subscriber.position

    @property
    def heard(self) -> bool:
        """As of the subscriber."""
        return self._subscriber.heard

    def receive(self, timeout_s: float | None) -> Item | None:
        """As of the subscriber; what it noticed waits for nothing."""
        until = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while not self._waiting or (self._subscriber.source is None and len(self._waiting) < MOST_WAITING):
            left = None if timeout_s is None else max(0.0, until - time.monotonic())
            item = self._subscriber.receive(left)
            if not isinstance(item, wire.Message):
                return item
            self._waiting.append((item, self._subscriber.position))
        item, self.position = self._waiting.popleft()
        return item


def _line(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
