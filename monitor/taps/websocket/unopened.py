"""Connections of a listener, and those among them that have asked for nothing yet."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Protocol

from monitor.limits.accept_queue import MOST_SILENT
from monitor.limits.descriptors import DESCRIPTORS

UNOPENED_OF_HOST = MOST_SILENT
"""Connections that may be in their handshakes, of one host and beside those of calls."""


class AcceptedConnection(Protocol):
    """host: of the peer."""

    host: str
    transport: asyncio.Transport


class UnopenedConnections:
    """most: connections that may have asked for something. counts: those that were turned away, by the reason."""

    def __init__(self, most: int, counts: Counter[str]) -> None:
        self._most, self._counts = most + UNOPENED_OF_HOST, counts
        self._sockets = 0
        self._waiting: defaultdict[str, dict[AcceptedConnection, None]] = defaultdict(dict)
        """For each host, connections whose request has not come, the oldest first."""

    def enter(self, connection: AcceptedConnection) -> str:
        """Count a connection. Returns why it is not let in, or "". Of those of a host that have asked for nothing the
        oldest makes room, so that who asks at once is heard whoever else asks for nothing.
        """
        waiting = self._waiting[connection.host]
        waiting[connection] = None
        self._sockets += 1
        if len(waiting) > UNOPENED_OF_HOST:
            self._make_room(waiting, f"more than {UNOPENED_OF_HOST} connections of a host that have asked for nothing")
        elif self._sockets > self._most:
            self._make_room(next(iter(self._waiting.values())), "too many connections that have asked for nothing")
        return "" if DESCRIPTORS.have_room() else "too few file descriptors"

    def _make_room(self, waiting: dict[AcceptedConnection, None], why: str) -> None:
        self._counts[why] += 1
        oldest = next(iter(waiting))
        self.asked(oldest)
        oldest.transport.abort()

    def leave(self, connection: AcceptedConnection) -> None:
        self._sockets -= 1
        self.asked(connection)

    def asked(self, connection: AcceptedConnection) -> None:
        """Note that a request has come, or never will."""
        waiting = self._waiting[connection.host]
        waiting.pop(connection, None)
        if not waiting:
            del self._waiting[connection.host]
