"""Connections of a listener, and those among them that have asked for nothing yet."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Protocol

from monitor.limits.descriptors import DESCRIPTORS

UNOPENED, UNOPENED_OF_HOST = 100, 50
"""Connections beside those of calls that may be in their handshakes; of one host."""


class AcceptedConnection(Protocol):
    """host: of the peer."""

    host: str
    transport: asyncio.Transport


class UnopenedConnections:
    """most: connections that may have asked for something. counts: those that were turned away, by the reason."""

    def __init__(self, most: int, counts: Counter[str]) -> None:
        self._most, self._counts = most + UNOPENED, counts
        self._sockets = 0
        self._waiting: defaultdict[str, dict[AcceptedConnection, None]] = defaultdict(dict)
        """By host: connections whose request has not come, the oldest first."""

    def enter(self, connection: AcceptedConnection) -> str:
        """Count a connection. Returns why it is not let in, or "". Of those of a host that have asked for nothing the
        oldest makes room, so that who asks at once is heard whoever else asks for nothing.
        """
        waiting = self._waiting[connection.host]
        waiting[connection] = None
        self._sockets += 1
        if len(waiting) > UNOPENED_OF_HOST:
            self._counts[f"more than {UNOPENED_OF_HOST} connections of a host that have asked for nothing"] += 1
            oldest = next(iter(waiting))
            self.asked(oldest)
            oldest.transport.abort()
        if self._sockets > self._most:
            return "connections beyond taps.websocket.max_connections"
        return "" if DESCRIPTORS.have_room() else "too few file descriptors"

    def leave(self, connection: AcceptedConnection) -> None:
        """Forget a connection."""
        self._sockets -= 1
        self.asked(connection)

    def asked(self, connection: AcceptedConnection) -> None:
        """Note that a request has come, or never will."""
        waiting = self._waiting[connection.host]
        waiting.pop(connection, None)
        if not waiting:
            del self._waiting[connection.host]
