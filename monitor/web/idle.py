"""Connections to the page that ask for nothing are closed, and no host may hold many of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.limits.descriptors import DESCRIPTORS

REQUEST_S = 10.0
"""A connection whose first request has not come by then is closed; uvicorn itself waits for ever."""
MOST_OF_HOST = 64
"""Connections of one host that have asked for nothing yet."""


class IdleTimeout(H11Protocol):
    """A connection. counts: those that were closed, by why. waiting: of a host, those that asked for nothing yet."""

    counts: Counter[str]
    waiting: dict[str, dict[IdleTimeout, None]]
    _host = ""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._host = str((transport.get_extra_info("peername") or ("",))[0])
        self._timer = self.loop.call_later(REQUEST_S, self._end, "refused: no request within 10 s")
        of_host = self.waiting.setdefault(self._host, {})
        of_host[self] = None
        if len(of_host) > MOST_OF_HOST:  # the oldest makes room, so that a new request is served
            oldest = next(iter(of_host))
            oldest._end(f"refused: more than {MOST_OF_HOST} connections of a host that ask for nothing")
        if not DESCRIPTORS.have_room():
            self._end("refused: too few file descriptors")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_timer()
        super().handle_websocket_upgrade(event)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None:
            self._stop_timer()

    def _stop_timer(self) -> None:
        """Stop the timeout: the request came, or the connection ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.waiting[self._host].pop(self, None)
            if not self.waiting[self._host]:
                del self.waiting[self._host]

    def _end(self, why: str) -> None:
        if self._timer is not None:
            self.counts[why] += 1
            self._stop_timer()
            self.transport.abort()


def with_idle_timeout(counts: Counter[str]) -> type[H11Protocol]:
    """Return the protocol of one server. counts: connections that were closed, by why."""
    return type("ServerIdleTimeout", (IdleTimeout,), {"counts": counts, "waiting": {}})
