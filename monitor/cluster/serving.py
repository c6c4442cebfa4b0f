"""The engine of a server with a cluster, from the first shard to the last."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from typing import Any

import ray

from monitor.cluster.cluster_engine import ClusterEngine
from monitor.cluster.cluster_scorer import ClusterScorer
from monitor.cluster.connect import joined
from monitor.cluster.coordinator import Coordinator
from monitor.cluster.messages import Description
from monitor.cluster.ray_host import RayHost
from monitor.cluster.roster import PREFIX, Roster, Wanted
from monitor.config.schema import Config
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.engine.traces import Traces
from monitor.errors import BadInputError
from monitor.events.bus import Bus

ASK_S = 1.0
"""The roster is asked so often."""
PATIENCE_S = 30.0
NO_SHARD = -1
"""Jobs of the roster belong to no shard."""


@contextmanager
def cluster_engine(config: Config, bus: Bus, traces: Traces, rows: int) -> Iterator[ClusterEngine]:
    """Return an engine whose calls shards score; the first of them is there. All end with it.

    Raises BadInputError where there is no Ray, or no shard can start.
    """
    section = config.cluster
    processors = max(ceil(2 * section.shards * section.cpus), os.cpu_count() or 1)
    with joined(section.address, cpus=processors, memory_mib=section.memory_mib) as address:
        coordinator = Coordinator(RayHost(section, config.model), section, rows)
        try:
            coordinator.want(section.shards)
            scorer = ClusterScorer(coordinator, _first_shard(coordinator, section.start_s), rows)
            bank = RingBank(rows, max(config.serve.ring_s, section.ring_s))
            engine = ClusterEngine(Pool(scorer, config, traces), scorer, bank, bus, config)
            engine.notice("cluster", f"Ray at {address}")
            engine.each_turn = Attendance(coordinator, section.shards).look
            yield engine
        finally:
            coordinator.close()


def _first_shard(coordinator: Coordinator, patience_s: float) -> Description:
    """Wait for the first shard. Raises BadInputError."""
    until = time.monotonic() + patience_s
    while coordinator.members.first is None:
        coordinator.members.look(time.monotonic())
        coordinator.collect(0.2)
        if faulty := next((link for link in coordinator.links if link.fault), None):
            raise BadInputError(f"{faulty.name}: {faulty.fault}", "look at the versions and the weights on the nodes")
        if time.monotonic() > until:
            raise BadInputError(
                f"no shard was there after cluster.start_s = {patience_s:g} s",
                "ask for less with cluster.cpus and cluster.gpus, or give the cluster more nodes",
            )
    return coordinator.members.first


class Attendance:
    """Asks the roster, in the thread that scores, how many shards there should be."""

    def __init__(self, coordinator: Coordinator, shards: int) -> None:
        self._coordinator, self._wanted = coordinator, Wanted(shards)
        self._name = f"{PREFIX}{platform.node()} {os.getpid()}"
        self._actor = ray.remote(Roster).options(num_cpus=0, max_restarts=0)
        self._roster = self._start()
        self._due, self._asked = 0.0, False

    def look(self, now: float) -> None:
        """Ask, where it is time to."""
        if now < self._due or self._asked:
            return
        self._asked, self._due = True, now + ASK_S
        reference: Any = self._roster.exchange.remote(self._coordinator.figures())
        self._coordinator.jobs.add(NO_SHARD, reference, PATIENCE_S, self._answered, self._failed)

    def _start(self) -> Any:
        return self._actor.options(name=self._name).remote(self._wanted)

    def _answered(self, wanted: Wanted) -> None:
        self._asked = False
        if wanted != self._wanted:
            self._wanted = wanted
            self._coordinator.want(wanted.shards, wanted.leaving)

    def _failed(self, _: Exception) -> None:
        self._asked, self._due = False, time.monotonic() + PATIENCE_S
        with suppress(ValueError):
            ray.kill(self._roster)
        with suppress(ValueError):  # the name of one that is gone is free a little later
            self._roster = self._start()
