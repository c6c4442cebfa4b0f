"""Shards as Ray actors."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError

from monitor.cluster.hosts import ShardLostError, UnavailableError
from monitor.cluster.shard_process import ShardProcess
from monitor.config.cluster import ClusterSection
from monitor.config.schema import ModelSection


class RayHost:
    """A Host (monitor/cluster/hosts.py), where Ray is connected already.

    Ray restarts no actor by itself: through its old handle pushes would reach a process that has forgotten all states,
    and nobody would know. The coordinator asks for another actor.
    """

    def __init__(self, section: ClusterSection, model: ModelSection) -> None:
        self._model = model.model_dump()
        self._actor = ray.remote(ShardProcess).options(
            num_cpus=section.cpus, num_gpus=section.gpus, max_restarts=0, max_task_retries=0
        )

    def start(self) -> Any:
        """Start a shard, or wait for room for it."""
        return self._actor.remote(self._model)

    def call(self, handle: Any, method: str, *arguments: object) -> Any:
        """Let a shard carry out a method."""
        return getattr(handle, method).remote(*arguments)

    def wait(self, references: Sequence[Any], timeout_s: float) -> list[Any]:
        """Return those that have their answer."""
        ready, _ = ray.wait(list(references), num_returns=1, timeout=timeout_s)
        if len(references) > 1 and ready:
            ready, _ = ray.wait(list(references), num_returns=len(references), timeout=0)
        return list(ready)

    def get(self, reference: Any) -> Any:
        """Return an answer that has come. Raises as a Host does."""
        try:
            return ray.get(reference, timeout=0)
        except ActorUnavailableError as error:
            raise UnavailableError("it cannot be reached") from error
        except RayActorError as error:
            raise ShardLostError(_reason(error)) from error
        except RayTaskError as error:
            raise RuntimeError(str(error.cause)) from error
        except RayError as error:
            raise RuntimeError(str(error).partition("\n")[0]) from error

    def stop(self, handle: Any) -> None:
        """End a shard at once."""
        with contextlib.suppress(RayError):
            ray.kill(handle)


def _reason(error: RayActorError) -> str:
    """Return why an actor is gone, in one line."""
    text = str(error)
    if error.actor_init_failed:
        return f"it cannot start: {text.strip().splitlines()[-1]}"
    if "node" in text.lower() and "died" in text.lower() and "worker" not in text.lower():
        return "its machine is gone"
    return "its process is gone"
