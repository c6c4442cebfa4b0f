"""Runs a monitor in a terminal of 120 x 40, receives its scores in this process, and watches its memory."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import MonitorError
from monitor.events import wire
from monitor.subscriber import Missed, Subscriber

COLUMNS, ROWS = 120, 40
START_S, END_S = 120.0, 15.0
SAMPLE_EVERY_S = 1.0
PROGRESS_EVERY_S = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Received:
    """Times are time.monotonic().

    scores: (index after the last sample, received). beats: (received, what the heartbeat said of the engine).
    process: (time, resident MiB, processor seconds) of the monitor. missed: events that did not come.
    """

    scores: list[tuple[int, float]] = field(default_factory=list)
    beats: list[tuple[float, Mapping[str, object]]] = field(default_factory=list)
    process: list[tuple[float, float, float]] = field(default_factory=list)
    missed: int = 0
    ended: bool = False


def receive(
    command: Sequence[str],
    address: str,
    seconds: float,
    env: Mapping[str, str],
    log_file: Path,
    progress: Callable[[Received], None],
) -> Received:
    """Start the monitor, receive until its call ends or for so many seconds after the first score, and end it.

    log: gets what it says on standard error. Raises MonitorError when it says nothing or fails.
    """
    found = Received()
    with Subscriber(address, ("score.", "call.", "health"), heartbeats=True) as subscriber:
        process, terminal = _in_terminal(command, env, log_file)
        try:
            _listen(subscriber, process, found, seconds, progress)
        finally:
            status = _end(process, by_itself=found.ended)
            os.close(terminal)
    if not found.scores or status not in (0, 130):
        raise MonitorError(f"the monitor failed ({status}): {log_file.read_text(errors='replace')[-500:]}")
    return found


def _listen(
    subscriber: Subscriber,
    process: subprocess.Popen[bytes],
    found: Received,
    seconds: float,
    progress: Callable[[Received], None],
) -> None:
    now = time.monotonic()
    until, sample_at, progress_at = now + START_S, now, now + PROGRESS_EVERY_S
    while now < until and not found.ended and process.poll() is None:
        item = subscriber.receive(0.2)
        now = time.monotonic()
        if isinstance(item, wire.Message):
            if item.event.type == "score" and not found.scores:
                until = now + seconds
            _take(found, item, now)
        elif isinstance(item, Missed):
            found.missed += item.at_most
        if now >= sample_at:
            sample_at = now + SAMPLE_EVERY_S
            found.process.append((now, *resources(process.pid)))
        if now >= progress_at and len(found.scores) > 1:
            progress_at = now + PROGRESS_EVERY_S
            progress(found)


def _take(found: Received, message: wire.Message, now: float) -> None:
    event = message.event
    if event.type == "score" and not message.snapshot:
        found.scores.append((event.sample, now))
    elif event.type == "health" and event.data.get("code") == "heartbeat":
        found.beats.append((now, event.data))
    elif event.type == "call.ended":
        found.ended = True


def _in_terminal(command: Sequence[str], env: Mapping[str, str], log_file: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Return the process, and the other end of its terminal, which a thread empties."""
    ours, child_side = pty.openpty()
    fcntl.ioctl(child_side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with log_file.open("wb") as errors:
        process = subprocess.Popen(
            command,
            env={**env, "TERM": "xterm-256color"},
            stdin=child_side,
            stdout=child_side,
            stderr=errors,
            start_new_session=True,
        )
    os.close(child_side)
    threading.Thread(target=_empty, args=(ours,), name="terminal", daemon=True).start()
    return process, ours


def _empty(terminal: int) -> None:
    try:
        while os.read(terminal, 65_536):
            pass
    except OSError:
        """The terminal was closed at the other end, or at this one."""


def _end(process: subprocess.Popen[bytes], by_itself: bool) -> int:
    """Return its exit status, once it has ended or was ended."""
    if not by_itself:
        process.terminate()
    try:
        return process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def resources(pid: int) -> tuple[float, float]:
    """Return resident MiB and processor seconds of a process (proc_pid_statm(5), proc_pid_stat(5)); 0.0 once it has
    ended.
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except (OSError, IndexError):
        return 0.0, 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, sum(map(int, ticks)) / TICKS
