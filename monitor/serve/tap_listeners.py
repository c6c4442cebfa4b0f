"""The thread in which the taps listen: one event loop, one task a tap."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from monitor.config.schema import Config
from monitor.errors import MonitorError
from monitor.limits.rate_limit import RateLimit
from monitor.limits.reasons import Reasons
from monitor.serve.call_router import CallRouter
from monitor.taps.tap_events import Deliver

SWEEP_S = 1.0
AGAIN_S = 1.0
READY_S = 10.0
CLOSE_S = 2.0
NOTICES_AT_ONCE, NOTICES_PER_S = 20.0, 0.1
"""A budget for each tap: what it could not read is said the first time for each reason."""


class Listener(Protocol):
    """A tap that listens. bound: (host, port) of each socket once ready is set. counts: what was refused, by reason."""

    name: str
    bound: list[tuple[str, int]]
    ready: asyncio.Event

    @property
    def counts(self) -> Reasons: ...

    async def run(self) -> None:
        """Listen until cancelled. Raises MonitorError for a configuration that cannot be followed."""


def _rtp(config: Config, deliver: Deliver) -> Listener | None:
    if not config.taps.rtp.listen:
        return None
    from monitor.taps.rtp.listener import RtpListener

    return RtpListener(config.taps.rtp, deliver, config.serve.idle_s, insecure=config.serve.insecure)


def _audiosocket(config: Config, deliver: Deliver) -> Listener | None:
    if not config.taps.audiosocket.listen:
        return None
    from monitor.taps.audiosocket.listener import AudioSocketListener

    return AudioSocketListener(config.taps.audiosocket, deliver, config.serve.idle_s, insecure=config.serve.insecure)


def _websocket(config: Config, deliver: Deliver) -> Listener | None:
    if not config.taps.websocket.listen:
        return None
    from monitor.taps.websocket.listener import WebsocketListener

    section = config.serve
    return WebsocketListener(config.taps, deliver, section.idle_s, insecure=section.insecure, hosts=config.web.hosts)


TAPS: Mapping[str, Callable[[Config, Deliver], Listener | None]] = {
    "audiosocket": _audiosocket,
    "rtp": _rtp,
    "websocket": _websocket,
}
"""Taps by name: each makes the listener that the configuration asks for, or None. Raises MonitorError."""


def make_listeners(config: Config, deliver: Deliver) -> list[Listener]:
    """Return the taps that are switched on. Raises MonitorError."""
    found = (make(config, deliver) for make in TAPS.values())
    return [listener for listener in found if listener is not None]


class Listeners:
    """Runs listeners from start() to close(); one that fails begins again after AGAIN_S, and says so."""

    def __init__(self, listeners: Sequence[Listener], router: CallRouter, notice: Callable[[str, str], None]) -> None:
        """notice: takes a code and a detail, of what a tap could not hear, the first time for each reason."""
        self._listeners, self._router, self._notice = listeners, router, notice
        self._noticed: set[tuple[str, str]] = set()
        self._withheld: set[str] = set()
        """Taps that have said that there is more than their budget lets them name."""
        self._budget = RateLimit(NOTICES_PER_S, NOTICES_AT_ONCE)
        self._faults: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        """Closed by close() alone: its own thread could end, and close it, just before the call that cancels."""
        self._closing = threading.Lock()
        self._ready = threading.Event()
        self._failure: MonitorError | None = None
        self._main: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._body, name="taps", daemon=True)

    def start(self) -> None:
        """Start all, and return once they listen. Raises MonitorError where one cannot."""
        self._thread.start()
        self._ready.wait(READY_S)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End every call and release every port."""
        with self._closing:
            if self._loop.is_closed():
                return
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._cancel)
                self._thread.join(CLOSE_S)
            if not self._thread.is_alive():
                self._loop.close()

    def lines(self) -> tuple[str, ...]:
        """Return what listens where, and what is wrong with it."""
        out = []
        for listener in self._listeners:
            where = ", ".join(f"{host}:{port}" for host, port in listener.bound)
            fault = self._faults.get(listener.name, "")
            out.append(f"{listener.name} {where}" + (f" ! {fault}" if fault else ""))
        return tuple(out)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return what each tap refused or could not read, by the reason."""
        return {listener.name: dict(listener.counts) for listener in self._listeners}

    def _cancel(self) -> None:
        """Cancel once: a second time would interrupt a tap that cleans up."""
        if self._main is not None and not self._main.cancelling():
            self._main.cancel()

    def _body(self) -> None:
        try:
            self._loop.run_until_complete(self._run())
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._main = asyncio.current_task()
        tasks = [asyncio.create_task(self._keep(listener)) for listener in self._listeners]
        tasks.append(asyncio.create_task(self._sweep()))
        waiting: Awaitable[object] = asyncio.gather(*(listener.ready.wait() for listener in self._listeners))
        starting = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait([starting, *tasks], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                self._ready.set()
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            pass
        except MonitorError as error:
            self._failure = error
        finally:
            starting.cancel()
            for task in tasks:
                if not task.cancelling():
                    task.cancel()
            await asyncio.gather(*tasks, starting, return_exceptions=True)
            self._router.close()
            self._ready.set()

    async def _keep(self, listener: Listener) -> None:
        """Keep one tap running: its faults must not end the others."""
        while True:
            try:
                await listener.run()
            except MonitorError as error:
                if not listener.ready.is_set():
                    raise
                self._faults[listener.name] = error.message
            except Exception as error:  # noqa: BLE001 - of whatever kind: the tap begins again
                self._faults[listener.name] = f"{type(error).__name__}: {error}"
            await asyncio.sleep(AGAIN_S)

    async def _sweep(self) -> None:
        while True:
            since = time.monotonic()
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            self._router.extend_deadlines(max(0.0, now - since - SWEEP_S))
            self._router.sweep(now)
            for listener in self._listeners:
                self._say_reasons(listener, now)

    def _say_reasons(self, listener: Listener, now: float) -> None:
        """Report what a tap refused: each reason once, within a budget, and how many wait to be reported."""
        new = [r for r in listener.counts if (listener.name, r) not in self._noticed]
        for at, reason in enumerate(new):
            if not self._budget.allows(listener.name.encode(), now):
                if listener.name not in self._withheld:
                    self._withheld.add(listener.name)
                    self._notice("not heard", f"{listener.name}: {len(new) - at} more reasons, not named yet")
                return
            self._noticed.add((listener.name, reason))
            self._notice("not heard", f"{listener.name}: {listener.counts.words(reason)}")
        self._withheld.discard(listener.name)
