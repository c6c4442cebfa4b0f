"""Counts the channels in each state, from the events alone. Pure."""

from __future__ import annotations

from collections import Counter

from monitor.events import wire
from monitor.types import Event, State


class ChannelStates:
    """calls: the names of those that run, with the states of their channels. opened: ids of the open alerts."""

    def __init__(self) -> None:
        self.calls: dict[str, dict[str, State]] = {}
        self.opened: set[str] = set()

    def take(self, event: Event) -> bool:
        """Return what has happened. Returns whether that changes anything here."""
        match event.type:
            case "call.started":
                channels = event.data.get("channels")
                names = channels if isinstance(channels, (list, tuple)) else ()
                self.calls[event.call] = dict.fromkeys(map(str, names), State.LISTENING)
            case "call.ended":
                self.calls.pop(event.call, None)
            case "alert.closed":
                self.opened.discard(str(event.data.get("alert")))
            case "alert.opened":
                self.opened.add(str(event.data.get("alert")))
            case "state.changed" if event.call in self.calls:
                self.calls[event.call][event.channel] = State(str(event.data["state"]))
        return wire.kind(event) in ("call", "alert", "state")

    def counts(self) -> dict[State, int]:
        """Count channels of all calls, by state."""
        found = Counter(state for channels in self.calls.values() for state in channels.values())
        return {state: found[state] for state in State}
