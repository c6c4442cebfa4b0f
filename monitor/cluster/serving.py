"""The engine of a server with a cluster, from the first shard to the last."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from monitor.cluster.cluster_engine import ClusterEngine
from monitor.cluster.cluster_scorer import ClusterScorer
from monitor.cluster.connect import joined
from monitor.cluster.coordinator import Coordinator
from monitor.cluster.messages import Description
from monitor.config.schema import Config
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.engine.traces import Traces
from monitor.errors import BadInputError
from monitor.events.bus import Bus


@contextmanager
def cluster_engine(config: Config, bus: Bus, traces: Traces, rows: int) -> Iterator[ClusterEngine]:
    """Return an engine whose calls shards score; the first of them is there. All end with it.

    Raises BadInputError where there is no Ray, or no shard can start.
    """
    section = config.cluster
    processors = max(ceil((2 * section.shards + section.spares) * section.cpus), os.cpu_count() or 1)
    with joined(section.address, cpus=processors, memory_mib=section.memory_mib, live=True) as address:
        # Ray reads its settings from the environment when it is imported, and joined() makes them.
        from monitor.cluster.control_client import ControlClient
        from monitor.cluster.ray_host import RayHost

        coordinator = Coordinator(RayHost(section, config.model), section, rows)
        try:
            coordinator.want(section.shards)
            scorer = ClusterScorer(coordinator, _first_shard(coordinator, section.start_s), rows)
            bank = RingBank(rows, max(config.serve.ring_s, section.ring_s))
            engine = ClusterEngine(Pool(scorer, config, traces), scorer, bank, bus, config)
            engine.notice("cluster", f"Ray at {address}")
            engine.each_turn = ControlClient(coordinator, section.shards).check
            yield engine
        finally:
            coordinator.close()


def _first_shard(coordinator: Coordinator, timeout_s: float) -> Description:
    """Wait for the first shard. Raises BadInputError."""
    until = time.monotonic() + timeout_s
    while coordinator.members.first is None:
        coordinator.members.check(time.monotonic())
        coordinator.collect(0.2)
        if faulty := next((link for link in coordinator.links if link.fault), None):
            raise BadInputError(f"{faulty.name}: {faulty.fault}", "look at the versions and the weights on the nodes")
        if time.monotonic() > until:
            raise BadInputError(
                f"no shard was there after cluster.start_s = {timeout_s:g} s",
                "ask for less with cluster.cpus and cluster.gpus, or give the cluster more nodes",
            )
    return coordinator.members.first
