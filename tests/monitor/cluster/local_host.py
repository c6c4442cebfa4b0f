"""Shards in this process, which can be lost and cut off at any call: a Host without Ray."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from monitor.cluster.coordinator import Coordinator
from monitor.cluster.hosts import ShardLostError, UnavailableError
from monitor.cluster.messages import Push
from monitor.cluster.shard import Shard


class LocalShard:
    """fault: "lost", its process is gone; "silent", it carries out calls and no answer arrives; "unreachable", no call
    arrives either; "broken", it carries out calls, and the connection breaks before the answer.
    """

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.fault = ""
        self.calls: list[str] = []


class LocalHost:
    """room: how many shards there may be at once."""

    def __init__(self, make: Callable[[], Shard]) -> None:
        self._make = make
        self.shards: list[LocalShard] = []
        self.room = 100
        self.kills: Callable[[Push], bool] = lambda _: False
        """Whether the process of a shard ends when it takes a push."""
        self._numbers = itertools.count()
        self._answers: dict[int, Any] = {}

    def start(self) -> LocalShard:
        self.shards.append(LocalShard(self._make()))
        if sum(shard.fault != "lost" for shard in self.shards) > self.room:
            self.shards[-1].fault = "unreachable"
        return self.shards[-1]

    def call(self, handle: LocalShard, method: str, *arguments: Any) -> int:
        number = next(self._numbers)
        given = [
            self._answers.get(a, UnavailableError()) if isinstance(a, int) and method == "hold" else a
            for a in arguments
        ]
        if method == "push" and self.kills(arguments[0]):
            handle.fault = "lost"
        answer = next((a for a in given if isinstance(a, Exception)), None)
        if handle.fault == "lost":
            self._answers[number] = ShardLostError()
        elif handle.fault != "unreachable":
            answer = answer or self._carry_out(handle, method, given)
            if handle.fault != "silent":
                self._answers[number] = UnavailableError() if handle.fault == "broken" else answer
        return number

    def _carry_out(self, handle: LocalShard, method: str, given: Sequence[Any]) -> Any:
        handle.calls.append(method)
        try:
            return getattr(handle.shard, method)(*given) or "done"
        except ValueError as error:
            return RuntimeError(str(error))

    def wait(self, references: Sequence[int], timeout_s: float) -> list[int]:  # noqa: ARG002 - all is there at once
        return [reference for reference in references if reference in self._answers]

    def get(self, reference: int) -> Any:
        answer = self._answers[reference]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self, handle: LocalShard) -> None:
        handle.fault = "lost"


def process_of(coordinator: Coordinator, name: str) -> LocalShard:
    """What is the shard of that name now."""
    found = next(link.handle for link in coordinator.links if link.name == name)
    assert isinstance(found, LocalShard)
    return found
