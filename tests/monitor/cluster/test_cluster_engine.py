"""A clustered call's events are those of one process, whatever happens to the shards; only the clock may differ."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from helpers import turning_call, voice
from local_host import LocalHost, process_of
from test_coordinator import QUICK, scorer

from model.config import BLOCK
from monitor.audio import Audio, Chunk
from monitor.cluster import link
from monitor.cluster.cluster_engine import ClusterEngine
from monitor.cluster.cluster_scorer import ClusterScorer
from monitor.cluster.coordinator import Coordinator
from monitor.cluster.shard import Shard
from monitor.config.cluster import ClusterSection
from monitor.config.load import load_settings, parse_assignment
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.serve.call_router import CallRouter
from monitor.sinks.memory import MemorySink
from monitor.taps.tap_events import CallAudio, CallStarted, RefusedError
from monitor.types import SAMPLE_RATE, Condition

ROWS, CALLS = 8, 4
ALERTS = ("evidence.memory_s=1.5", "alerts.close_hold_s=1", "alerts.update_every_s=1", "publish.score_interval_ms=100")


def config() -> Config:
    return load_settings(None, {}, [("--set", *parse_assignment(text)) for text in ALERTS]).config


def recordings() -> list[Audio]:
    """Voices, of which every second one turns synthetic; the second one loses some audio."""
    found = [turning_call(2, 3, 2) if number % 2 else voice(7.0, seed=number + 1) for number in range(CALLS)]
    found[1][16_000:17_000] = np.nan
    return found


def events_of(engine: Engine, bus: Bus, sink: MemorySink, at: Callable[[int], None]) -> dict[str, list[Any]]:
    """What is published of each call when all are fed in pieces of 0.1 s. at: is told of each piece before it."""
    spoken = recordings()
    calls = [engine.admit(f"call {number}", "test", ("party",), {}) for number in range(CALLS)]
    size = SAMPLE_RATE // 10
    for piece in range(len(spoken[0]) // size):
        at(piece)
        for call, samples in zip(calls, spoken, strict=True):
            part = samples[None, piece * size : (piece + 1) * size]
            lost = np.isnan(part)
            chunk = Chunk(part, piece * size, time.monotonic(), lost if lost.any() else None)
            call.feeds[0].ring.push(chunk, wait=False)
        if piece == 30:
            calls[0].feeds[0].add_condition(Condition("stalled", "nothing comes", usable=False))
        if piece == 40:
            calls[0].feeds[0].add_condition(Condition("recovered", "it goes on", usable=True))
        wait(engine, lambda: all(call.fill < 320 for call in calls))
    for call in calls:
        call.finish()
    wait(engine, lambda: not engine.calls)
    bus.drain(10)
    found = defaultdict(list)
    for event in sink.events:
        found[event.call].append((event.type, event.channel, event.sample, dict(event.data)))
    found.pop("", None)
    return dict(found)


def wait(engine: Engine, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    engine.turn()
    while not condition():
        assert time.monotonic() < until
        engine.turn()


@pytest.fixture(scope="module")
def alone() -> dict[str, list[Any]]:
    sink = MemorySink()
    with Bus([sink]) as bus:
        engine = Engine(Pool(scorer(ROWS), config()), RingBank(ROWS, 10.0), bus, config(), serving=True)
        return events_of(engine, bus, sink, lambda _: None)


@contextmanager
def clustered(sink: MemorySink, **settings: Any) -> Iterator[tuple[ClusterEngine, LocalHost, Bus]]:
    """An engine whose two shards are there."""
    host = LocalHost(lambda: Shard(scorer))
    coordinator = Coordinator(host, ClusterSection(**QUICK | settings), ROWS)
    coordinator.want(2)
    while coordinator.members.first is None or not all(link.works for link in coordinator.links):
        coordinator.send(RingBank(1, 1.0), time.monotonic())
        coordinator.collect(0.01)
    with Bus([sink]) as bus:
        made = ClusterScorer(coordinator, coordinator.members.first, ROWS)
        yield ClusterEngine(Pool(made, config()), made, RingBank(ROWS, 10.0), bus, config()), host, bus


@pytest.mark.parametrize(
    ("fault", "spares"), [("", 0), ("lost", 0), ("lost", 1), ("silent", 0), ("silent", 1), ("leave", 0)]
)
def test_events_equal_those_of_one_process(alone: dict[str, list[Any]], fault: str, spares: int) -> None:
    sink = MemorySink()
    with clustered(sink, spares=spares) as (engine, _, bus):

        def at(piece: int) -> None:
            if fault == "leave" and piece in (20, 35):
                engine.coordinator.want(1 if piece == 20 else 3)
            elif fault in ("lost", "silent") and piece in (25, 45):
                process_of(engine.coordinator, "shard-1" if piece == 25 else "shard-2").fault = fault

        found = events_of(engine, bus, sink, at)
    assert found == alone
    kinds = [kind for kind, *_ in found["call 1"]]
    assert kinds.count("alert.opened") == kinds.count("alert.closed") == 1
    health = [event.data["code"] for event in sink.events if event.type == "health" and not event.call]
    assert ("shard lost" in health) == (fault in ("lost", "silent"))


def test_new_calls_are_refused_before_running_ones_suffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "WINDOW_S", 0.0)
    sink = MemorySink()
    with clustered(sink, busy_share=1e-6) as (engine, _, _):
        router, names, spoken = CallRouter(engine, ROWS, idle_s=60.0), [f"call {n}" for n in range(CALLS)], voice(2.0)
        for name in names:
            router.deliver(CallStarted(name, "test", ("party",), SAMPLE_RATE))
        for at in range(0, len(spoken), BLOCK):
            for name in names:
                router.deliver(CallAudio(name, 0, at, spoken[at : at + BLOCK]))
            engine.turn()
        assert all(shard.streams for shard in engine.shards())
        engine.overload.check(time.monotonic())
        with pytest.raises(RefusedError, match="no shard has room"):
            router.deliver(CallStarted("one more", "test", ("party",), SAMPLE_RATE))
        wait(engine, lambda: all(call.fill < BLOCK for call in engine.calls))
        assert engine.lost == 0
        assert engine.faults() == ["new calls are refused: no shard has room for a further call"]
