"""Asks the control actor of a running server, from another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from monitor.cluster.control_actor import PREFIX, Wanted
from monitor.errors import BadInputError, MonitorError

ANSWER_S = 10.0


@dataclass(frozen=True)
class RunningServer:
    """A server with a cluster. Its methods raise BadInputError."""

    name: str
    actor: Any

    def change(self, shards: int | None, leaving: str) -> None:
        """Want another number of shards, or one of them to leave."""
        self._ask(self.actor.change.remote(shards, leaving))

    def show(self) -> tuple[Wanted, list[dict[str, Any]]]:
        """Return what is wanted, and the health of each shard."""
        wanted, figures = self._ask(self.actor.show.remote())
        return wanted, figures

    def _ask(self, reference: Any) -> Any:
        try:
            return ray.get(reference, timeout=ANSWER_S)
        except RayTaskError as error:
            if isinstance(error.cause, MonitorError):
                raise BadInputError(error.cause.message, error.cause.hint) from error
            raise
        except RayError as error:
            raise BadInputError(f"the server {self.name} does not answer", "look whether it still runs") from error


def find_server(name: str) -> RunningServer:
    """Return the server of that name, or the only one there is. Raises BadInputError."""
    names = [each.removeprefix(PREFIX) for each in ray.util.list_named_actors() if each.startswith(PREFIX)]
    if name and name not in names:
        raise BadInputError(f"there is no server {name!r} on this cluster", f"there are {', '.join(names) or 'none'}")
    if not names:
        raise BadInputError("no server uses this cluster", "start one: monitor serve --cluster HOST:PORT")
    if not name and len(names) > 1:
        raise BadInputError(f"{len(names)} servers use this cluster", f"name one with --server: {', '.join(names)}")
    chosen = name or names[0]
    return RunningServer(chosen, ray.get_actor(PREFIX + chosen))
