"""A call while it is watched: its feeds of audio, each with rows of the bank, and the thread that fills one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model.config import BLOCK
from monitor.types import Condition, Mark

if TYPE_CHECKING:
    from monitor.audio import Source
    from monitor.engine.ring import Ring


@dataclass(frozen=True, slots=True)
class CallChannel:
    """A channel of a call, and its row in the pool."""

    call: str
    channel: str
    row: int


@dataclass
class Feed:
    """Channels whose audio comes together.

    conditions: (samples written when it came, condition), oldest first. faults: why audio cannot be trusted now, by
    channel, and under "" that of all. error: what ended it before its audio did.
    """

    channels: tuple[str, ...]
    ring: Ring
    live: bool
    source: Source | None = None
    conditions: deque[tuple[int, Condition]] = field(default_factory=deque)
    faults: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def ended(self) -> bool:
        """Return whether all that it will ever give was scored and said."""
        return self.ring.closed and self.ring.fill < BLOCK and not self.conditions

    def fault(self, row: int) -> str:
        """Return why the audio of a row cannot be trusted now, or ""."""
        return self.faults.get("") or self.faults.get(self.channels[row - self.ring.rows.start], "")

    def note(self, condition: Condition) -> None:
        """Take a condition that is due."""
        if not condition.usable:
            self.faults[condition.channel] = f"{condition.code}: {condition.detail}"
        elif condition.code == "recovered":
            self.faults.pop(condition.channel, None)

    def rows(self, condition: Condition) -> slice:
        """Return the rows that a condition is about."""
        if condition.channel not in self.channels:
            return self.ring.rows
        row = self.ring.rows.start + self.channels.index(condition.channel)
        return slice(row, row + 1)

    def add_condition(self, condition: Condition) -> None:
        """Note a condition behind the audio that came before it. Belongs to the feed's own thread."""
        self.conditions.append((self.ring.written, condition))
        self.ring.report()


@dataclass
class Call:
    """Feeds in rows that follow each other. origin: where it comes from. details: what the tap knows of it.

    why: why it ended, where somebody knows better than "end of audio". begun: its rows are open, call.started was said.
    marks: what its recording carries about its own origin. started: seconds since 1970, UTC.
    """

    name: str
    origin: str
    feeds: tuple[Feed, ...]
    details: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    begun: bool = False
    marks: tuple[Mark, ...] = ()
    started: float = field(default_factory=time.time)

    @property
    def rows(self) -> slice:
        """Return the rows of all feeds."""
        return slice(self.feeds[0].ring.rows.start, self.feeds[-1].ring.rows.stop)

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the names, one a row."""
        return tuple(name for feed in self.feeds for name in feed.channels)

    @property
    def live(self) -> bool:
        """Return whether any feed must never wait."""
        return any(feed.live for feed in self.feeds)

    @property
    def ended(self) -> bool:
        """Return whether all that it will ever give was scored and said."""
        return all(feed.ended for feed in self.feeds)

    @property
    def error(self) -> Exception | None:
        """Return what ended a feed before its audio did."""
        return next((feed.error for feed in self.feeds if feed.error is not None), None)

    @property
    def lost(self) -> int:
        """Return the samples lost, of the feed that lost most."""
        return max(feed.ring.lost for feed in self.feeds)

    @property
    def fill(self) -> int:
        """Return the samples that wait to be scored, of the feed with most."""
        return max(feed.ring.fill for feed in self.feeds)

    def feed_of(self, row: int) -> Feed:
        """Return the feed that a row belongs to."""
        return next(feed for feed in self.feeds if row < feed.ring.rows.stop)

    def where(self, row: int) -> CallChannel:
        """Return a row as a channel of the call."""
        return CallChannel(self.name, self.channels[row - self.rows.start], row)

    def finish(self, why: str = "") -> None:
        """Note that no more audio comes; what is held is still scored. The first reason given stays."""
        self.why = self.why or why
        for feed in self.feeds:
            feed.ring.finish()


def capture(feed: Feed, source: Source) -> None:
    """Move audio from the source to the ring until the source ends: the body of a capture thread."""
    try:
        for item in source.chunks():
            if feed.ring.closed:
                break
            if isinstance(item, Condition):
                feed.add_condition(item)
            else:
                feed.ring.push(item, wait=not source.live)
    except Exception as error:  # noqa: BLE001 - of whatever kind: it must not look like the end of the audio
        feed.error = error
        feed.add_condition(Condition("failed", str(error) or type(error).__name__, usable=False))
    finally:
        source.close()
        feed.ring.finish()
