"""Warnings on standard error while a call is watched, where no screen shows them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.events.bus import Bus
from monitor.scores import FileScore

if TYPE_CHECKING:
    from monitor.dashboard import Dashboard


def warn(text: str) -> None:
    """Print a warning in one line."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


def print_problems(scored: FileScore) -> None:
    """Print what is wrong with a recording that was scored, or why it was not."""
    for warning in scored.warnings:
        print(warning, file=sys.stderr, flush=True)
    if scored.error is not None:
        print(f"error: {scored.error.message}\n  {scored.error.hint}", file=sys.stderr, flush=True)


class SinkWarnings:
    """Looks at the sinks and the screen from the main thread.

    on_closed: called when nobody reads the plain lines any more.
    """

    def __init__(self, bus: Bus, screen: Dashboard | None, on_closed: Callable[[], None]) -> None:
        self._bus, self._screen, self._on_closed = bus, screen, on_closed
        self._reported = {sink.name: "" for sink in bus.status()}
        self._shown = screen is not None and screen.mode in ("full", "line")

    def check(self) -> None:
        """Say what has changed since the last look."""
        if self._screen is not None and self._screen.fault and not self._shown:
            self._on_closed()
        for sink in self._bus.status():
            if sink.fault != self._reported[sink.name]:
                self._reported[sink.name] = sink.fault
                if not self._shown:
                    warn(f"{sink.name}: {sink.fault or 'works again'}")

    def losses(self) -> None:
        """Say, at the end, what has changed and what the sinks never got."""
        self.check()
        for sink in self._bus.status():
            if sink.dropped:
                why = f" ({sink.fault})" if sink.fault else ""
                warn(f"{sink.name}: {sink.dropped} events are missing{why}")
            if sink.kept:
                warn(f"{sink.name}: {sink.kept} events wait in its spool for the next start")
