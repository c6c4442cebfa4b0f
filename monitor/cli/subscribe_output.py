"""Prints the events of `monitor subscribe`: as lines of text, as JSON lines, or as CloudEvents."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, TextIO

from monitor.events import wire
from monitor.events.cloudevents import structured
from monitor.events.schema.schema_files import SOURCE
from monitor.types import SAMPLE_RATE, State

if TYPE_CHECKING:
    from monitor.events.wire import Message
    from monitor.subscriber import Item, Missed, Position, Subscriber

STATUS_S = 1.0
MOST_WAITING = 10_000
NO_VERDICT = (State.LISTENING, State.UNKNOWN)
CLEAR_LINE = "\r\x1b[2K"


class SubscriberOutput(Protocol):
    """A way to print what a subscriber receives."""

    def item(self, item: Item) -> None: ...


class TextLines:
    """Writes to a terminal, where the newest scores are one line rewritten in place, or to a pipe, where a score is
    a line if it is a channel's first, or its state is another one than before and no other event says so.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._in_place = out.isatty()
        self._status: dict[tuple[str, str], Message] = {}
        self._states: dict[tuple[str, str], object] = {}
        """The state of each channel that stands on the last line about it."""
        self._drawn_at = 0.0
        self._drawn = False

    def item(self, item: Item) -> None:
        """Say what there is to say of one item."""
        if not isinstance(item, wire.Message):
            self._line(notice(item))
        elif item.event.type == "score":
            self._score(item)
        else:
            self._line(describe(item))
            if "state" in item.event.data:
                self._states[item.event.call, item.event.channel] = item.event.data["state"]
            if item.event.type == "call.ended":
                self._forget(item.event.call)

    def close(self) -> None:
        """Leave the cursor at the beginning of a line."""
        if self._drawn:
            self._drawn = False
            print(file=self._out, flush=True)

    def _score(self, message: Message) -> None:
        key = (message.event.call, message.event.channel)
        before, self._status[key] = self._status.get(key), message
        if not self._in_place:
            state = message.event.data.get("state")
            settled = before is None or before.event.data.get("state") == state
            # The event of a change comes right after the first such score.
            if settled and self._states.get(key) != state:
                self._states[key] = state
                self._line(describe(message))
        elif time.monotonic() - self._drawn_at >= STATUS_S / 2:
            self._draw()

    def _line(self, text: str) -> None:
        if self._drawn:
            self._out.write(CLEAR_LINE)
            self._drawn = False
        self._out.write(text + "\n")
        self._out.flush()
        if self._in_place and self._status:
            self._draw()

    def _draw(self) -> None:
        form = describe if len(self._status) == 1 else _brief
        width = shutil.get_terminal_size().columns - 1
        self._out.write(CLEAR_LINE + " | ".join(map(form, self._status.values()))[:width])
        self._out.flush()
        self._drawn, self._drawn_at = True, time.monotonic()

    def _forget(self, call: str) -> None:
        for key in [key for key in self._status if key[0] == call]:
            del self._status[key]
        for key in [key for key in self._states if key[0] == call]:
            del self._states[key]


def describe(message: Message) -> str:
    """Return one line for one event."""
    event = message.event
    data = event.data
    position = f"{event.sample / SAMPLE_RATE:.1f} s"
    place = "/".join(name for name in (event.call, event.channel) if name)
    if event.type == "score":
        return _plain(f"{place} {position}: {data.get('state')} ({data.get('reason')}){_numbers(message)}")
    what = {
        "state.changed": f"{data.get('from')} -> {data.get('state')}, {data.get('why')}",
        "health": f"{data.get('code')} {data.get('detail') or ''}".rstrip(),
    }.get(event.type, "")
    head = f"{event.time[11:19]} {place + ' ' + position if place else ''}".rstrip()
    text = f"{head}: {event.type.replace('.', ' ')}{': ' * bool(what)}{what}{_numbers(message)}"
    return _plain(text + (" (still holds)" if message.snapshot else ""))


def _brief(score: Message) -> str:
    """Shorten the text for a line that several channels share."""
    p_fake = score.event.data.get("p_fake")
    number = f" {p_fake:.2f}" if isinstance(p_fake, (int, float)) else ""
    return _plain(f"{score.event.call}/{score.event.channel} {score.event.data.get('state')}{number}")


def notice(item: Item) -> str:
    """Return one line for what the subscriber noticed itself."""
    from monitor.subscriber import Missed, Refused, Restarted, Returned, Silent

    match item:
        case Missed():
            return _plain(_missed(item))
        case Restarted(epoch=epoch, whole=whole):
            rest = "nothing of the run before is missing" if whole else "the end of the run before may be missing"
            return _plain(f"publisher restarted (epoch {epoch}); {rest}")
        case Refused(address=address, reason=reason):
            return _plain(f"refused by {address}: {reason}")
        case Silent(seconds=seconds, address=address):
            return _plain(f"no heartbeat for {seconds:g} s: is the monitor running at {address}?")
        case Returned(address=address):
            return _plain(f"heartbeat from {address} again")
        case _:
            return _plain(f"something else publishes there: {item}")


def _missed(item: Missed) -> str:
    if not item.exact:
        where = f" on {item.topic}" if item.topic else ""
        return f"missed events{where} (between seq {item.first} and {item.last})"
    if item.first == item.last:
        return f"missed 1 event (seq {item.first})"
    return f"missed {item.at_most} events (seq {item.first} to {item.last})"


def _numbers(message: Message) -> str:
    data = message.event.data
    shown = [("p_fake", "p_fake", ".2f", ""), ("llr", "llr", "+.1f", ""), ("net_speech_s", "speech", ".1f", " s")]
    if data.get("state") in NO_VERDICT:
        del shown[:2]
    text = ""
    for key, name, form, unit in shown:
        value = data.get(key)
        if isinstance(value, (int, float)):
            text += f", {name} {value:{form}}{unit}"
    return text


def _plain(text: str) -> str:
    """Return a name safe to print: names come from callers, and nothing in them may steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class JsonLines:
    """One JSON object a line: events as they came, and what the subscriber noticed as types of their own."""

    def item(self, item: Item) -> None:
        if isinstance(item, wire.Message):
            _line(item.raw)
        else:
            fields = {"type": type(item).__name__.lower(), **asdict(item)}
            _line(json.dumps(fields, separators=(",", ":")).encode())

    def close(self) -> None:
        """Do nothing: nothing is held back."""


class CloudEventLines:
    """One CloudEvent a line; what the subscriber noticed is none, and goes to standard error."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def item(self, item: Item) -> None:
        if isinstance(item, wire.Message):
            _line(structured(item.event, self._subscriber.source or SOURCE, item.raw))
        else:
            print(notice(item), file=sys.stderr, flush=True)


class NamedSubscriber:
    """A subscriber whose messages wait until the publisher has given its name, which comes with its first heartbeat."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._waiting: deque[tuple[Item, Position | None]] = deque()
        self.address, self.position = subscriber.address, subscriber.position

    @property
    def has_received(self) -> bool:
        return self._subscriber.has_received

    def receive(self, timeout_s: float | None) -> Item | None:
        """Receive as Subscriber does; only messages wait for the publisher's name."""
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
