"""A server of the tests: a call router and its engine in a thread."""

from __future__ import annotations

import threading
import time
from typing import Any

from helpers import make_detector, make_scorer

from monitor.audio import Audio
from monitor.call_history.recent_calls import RecentCalls
from monitor.call_history.recent_calls_sink import RecentCallsSink
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.serve.call_router import CallRouter
from monitor.sinks.memory import MemorySink
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted
from monitor.types import SAMPLE_RATE, Event

MAX_CALLS = 3
QUICK = {"evidence": {"memory_s": 1.5}, "alerts": {"close_hold_s": 1.0}}
LIMIT_S = 30.0


class Server:
    """An engine that serves, and its router."""

    def __init__(self) -> None:
        self.config = Config.model_validate(QUICK)
        self.sink = MemorySink()
        self.calls = RecentCalls("epoch", 3600.0, 10)
        self.bus = Bus([self.sink, RecentCallsSink(self.calls)], epoch="epoch")
        rows = 2 * MAX_CALLS
        pool = Pool(make_scorer(make_detector(), rows), self.config)
        self.engine = Engine(pool, RingBank(rows, 30.0), self.bus, self.config, serving=True)
        self.router = CallRouter(self.engine, MAX_CALLS, idle_s=5.0)
        self.thread = threading.Thread(target=self.engine.run, daemon=True)

    def call(self, name: str, *parties: str, rate: int = SAMPLE_RATE, **more: Any) -> None:
        self.router.deliver(CallStarted(name, "test", parties or ("caller",), rate, **more))

    def say(self, name: str, audio: Audio, channel: int = 0, start: int = 0, size: int = 160, **more: Any) -> int:
        for at in range(0, len(audio), size):
            self.router.deliver(CallAudio(name, channel, start + at, audio[at : at + size], **more))
            more = {}
        return start + len(audio)

    def over(self, name: str, why: str = "") -> None:
        self.router.deliver(CallEnded(name, why))

    def wait_for(self, kind: str, call: str) -> Event:
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            for event in list(self.sink.events):
                if event.type == kind and event.call == call:
                    return event
            time.sleep(0.01)
        raise AssertionError(f"no {kind} of {call}: {[(e.type, e.call) for e in self.sink.events]}")

    def of(self, call: str, *kinds: str) -> list[Event]:
        return [e for e in self.sink.events if e.call == call and (not kinds or e.type in kinds)]

    def close(self) -> None:
        self.engine.stop()
        if self.thread.ident is not None:
            self.thread.join(LIMIT_S)
        self.bus.close()
