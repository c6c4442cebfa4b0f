"""Processes with the network loaded and no calls, which stand in at once for a shard that is lost."""

from __future__ import annotations

import time
from dataclasses import dataclass

from monitor.cluster.hosts import Handle, Host
from monitor.cluster.jobs import NO_SHARD, Jobs
from monitor.cluster.messages import Description

STARTING_S, ANSWER_S = 600.0, 10.0
ASK_S = 5.0
"""Between two looks whether a spare is still there."""
AGAIN_S = 10.0
"""After one that was lost."""
LATEST_S = 10.0
"""To start a process takes a second of a core. Shards that catch up need it more, but not for longer than this."""


@dataclass
class _Process:
    """description: once it is ready. ask_at: when it is asked again whether it is there."""

    handle: Handle
    description: Description | None = None
    ask_at: float = float("inf")


@dataclass(frozen=True)
class Spare:
    """A process that is ready."""

    handle: Handle
    description: Description


class Spares:
    """So many of them, where the cluster has room. Belongs to the thread of the coordinator."""

    def __init__(self, host: Host, jobs: Jobs, count: int) -> None:
        self._host, self._jobs, self._count = host, jobs, count
        self._processes: list[_Process] = []
        self._start_at = 0.0

    @property
    def ready(self) -> int:
        """Return how many could be a shard at once."""
        return sum(process.description is not None for process in self._processes)

    def check(self, now: float, *, calm: bool) -> None:
        """Start what is missing, and ask whether the others are still there. calm: no shard is late."""
        if now >= self._start_at + (0.0 if calm else LATEST_S) and len(self._processes) < self._count:
            self._processes.append(process := _Process(self._host.start()))
            self._ask(process, STARTING_S)
        for process in self._processes:
            if now >= process.ask_at:
                self._ask(process, ANSWER_S)

    def wait_until(self, then: float) -> None:
        """Start none before."""
        self._start_at = max(self._start_at, then)

    def take(self) -> Spare | None:
        """Return one that is ready, which is none of these any more."""
        for process in self._processes:
            if process.description is not None:
                self._processes.remove(process)
                return Spare(process.handle, process.description)
        return None

    def close(self) -> None:
        """End them."""
        for process in self._processes:
            self._host.stop(process.handle)
        self._processes.clear()

    def _ask(self, process: _Process, timeout_s: float) -> None:
        process.ask_at = float("inf")

        def answered(found: Description) -> None:
            process.description, process.ask_at = found, time.monotonic() + ASK_S

        def failed(_: Exception) -> None:
            if process in self._processes:
                self._processes.remove(process)
                self._host.stop(process.handle)
                self.wait_until(time.monotonic() + AGAIN_S)

        self._jobs.add(NO_SHARD, self._host.call(process.handle, "describe"), timeout_s, answered, failed)
