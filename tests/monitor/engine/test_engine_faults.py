"""Faults around the engine: a network that fails, audio that comes too fast, a sink that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers import voice
from watched_calls import WatchedCalls, chunks, of, states

from model.config import BLOCK, SAMPLE_RATE
from model.figures import FIGURES
from monitor.audio import Chunk
from monitor.engine.traces import Traces
from monitor.engine.view import view
from monitor.sources.scripted import ScriptedSource
from monitor.types import Condition


class Failing:
    """Stands before a scorer's score() and fails in the blocks that it is told."""

    def __init__(self, score: Any, blocks: range, failure: Any) -> None:
        self.score, self.blocks, self.failure, self.count = score, blocks, failure, 0

    def __call__(self, *inputs: Any) -> Any:
        self.count += 1
        return self.failure(self.score, *inputs) if self.count - 1 in self.blocks else self.score(*inputs)


def _out_of_memory(_score: Any, *_inputs: Any) -> Any:
    raise RuntimeError("CUDA out of memory\nand forty more lines")


def test_a_network_that_fails_is_a_state_and_scoring_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = WatchedCalls(ScriptedSource(chunks(voice(5.0)), live=True), input={"ring_s": 10.0})
    monkeypatch.setattr(watched.scorer, "score", Failing(watched.scorer.score, range(150, 160), _out_of_memory))
    events = watched.listen()
    assert [(e.data["code"], e.data["usable"]) for e in of(events, "health")] == [
        ("model failed", False),
        ("model recovered", True),
    ]
    assert of(events, "health")[0].sample == 151 * BLOCK
    assert states(events) == ["clear", "unknown", "clear"]
    assert of(events, "state.changed")[1].data["why"] == "model failed: CUDA out of memory"
    missing = [e for e in of(events, "score") if 150 * BLOCK < e.sample <= 160 * BLOCK]
    assert not missing, "an error must never be a score"


def test_a_network_that_gives_no_numbers_gives_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_number(score: Any, *inputs: Any) -> Any:
        figures = score(*inputs)
        figures[..., FIGURES.index("spoof")] = np.nan
        return figures

    watched = WatchedCalls(ScriptedSource(chunks(voice(5.0)), live=True), input={"ring_s": 10.0})
    monkeypatch.setattr(watched.scorer, "score", Failing(watched.scorer.score, range(150, 160), no_number))
    events = watched.listen()
    assert states(events) == ["clear", "unknown", "listening", "clear"], "its state is cold again"
    assert of(events, "state.changed")[1].data["why"] == "the network gave a value that is not a number"
    assert events[-1].data["channels"]["mono"]["net_speech_s"] == pytest.approx(4.8, abs=0.01)  # type: ignore[index]
    assert all(np.isfinite(e.data["p_fake"]) for e in of(events, "score"))  # type: ignore[call-overload]


class Endless:
    """A live source that gives a voice until it is closed."""

    name, channels, live = "endless", ("mono",), True

    def __init__(self) -> None:
        self.closed = threading.Event()

    def chunks(self) -> Iterator[Chunk | Condition]:
        at = 0
        while not self.closed.wait(0.02):
            yield Chunk(voice(0.02)[None], at, time.monotonic())
            at += BLOCK

    def close(self) -> None:
        self.closed.set()


def test_stop_ends_a_live_call_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    watched = WatchedCalls(Endless())
    stopper = threading.Timer(0.5, watched.engine.stop)
    stopper.start()
    events = watched.listen()
    stopper.join()
    assert events[-1].type == "call.ended"
    assert events[-1].data["why"] == "interrupted"
    assert set(threading.enumerate()) <= before
    assert watched.engine.interrupted
    slowest = max(watched.engine.latency.recent_ms)
    assert 0.0 < float(str(watched.engine.heartbeat_figures()["latency_p99_ms"])) <= slowest + 0.01


def test_live_audio_that_comes_too_fast_is_lost_counted_and_named() -> None:
    live = ScriptedSource(chunks(voice(10.0), size=SAMPLE_RATE), live=True)
    watched = WatchedCalls(live, input={"ring_s": 1.0})
    call = watched.engine.calls[0]
    for item in live.chunks():  # all of it before anybody reads
        assert isinstance(item, Chunk)
        call.feeds[0].ring.push(item, wait=False)
    call.feeds[0].ring.finish()
    events = watched.listen()
    assert events[-1].data["lost_s"] == pytest.approx(9.0, abs=0.05)
    assert events[-1].sample == 10 * SAMPLE_RATE
    assert watched.engine.heartbeat_figures()["lost_s"] == events[-1].data["lost_s"]
    slow = [event.data["detail"] for event in of(events, "health") if event.data["code"] == "scoring too slow"]
    assert slow == ["scoring is too slow: 90 % of the audio lost"]
    assert watched.engine.heartbeat_figures()["faults"] == slow
    assert watched.engine.heartbeat_figures()["lost_share"] == pytest.approx(0.9, abs=0.005)


def test_a_recording_loses_nothing_however_slow_scoring_is_and_says_how_fast_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = WatchedCalls(ScriptedSource(chunks(voice(2.0))), input={"ring_s": 1.0})
    step, traces = watched.pool.step, Traces(1)
    monkeypatch.setattr(watched.pool, "step", lambda blocks: time.sleep(0.03 * blocks.turns) or step(blocks))
    events = watched.listen()
    assert events[-1].data["lost_s"] == 0.0
    assert "scoring too slow" not in [event.data["code"] for event in of(events, "health")]
    assert 0.0 < view(watched.engine, traces, "", None).speed < 0.7


def test_vitals_name_a_sink_that_fails() -> None:
    watched = WatchedCalls(ScriptedSource(chunks(voice(1.0))))
    watched.sink.fail("disk full")
    with watched.bus:
        watched.engine.run()
        deadline = time.monotonic() + 10
        while not watched.engine.heartbeat_figures()["faults"] and time.monotonic() < deadline:
            time.sleep(0.01)
        waiting = watched.bus.status()[0].queued
        assert waiting
        assert watched.engine.heartbeat_figures()["faults"] == [f"memory: disk full; {waiting} wait"]
        watched.sink.recover()
        assert watched.bus.drain(10.0)
    assert watched.sink.events[-1].type == "call.ended"
