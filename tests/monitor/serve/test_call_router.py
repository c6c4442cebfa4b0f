"""Calls that come and go while the engine runs: rows, refusals, holes, pauses, last words."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers import turning_call, voice
from routed_server import LIMIT_S, MAX_CALLS, Server

from monitor.engine.traces import Traces
from monitor.errors import BadInputError
from monitor.serve.empty_calls import AT_ONCE
from monitor.serve.server_view import ServerView
from monitor.serve.tap_listeners import Listeners
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallResumed, CallStarted, RefusedError
from monitor.types import SAMPLE_RATE


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.thread.start()
    try:
        yield server
    finally:
        server.close()


def test_a_call_comes_alerts_and_goes(server: Server) -> None:
    server.call("one", direction="inbound", details={"callSid": "CA1"})
    server.say("one", turning_call(3, 4, 1))
    server.over("one", "hung up")
    ended = server.wait_for("call.ended", "one")
    started = server.of("one", "call.started")[0]
    assert started.data["details"] == {"callSid": "CA1", "direction": "inbound"}
    assert started.data["source"] == "test"
    assert ended.data["why"] == "hung up"
    # On a busy machine the first audio may come late, which the clock of the call shows.
    assert 7.95 < ended.data["duration_s"] < 7.95 + LIMIT_S
    assert len(server.of("one", "alert.opened")) == 1
    assert server.engine.calls == ()


def test_a_row_that_is_used_again_remembers_nothing(server: Server) -> None:
    first, second = turning_call(0.5, 5, 0), voice(4.0)
    server.call("first")
    server.say("first", first)
    server.over("first")
    server.wait_for("call.ended", "first")
    server.call("second")
    server.say("second", second)
    server.over("second")
    last = server.wait_for("call.ended", "second")
    assert server.of("first", "alert.opened")
    assert not server.of("second", "alert.opened")
    assert last.data["channels"]["caller"]["alerts"] == 0  # type: ignore[index]
    assert all(e.sample <= 4.1 * SAMPLE_RATE for e in server.of("second"))


def test_every_call_scores_as_it_does_alone(server: Server) -> None:
    calls = {"a": turning_call(3, 3, 1), "b": voice(7.0, seed=5)}
    server.call("alone")
    server.say("alone", calls["a"])
    server.over("alone")
    server.wait_for("call.ended", "alone")
    for name in calls:
        server.call(name)
    for at in range(0, len(calls["a"]), 320):
        for name, audio in calls.items():
            server.say(name, audio[at : at + 320], start=at)
    for name in calls:
        server.over(name)
        server.wait_for("call.ended", name)
    figures = [[(e.sample, e.data["p_fake"]) for e in server.of(name, "score")] for name in ("alone", "a")]
    assert figures[0] == figures[1]
    assert len(figures[0]) > 50


def test_two_parties_have_a_verdict_each(server: Server) -> None:
    server.call("pair", "caller", "agent")
    server.say("pair", voice(5.0), channel=0)
    server.say("pair", voice(5.0, hiss=True), channel=1)
    server.over("pair")
    last = server.wait_for("call.ended", "pair").data["channels"]
    assert isinstance(last, dict)
    assert (last["caller"]["alerts"], last["agent"]["alerts"]) == (0, 1)


def test_more_calls_than_are_allowed_are_refused_and_counted(server: Server) -> None:
    for number in range(MAX_CALLS):
        server.call(f"c{number}")
    with pytest.raises(RefusedError, match=r"serve\.max_calls = 3"):
        server.call("more")
    server.over("c0")
    server.wait_for("call.ended", "c0")
    server.call("more")
    assert sum(server.router.counts.refused.values()) == 1
    assert server.router.counts.started == MAX_CALLS + 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"rate": 10}, "sample rate"), ({"parties": ("a", "b", "c")}, "3 parties"), ({"name": "there"}, "there already")],
)
def test_a_call_that_cannot_be_is_refused(server: Server, changes: dict[str, Any], why: str) -> None:
    server.call("there")
    parties = changes.get("parties", ("caller",))
    with pytest.raises(RefusedError, match=why):
        server.call(changes.get("name", "new"), *parties, rate=changes.get("rate", SAMPLE_RATE))


def test_what_is_lost_is_counted_and_what_is_quiet_is_not(server: Server) -> None:
    server.call("holes")
    at = server.say("holes", voice(2.0))
    at = server.say("holes", voice(2.0, seed=2), start=at + SAMPLE_RATE, quiet=True)
    server.say("holes", voice(2.0, seed=3), start=at + 3 * SAMPLE_RATE)
    server.over("holes")
    ended = server.wait_for("call.ended", "holes")
    assert ended.data["lost_s"] == pytest.approx(3.0, abs=0.05)
    assert 9.95 < ended.data["duration_s"] < 9.95 + LIMIT_S


@pytest.mark.parametrize("rate", [8000, 48_000])
def test_other_rates_are_resampled_whole(server: Server, rate: int) -> None:
    server.call("other", rate=rate)
    t = np.arange(3 * rate) / rate
    server.say("other", (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32), size=rate // 50)
    server.over("other")
    assert server.wait_for("call.ended", "other").data["duration_s"] == pytest.approx(3.0, abs=0.03)


def test_a_pause_is_said(server: Server) -> None:
    server.call("held")
    at = server.say("held", voice(2.0))
    server.router.deliver(CallPaused("held", "on hold"))
    server.router.deliver(CallResumed("held"))
    server.say("held", voice(1.0), start=at)
    server.over("held")
    server.wait_for("call.ended", "held")
    assert [e.data["code"] for e in server.of("held", "health")] == ["paused", "recovered"]


def test_idle_calls_end_and_paused_ones_wait_longer(server: Server) -> None:
    server.call("idle")
    server.call("held")
    server.router.deliver(CallPaused("held", "on hold"))
    now = time.monotonic()
    server.router.sweep(now + 4.0)
    assert server.router.counts.ended == 0
    server.router.sweep(now + 6.0)
    assert server.wait_for("call.ended", "idle").data["why"] == "nothing came for 6 s"
    assert server.router.counts.ended == 1
    server.router.sweep(now + 60.0)
    server.wait_for("call.ended", "held")


def test_what_belongs_to_no_call_is_passed_over(server: Server) -> None:
    server.router.deliver(CallAudio("gone", 0, 0, np.zeros(160, np.float32)))
    server.router.deliver(CallEnded("gone"))
    assert server.router.counts.ended == 0


def test_the_end_of_the_program_ends_every_call(server: Server) -> None:
    server.call("running")
    server.say("running", voice(1.0))
    server.wait_for("call.started", "running")
    server.close()
    assert server.of("running", "call.ended")[0].data["why"] == "interrupted"


def test_a_time_in_which_nobody_listened_ends_no_call(server: Server) -> None:
    server.call("one")
    now = time.monotonic()
    server.router.extend_deadlines(10.0)
    server.router.sweep(now + 14.0)
    server.say("one", voice(0.1))
    assert server.of("one", "call.ended") == []
    server.router.sweep(time.monotonic() + 16.0)
    assert server.wait_for("call.ended", "one").data["why"].startswith("nothing came for")


class Slow:
    """A tap that takes its time to end."""

    name = "slow"

    def __init__(self) -> None:
        self.bound, self.counts, self.ready = [("127.0.0.1", 1)], Counter[str](), asyncio.Event()
        self.cleaned = False

    async def run(self) -> None:
        self.ready.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.2)
            self.cleaned = True


def test_taps_end_in_their_own_time_however_often_they_are_told_to(server: Server) -> None:
    slow = Slow()
    listeners = Listeners([slow], server.router, lambda _code, _detail: None)
    listeners.start()
    closing = [threading.Thread(target=listeners.close) for _ in range(3)]
    for thread in closing:
        thread.start()
        time.sleep(0.05)
    for thread in closing:
        thread.join(LIMIT_S)
    assert slow.cleaned


class Refused(Slow):
    """A tap whose port is taken."""

    async def run(self) -> None:
        raise BadInputError("in use", "choose another")


class SlowlyClosed(asyncio.SelectorEventLoop):
    """An event loop whose thread goes on for a while after it was closed."""

    def close(self) -> None:
        super().close()
        time.sleep(0.3)


def test_taps_that_cannot_start_close_however_soon(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio.new_event_loop", SlowlyClosed)
    listeners = Listeners([Refused()], server.router, lambda _code, _detail: None)
    with pytest.raises(BadInputError):
        listeners.start()
    time.sleep(0.1)
    listeners.close()
    listeners.close()


def test_a_name_that_was_used_gets_a_number(server: Server) -> None:
    for name in ("same", "other", "same~2"):
        server.call(name)
        server.over(name)
        server.wait_for("call.ended", name)
    server.call("same")
    assert server.wait_for("call.started", "same~3").data["details"] == {"earlier": "same~2"}
    server.router.deliver(CallStarted("its own id", "test", ("caller",), SAMPLE_RATE, name="same"))
    assert server.wait_for("call.started", "same~4").data["details"] == {"earlier": "same~3"}
    server.over("same")
    assert server.wait_for("call.ended", "same~3")
    with pytest.raises(RefusedError):
        server.call("refused", "a", "b", "c")
    server.call("refused")
    assert server.wait_for("call.started", "refused").data["details"] == {}
    assert not server.of("same~4", "call.ended")


def test_the_memory_of_names_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.serve.call_router.MOST_NAMES", 3)
    for name in ("a", "b", "c", "d", "a"):
        server.call(name)
        server.over(name)
        server.wait_for("call.ended", name)
    assert len(server.router._names) <= 3


def test_what_is_concealed_is_counted_as_lost_and_heard(server: Server) -> None:
    audio = voice(3.0, hiss=True)
    server.call("mended")
    begun = server.wait_for("call.started", "mended")
    assert begun
    marks = np.zeros(1600, np.bool_)
    marks[100:420] = True
    at = server.say("mended", audio[:16_000])
    server.router.deliver(CallAudio("mended", 0, at, audio[at : at + 1600], concealed=marks))
    # Audio that begins earlier is cut in front, its marks with it.
    server.router.deliver(CallAudio("mended", 0, at + 1500, audio[at + 1500 : at + 3100], concealed=marks))
    at = server.say("mended", audio[at + 3100 :], start=at + 3100)
    server.over("mended")
    assert server.wait_for("call.ended", "mended").data["lost_s"] == pytest.approx((320 + 320) / SAMPLE_RATE, abs=1e-3)


def test_a_call_that_has_ended_is_kept_as_it_was(server: Server) -> None:
    view_of_server = ServerView(server.engine, Traces(2 * MAX_CALLS), server.router, server.calls, "off", lambda: ())
    server.call("a")
    server.say("a", voice(3.0))
    running = server.wait_for("call.started", "a")
    assert running
    assert [row.call for row in view_of_server.status().rows] == ["a"]
    assert view_of_server.status().past == ()
    server.over("a")
    server.wait_for("call.ended", "a")
    until = time.monotonic() + 10.0
    while not view_of_server.status().past and time.monotonic() < until:
        time.sleep(0.01)
    status = view_of_server.status()
    assert status.rows == ()
    assert [row.call for row in status.past] == ["a"]
    assert status.past[0].elapsed_s >= 3.0
    assert status.past[0].why
    assert status.past[0].ended == pytest.approx(time.time(), abs=60)
    view = view_of_server.ended_call("a")
    assert view is not None
    assert view.finished
    assert any(event.type == "call.ended" for event in view.events)
    assert view_of_server.call("a") is None


def test_a_host_that_makes_many_empty_calls_is_still_heard(server: Server) -> None:
    for _ in range(int(AT_ONCE) + 5):
        server.router._empty_calls.ended("192.0.2.1", time.monotonic())
    begun = server.router.counts.started
    server.call("silent", peer="192.0.2.1")
    server.call("other", peer="192.0.2.2")
    assert server.router.counts.started == begun + 1
    server.call("speaks", peer="192.0.2.1")
    server.say("speaks", voice(0.1))
    server.over("silent")
    assert server.router.counts.started == begun + 2
    assert not server.router.counts.refused
