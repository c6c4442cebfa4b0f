"""The current state of calls, as the messages that a broker retains. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from monitor.events import wire
from monitor.types import Event, State

KINDS = frozenset(("alert", "call", "state"))


@dataclass(frozen=True)
class RetainedTopics:
    """states: topic to JSON, one for each channel of a running call. opened: the ids of the alerts that are open."""

    states: Mapping[str, str] = field(default_factory=dict)
    opened: frozenset[str] = frozenset()

    def after(self, event: Event) -> RetainedTopics:
        """Return the retained topics after an event."""
        if event.type == "call.started":
            new = {_topic(event.call, c): _state(event, c, State.LISTENING) for c in _channels(event)}
            return RetainedTopics({**self.states, **new}, self.opened)
        if event.type == "call.ended":
            gone = {_topic(event.call, c) for c in _channels(event)}
            return RetainedTopics({t: text for t, text in self.states.items() if t not in gone}, self.opened)
        if not concerns(event):
            return self
        topic = _topic(event.call, event.channel)
        state = _state(event, event.channel, str(event.data["state"]), self.states.get(topic))
        return RetainedTopics({**self.states, topic: state}, self._opened_after(event))

    def messages(self) -> dict[str, str]:
        return {**self.states, "open_alerts": str(len(self.opened))}

    def since(self, before: RetainedTopics) -> Iterator[tuple[str, str]]:
        """Yield the topics and payloads that make a broker which has `before` have this; an empty payload removes
        one."""
        then, now = before.messages(), self.messages()
        yield from ((topic, payload) for topic, payload in now.items() if then.get(topic) != payload)
        yield from ((topic, "") for topic in then if topic not in now)

    def _opened_after(self, event: Event) -> frozenset[str]:
        if wire.kind(event) != "alert":
            return self.opened
        alert = frozenset((str(event.data["alert"]),))
        return self.opened - alert if event.type == "alert.closed" else self.opened | alert


def concerns(event: Event) -> bool:
    """Return whether it can change what is retained."""
    return wire.kind(event) in KINDS and event.type != "call.marked"


def _channels(event: Event) -> list[str]:
    found = event.data.get("channels")
    return [str(name) for name in found] if isinstance(found, (list, tuple, Mapping)) else []


def _topic(call: str, channel: str) -> str:
    return f"state/{wire.topic_name(call)}/{wire.topic_name(channel)}"


def _state(event: Event, channel: str, state: str, before: str | None = None) -> str:
    """since: when the state began, so that no receiver takes the time of an update, or of its own restart, for it."""
    last = json.loads(before) if before else {}
    since = last["since"] if last.get("state") == state else event.time
    found: dict[str, object] = {"call": event.call, "channel": channel, "state": str(state), "since": since}
    found["time"] = event.time
    found |= {name: event.data[name] for name in ("p_fake", "llr") if name in event.data}
    return json.dumps(found, separators=(",", ":"))
