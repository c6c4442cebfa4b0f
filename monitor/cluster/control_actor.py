"""Where a server and whoever looks after it meet: which shards there are, and how many there should be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.errors import BadInputError

PREFIX = "server "


@dataclass(frozen=True)
class Wanted:
    """shards: how many. leaving: names of shards that must not be among them."""

    shards: int
    leaving: tuple[str, ...] = ()


class ControlActor:
    """A named actor of Ray beside each server's shards, which the server asks every second."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._figures: list[dict[str, object]] = []

    def exchange(self, figures: list[dict[str, object]]) -> Wanted:
        """Take the health of the shards from the server. Returns what is wanted."""
        self._figures = figures
        return self._wanted

    def show(self) -> tuple[Wanted, list[dict[str, object]]]:
        """Return what is wanted, and the health of the shards."""
        return self._wanted, self._figures

    def change(self, shards: int | None, leaving: str) -> Wanted:
        """Want another number of shards, or one of them to leave, with another one in its place."""
        self._wanted = changed(self._wanted, shards, leaving, [str(each["name"]) for each in self._figures])
        return self._wanted


def changed(wanted: Wanted, shards: int | None, leaving: str, names: list[str]) -> Wanted:
    """Return what is wanted after a change. Raises BadInputError for a shard that is not there."""
    if leaving and leaving not in names:
        raise BadInputError(f"there is no shard {leaving!r}", f"there are {', '.join(names) or 'none'}")
    more = dict.fromkeys((*wanted.leaving, *([leaving] if leaving else [])))
    return replace(wanted, shards=wanted.shards if shards is None else shards, leaving=tuple(more))
