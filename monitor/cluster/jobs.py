"""Calls to shards that wait for their answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from monitor.cluster.hosts import Host, Reference, ShardLostError

LATE_S = 0.5
"""Beyond so much time between two looks at the answers, deadlines are extended by it."""
NO_SHARD = -1
"""The index for calls to what is no shard."""
Done = Callable[[Any], None]
Failed = Callable[[Exception], None]


@dataclass(frozen=True, slots=True)
class _Job:
    shard: int
    deadline: float
    done: Done
    failed: Failed


class Jobs:
    """Every call ends in one of its two functions, in the thread that says collect() or drop()."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._jobs: dict[Reference, _Job] = {}
        self._ended = 0.0
        """When the last collect() should have ended."""

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, shard: int, reference: Reference, timeout_s: float, done: Done, failed: Failed) -> None:
        """Add a job. done: takes the answer. failed: takes ShardLostError, UnavailableError, RuntimeError, or
        TimeoutError where there was no answer for so long.
        """
        self._jobs[reference] = _Job(shard, time.monotonic() + timeout_s, done, failed)

    def drop(self, shard: int) -> None:
        """Wait no longer for a shard, which is lost."""
        gone = [job for job in self._jobs.values() if job.shard == shard]
        self._jobs = {reference: job for reference, job in self._jobs.items() if job.shard != shard}
        for job in gone:
            job.failed(ShardLostError("it is gone"))

    def collect(self, timeout_s: float) -> None:
        """Take the answers that have come; waits for the first of them."""
        begun = time.monotonic()
        late_s = max(0.0, begun - self._ended) if self._ended else 0.0
        if late_s > LATE_S:  # this program had no turn itself, and the shards perhaps had none either
            self._jobs = {key: replace(job, deadline=job.deadline + late_s) for key, job in self._jobs.items()}
        self._collect(timeout_s)
        self._ended = time.monotonic()
        if (over_s := self._ended - begun - timeout_s) > LATE_S:
            self._ended -= over_s

    def _collect(self, timeout_s: float) -> None:
        if not self._jobs:
            time.sleep(timeout_s)
            return
        for reference in self._host.wait(list(self._jobs), timeout_s):
            if (job := self._jobs.pop(reference, None)) is None:
                continue
            try:
                answer = self._host.get(reference)
            except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked decides what it means
                job.failed(error)
            else:
                job.done(answer)
        now = time.monotonic()
        for reference, job in list(self._jobs.items()):
            if now > job.deadline and self._jobs.pop(reference, None) is not None:
                job.failed(TimeoutError("no answer"))
