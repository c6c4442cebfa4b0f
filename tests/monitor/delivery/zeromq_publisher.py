"""A publisher on a free port, and what its subscribers take."""

from __future__ import annotations

from dataclasses import asdict

from monitor.delivery.publisher_sockets import PublisherAddresses
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.events.sink import RunContext
from monitor.sinks.zeromq import ZeromqSink
from monitor.types import Event

ANYWHERE = "tcp://127.0.0.1:*"


class Publisher:
    """A bus with nothing but a ZeroMQ sink."""

    def __init__(self, address: str = ANYWHERE, high_water_mark: int = 10_000, **figures: object) -> None:
        epoch = wire.new_epoch()
        self.sink = ZeromqSink(PublisherAddresses(address, high_water_mark=high_water_mark), epoch, 0.1)
        self.address = self.sink.address
        self.bus = Bus([self.sink], 1000, epoch)
        sinks = self.bus.status
        self.sink.start(RunContext("", lambda: {"sinks": [asdict(status) for status in sinks()], **figures}, sinks))

    def say(self, kind: str, call: str = "call1", channel: str = "caller", **data: object) -> int:
        return self.bus.publish(Event(kind, call, channel, 0, data), wait=True).seq
