"""Asks the control actor of a server, again and again, how many shards there should be."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from monitor.cluster.control_actor import PREFIX, ControlActor, Wanted
from monitor.cluster.coordinator import Coordinator
from monitor.cluster.jobs import NO_SHARD

ASK_S = 2.0
ANSWER_TIMEOUT_S = 30.0


class ControlClient:
    """The control actor runs on the server's own node, which stays while the network to others is cut. It is asked in
    the thread that scores, which does not wait for it.
    """

    def __init__(self, coordinator: Coordinator, shards: int) -> None:
        self._coordinator, self._wanted = coordinator, Wanted(shards)
        self._name = f"{PREFIX}{platform.node()} {os.getpid()}"
        self._actor = self._start()
        self._due, self._asked = 0.0, False

    def check(self, now: float) -> None:
        """Ask, where it is time to."""
        if now < self._due or self._asked:
            return
        self._asked, self._due = True, now + ASK_S
        reference: Any = self._actor.exchange.remote(self._coordinator.figures())
        self._coordinator.jobs.add(NO_SHARD, reference, ANSWER_TIMEOUT_S, self._answered, self._failed)

    def _start(self) -> Any:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        made = ray.remote(ControlActor).options(num_cpus=0, max_restarts=0, name=self._name, scheduling_strategy=here)
        return made.remote(self._wanted)

    def _answered(self, wanted: Wanted) -> None:
        self._asked = False
        if wanted != self._wanted:
            self._wanted = wanted
            self._coordinator.want(wanted.shards, wanted.leaving)

    def _failed(self, _: Exception) -> None:
        self._asked, self._due = False, time.monotonic() + ANSWER_TIMEOUT_S
        with suppress(ValueError):
            ray.kill(self._actor)
        with suppress(ValueError):  # the name of one that is gone is free a little later
            self._actor = self._start()
