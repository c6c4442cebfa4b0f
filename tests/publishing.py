"""A publisher as the program has it, and what a subscriber receives from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from monitor.config.schema import Config
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.sinks.registry import open_sinks
from monitor.sinks.zeromq import ZeromqSink
from monitor.subscriber import Item, Message, Subscriber
from monitor.types import Event

LIMIT_S = 30.0


class Publisher:
    """The sinks of a configuration on a bus, as the program has them."""

    def __init__(self, journal: Path | None = None, address: str = "tcp://127.0.0.1:*", **zeromq: object) -> None:
        settings: dict[str, object] = {"address": address, "heartbeat_s": 0.1, "replay_address": "tcp://127.0.0.1:*"}
        sections: dict[str, object] = {"zeromq": settings | zeromq}
        if journal is not None:
            sections["journal"] = {"path": str(journal), "fsync": "never"}
        self.epoch = wire.new_epoch()
        sinks = open_sinks(Config.model_validate(sections), self.epoch)
        self.sink = next(sink for sink in sinks if isinstance(sink, ZeromqSink))
        self.address, self.replay = self.sink.address, self.sink.replay
        self.bus = Bus(sinks, 20_000, self.epoch)

    def say(self, count: int, kind: str = "score", call: str = "call1", **data: object) -> None:
        for _ in range(count):
            self.bus.publish(Event(kind, call, "caller", 0, data), wait=True)
        assert self.bus.drain(LIMIT_S)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.bus.close()


def take(subscriber: Subscriber, enough: Callable[[list[Item]], bool]) -> list[Item]:
    items: list[Item] = []
    until = time.monotonic() + LIMIT_S
    while not enough(items):
        assert time.monotonic() < until, items[-3:]
        if item := subscriber.receive(0.1):
            items.append(item)
    return items


def numbers(items: list[Item]) -> list[int]:
    return [item.event.seq for item in items if isinstance(item, Message) and item.event.seq]


def settle(subscriber: Subscriber) -> None:
    """Until its first heartbeat, from which on everything is its own."""
    take(subscriber, lambda _: subscriber.position is not None)
