"""The interface of a protocol over WebSocket: a request opens it, messages go in, tap events and answers come out.

A handler has no socket and no clock. Times are seconds of a monotonic clock, given with each message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from monitor.taps.tap_events import TapEvent

NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED, INVALID, POLICY, TOO_BIG, FAULT, TRY_LATER = (
    *(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011),
    1013,
)
"""Close codes (RFC 6455, section 7.4.1, and the registry of IANA)."""


@dataclass(frozen=True)
class UpgradeRequest:
    """The request that opens a connection. target: path and query as they came. headers: by their names in lower
    case; several of one name joined by ", ". url: where the peer dialled, as it wrote it. peer: its address.
    time: of arrival, seconds since 1970. id: of this connection, no other has it.
    """

    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    peer: str = ""
    time: float = 0.0
    id: str = ""

    @cached_property
    def path(self) -> tuple[str, ...]:
        """Return the parts of the path: /twilio/abc is ("twilio", "abc")."""
        parts = self.target.partition("?")[0].split("/")
        return tuple(unquote(part) for part in parts if part)

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Return the last of each name; {} where there is no sense in it."""
        try:
            return dict(parse_qsl(urlsplit(self.target).query, max_num_fields=50))
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True)
class Send:
    """An answer to the peer: a message of text or of bytes."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The connection ends; the call, if it still goes on, with it. reason: in words, for both sides."""

    code: int = NORMAL
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SkippedMessage:
    """Something could not be heard, and the connection goes on. reason: in words, with nothing that the peer wrote."""

    reason: str


Step = TapEvent | Send | Close | SkippedMessage


class RefusedRequestError(Exception):
    """A connection that is not opened; the text says why, and holds nothing that the peer wrote. status: of HTTP.
    answer: what the peer is told, where that is less than the whole reason.
    """

    def __init__(self, reason: str, status: int = 403, answer: str = "") -> None:
        super().__init__(reason)
        self.reason, self.status, self.answer = reason, status, answer or reason


class BadMessageError(Exception):
    """A message that ends its connection; the text says why, and holds nothing that the peer wrote. code: to close."""

    def __init__(self, reason: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


class Handler(Protocol):
    """One connection of one protocol. text(), binary() and tick() raise BadMessageError, and nothing else whatever
    comes in.
    """

    def text(self, text: str, now: float, /) -> Iterable[Step]:
        """Process a message of text. What it gives is taken one by one; after a CallStarted that is refused, no
        further."""
        ...

    def binary(self, data: bytes, now: float, /) -> Iterable[Step]:
        """Return a message of bytes."""
        ...

    def tick(self, now: float, /) -> Iterable[Step]:
        """Act on the time. Called when no message came for a while: 0.1 s."""
        ...

    def refused(self, reason: str, /) -> Iterable[Step]:
        """Return what to answer when the CallStarted that it gave is not taken. The connection is closed in any
        case."""
        ...

    def closed(self, why: str, /) -> Iterable[TapEvent]:
        """Return what is still held back and the end of the call, once the connection has ended. Called once, at the
        end."""
        ...
