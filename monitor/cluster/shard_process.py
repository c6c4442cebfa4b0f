"""The process of a shard. What it needs is loaded at the lowest priority: beside it others score."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.cluster.messages import Answer, Description, Ints, Push, Saved, States
    from monitor.cluster.shard import Shard

LOWEST = 19


class ShardProcess:
    """A Shard with the network of the settings. Its methods are documented there.

    This module imports nothing that takes long, as Ray imports it at the priority at which the shard is to score.
    """

    def __init__(self, model: dict[str, Any]) -> None:
        """model: the section [model]. Raises WeightsError and BadInputError."""
        with ThreadPoolExecutor(1, initializer=_step_back) as loading:
            self._shard = loading.submit(_open, model).result()

    def describe(self) -> Description:
        return self._shard.describe()

    def push(self, push: Push) -> Answer:
        return self._shard.push(push)

    def save(self, number: int, keys: Ints) -> States:
        return self._shard.save(number, keys)

    def hold(self, keys: Ints, blocks: Ints, states: States) -> None:
        self._shard.hold(keys, blocks, states)

    def held(self, keys: Ints) -> Saved:
        return self._shard.held(keys)


def _step_back() -> None:
    """Let others go first. Linux alone has a priority for each thread; that of a process could not be raised again."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, LOWEST)


def _open(model: dict[str, Any]) -> Shard:
    from monitor.cluster.shard import Shard
    from monitor.config.schema import ModelSection
    from monitor.scoring.opening import scorers

    # One graph whose figures do not depend on how many blocks come at once.
    return Shard(scorers(ModelSection(**model), recorded=True))
