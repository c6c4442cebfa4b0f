"""Starts the programs that a benchmark measures, and looks at their ports."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from benchmarks.common import without_settings

START_S, END_S = 60.0, 20.0
"""A program may take so long to start, and to end."""


def free_address() -> str:
    """Return an address of this machine, tcp://127.0.0.1:PORT, that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{found.getsockname()[1]}"


def listening(port: int) -> bool:
    """Return whether this TCP port of this machine takes connections: heartbeats begin before all taps are open."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kernel_drops(port: int) -> int:
    """Return datagrams that the system threw away before the monitor read them (proc(5), /proc/net/udp)."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if int(row[1].rpartition(":")[2], 16) == port)


def start(words: Sequence[str], log_file: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start `monitor`, which says in the log what is wrong."""
    return subprocess.Popen(
        [sys.executable, "-m", "monitor", *words],
        stdin=subprocess.DEVNULL,
        stdout=log_file,
        stderr=log_file,
        env=without_settings(),
    )


def helper(module: str, *words: object) -> subprocess.Popen[str]:
    """Return a module beside this one as a process, which says at its end what it did."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
