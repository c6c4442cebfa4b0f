"""An engine over sources, and what it said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from helpers import Audio, Says, make_detector, make_scorer

from monitor.audio import Chunk, Source
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.sinks.memory import MemorySink
from monitor.types import Condition, Event

QUICK = {"evidence": {"memory_s": 1.5}, "alerts": {"close_hold_s": 1.0, "update_every_s": 1.0, "unknown_after_s": 3.0}}


class WatchedCalls:
    """An engine over sources, its events, and what its parts are."""

    def __init__(self, *sources: Source, says: Says = "hiss", hears_speech: bool = True, **sections: Any) -> None:
        self.config = Config.model_validate(QUICK | sections)
        rows = sum(len(s.channels) for s in sources)
        self.sink = MemorySink()
        self.bus = Bus([self.sink])
        self.scorer = make_scorer(make_detector(says, hears_speech), rows)
        self.pool = Pool(self.scorer, self.config)
        self.engine = Engine(self.pool, RingBank(rows, self.config.input.ring_s), self.bus, self.config)
        for number, source in enumerate(sources):
            self.engine.add(f"call{number}", source)

    def listen(self) -> list[Event]:
        """Run to the end; all events."""
        with self.bus:
            self.engine.run()
            assert self.bus.drain(10.0)
        return self.sink.events


def chunks(audio: Audio, start: int = 0, size: int = 1600) -> list[Chunk | Condition | Exception]:
    """audio (n,) or (channels, n) in pieces."""
    rows = np.atleast_2d(audio)
    return [Chunk(rows[:, at : at + size], start + at, 0.0) for at in range(0, rows.shape[1], size)]


def of(events: Sequence[Event], *types: str) -> list[Event]:
    return [e for e in events if e.type in types]


def states(events: Sequence[Event]) -> list[str]:
    """The states that the channel went through."""
    return [str(e.data["state"]) for e in of(events, "state.changed")]
