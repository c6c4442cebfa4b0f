"""Selects the events that an outlet gets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.events import wire
from monitor.journal.anchors import CODE as ANCHOR
from monitor.types import Event


def is_fault(event: Event) -> bool:
    """Return whether a health event says that something does not work, or works again."""
    if event.type != wire.HEALTH:
        return False
    code = str(event.data.get("code", ""))
    return not event.data.get("usable", True) or code.startswith(("sink ", "scoring ")) or "recovered" in code


def selector(words: Sequence[str]) -> Callable[[Event], bool]:
    """Return True for events of those types or kinds; "fault" stands for what is_fault() says, "anchor" for the
    journal's anchors.
    """
    chosen = frozenset(words)

    def wants(event: Event) -> bool:
        if event.type in chosen or wire.kind(event) in chosen or ("fault" in chosen and is_fault(event)):
            return True
        return "anchor" in chosen and event.type == wire.HEALTH and event.data.get("code") == ANCHOR

    return wants
