"""Where shards run, as the server sees it: Ray behind ray_host.py, this process in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Handle = Any
"""A shard that was started."""
Reference = Any
"""An answer that will come."""


class ShardLostError(Exception):
    """The shard's process or machine is gone, with all that it knew."""


class UnavailableError(Exception):
    """A call got no answer, and may have been carried out or not. The shard may be there again soon."""


class Host(Protocol):
    """Calls to one shard are carried out in the order in which they were made."""

    def start(self) -> Handle:
        """Start a shard, or wait for room for it. Returns at once."""
        ...

    def call(self, handle: Handle, method: str, *arguments: object) -> Reference:
        """Let a shard carry out a method; a Reference among the arguments stands for its answer. Returns at once."""
        ...

    def wait(self, references: Sequence[Reference], timeout_s: float) -> list[Reference]:
        """Return those that have their answer, or their fault; waits until there is one."""
        ...

    def get(self, reference: Reference) -> Any:
        """Return an answer that has come. Raises ShardLostError, UnavailableError, or RuntimeError for what the shard
        raised.
        """
        ...

    def stop(self, handle: Handle) -> None:
        """End a shard at once, whatever it does."""
        ...
