"""A server as a process, for the tests that call it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers import LIMIT_S, MONITOR, Running, make_weights, settings, start_monitor

QUICK = ("evidence.memory_s=1.5", "alerts.close_hold_s=1.0", "serve.idle_s=2.0", "serve.ring_s=60.0")
"""Alerts within seconds; and rings so long that a machine that has much else to do scores late, but loses nothing."""


@contextmanager
def serving(tmp_path: Path, *words: str) -> Iterator[Running]:
    """A server that listens; it is ended by Ctrl-C."""
    make_weights(tmp_path / "w.safetensors")
    options = ("--weights", "w.safetensors", "--json", "--no-publish", "--journal", "journal", *settings(*QUICK))
    with start_monitor("serve", *options, *words, cwd=tmp_path) as monitor:
        monitor.wait_for(lambda line: '"listening"' in line)
        yield monitor
        assert monitor.end(signal.SIGINT) == 130
        assert monitor.stderr == ""


def select(monitor: Running, kind: str, call: str = "") -> list[dict[str, Any]]:
    return [e for e in monitor.events if e["type"] == kind and call in e["call"]]


def simulate(tmp_path: Path, tap: str, recording: Path, to: str, *options: str | Path) -> Running:
    """A far end as a process; use it as a context manager."""
    return Running([MONITOR, "simulate", tap, recording, "--to", to, *options], tmp_path)


def wait_until(monitor: Running, condition: Callable[[], bool]) -> None:
    """Wait for what is to be seen in its events."""
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until, monitor.lines[-3:]
        time.sleep(0.05)
