"""From source to event: what is heard, lost, untrusted or failed becomes the right events at the right samples."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from helpers import Audio, Says, make_detector, make_scorer, turning_call, voice

from model.config import BLOCK, SAMPLE_RATE
from model.figures import FIGURES
from monitor.audio import Chunk, Source
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.engine.traces import Traces
from monitor.engine.view import view
from monitor.errors import SourceError
from monitor.events.bus import Bus
from monitor.sinks.memory import MemorySink
from monitor.sources.scripted import ScriptedSource
from monitor.types import Condition, Event

QUICK = {"evidence": {"memory_s": 1.5}, "alerts": {"close_hold_s": 1.0, "update_every_s": 1.0, "unknown_after_s": 3.0}}
SILENCE = np.zeros(5 * SAMPLE_RATE, np.float32)


class Ear:
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


def seconds(event: Event) -> float:
    return event.sample / SAMPLE_RATE


def test_a_call_that_turns_synthetic_opens_updates_and_closes_one_alert() -> None:
    events = Ear(ScriptedSource(chunks(turning_call(3, 4, 4)))).listen()
    assert states(events) == ["clear", "suspicious", "alert", "undecided", "clear"]
    alerts = [e for e in events if e.type.startswith("alert.")]
    assert [e.type for e in alerts[:2]] == ["alert.opened", "alert.updated"]
    assert alerts[-1].type == "alert.closed"
    assert {e.data["alert"] for e in alerts} == {"call0/mono/1"}
    assert 3 < seconds(alerts[0]) < 6
    assert 7 < seconds(alerts[-1]) < 11
    assert alerts[0].data["opened_s"] == alerts[-1].data["opened_s"] == round(seconds(alerts[0]), 2)
    assert next(iter(alerts[0].data["families"])) == "gan-vocoder"  # type: ignore[call-overload]


def test_events_begin_with_the_call_end_with_it_and_scores_come_at_their_interval() -> None:
    events = Ear(ScriptedSource(chunks(voice(2.0)))).listen()
    assert events[0].type == "call.started"
    assert events[-1].type == "call.ended"
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert [e.sample for e in of(events, "score")] == list(range(640, 32_001, 640))
    assert events[-1].data["why"] == "end of audio"
    assert events[-1].data["duration_s"] == 2.0


def test_a_server_that_catches_up_says_what_is_said_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    call = turning_call(3, 4, 4)
    expected = Ear(ScriptedSource(chunks(call))).listen()
    ear = Ear(ScriptedSource(chunks(call)))
    ear.engine.serving = True
    together: list[int] = []
    hear = ear.pool.run_scorer
    monkeypatch.setattr(ear.pool, "run_scorer", lambda several: together.append(len(several)) or hear(several))
    scoring = threading.Thread(target=ear.engine.run)
    with ear.bus:
        scoring.start()
        until = time.monotonic() + 60.0
        while not of(ear.sink.events, "call.ended") and time.monotonic() < until:
            time.sleep(0.02)
        ear.engine.stop()
        scoring.join(10.0)
    assert together.count(16) > 5
    assert sum(together) == len(call) // BLOCK
    for event, same in zip(ear.sink.events, expected, strict=True):
        assert (event.type, event.sample, event.data.get("state")) == (same.type, same.sample, same.data.get("state"))
        assert event.data.get("llr", 0.0) == pytest.approx(same.data.get("llr", 0.0), abs=2e-3)


def test_the_end_of_a_call_closes_its_alert() -> None:
    events = Ear(ScriptedSource(chunks(voice(5.0))), says="synthetic").listen()
    assert states(events) == ["suspicious", "alert"], "never clear"
    first, last = of(events, "alert.opened", "alert.closed")
    assert seconds(first) >= 2.0, "no alert before enough net speech"
    assert first.data["why"] == "likelihood ratio above alerts.alert_llr for alerts.alert_hold_s of speech"
    assert last.data["why"] == "the call ended"
    assert events[-1].data["channels"]["mono"]["alerts"] == 1  # type: ignore[index]


def test_an_alert_on_the_whole_call_says_so() -> None:
    alerts = {"alert_llr": 8.0, "alert_hold_s": 60.0}
    events = Ear(ScriptedSource(chunks(voice(12.0))), says="synthetic", alerts=alerts).listen()
    (first,) = of(events, "alert.opened")
    assert first.data["why"] == "likelihood ratio of all speech of the call above alerts.whole_llr"


@pytest.mark.parametrize(("says", "hears_speech"), [("genuine", True), ("synthetic", False)])
def test_no_alert_from_a_genuine_voice_or_from_what_is_not_speech(says: Says, hears_speech: bool) -> None:
    events = Ear(ScriptedSource(chunks(voice(5.0))), says=says, hears_speech=hears_speech).listen()
    assert not of(events, "alert.opened")
    assert states(events) == (["clear"] if hears_speech else ["unknown"])


def test_without_usable_speech_the_state_is_unknown_with_what_is_heard_and_comes_back() -> None:
    call = np.concatenate([voice(3.0), SILENCE, voice(3.0)])
    events = Ear(ScriptedSource(chunks(call))).listen()
    assert states(events) == ["clear", "unknown", "clear"]
    unknown = of(events, "state.changed")[1]
    assert unknown.data["why"] == "no usable speech for 3 s: digital silence"
    assert seconds(unknown) == pytest.approx(6.0, abs=0.1)


def test_a_gap_is_lost_audio_and_no_evidence() -> None:
    whole = voice(6.0)
    cut, after = 3 * SAMPLE_RATE, 5 * SAMPLE_RATE
    source = ScriptedSource([*chunks(whole[:cut]), *chunks(whole[after:], after)])
    events = Ear(source).listen()
    assert events[-1].data["lost_s"] == 2.0
    assert events[-1].sample == len(whole)
    reasons = {e.data["reason"] for e in of(events, "score") if 3.0 < seconds(e) <= 5.0}
    assert reasons == {"lost audio"}
    heard = events[-1].data["channels"]["mono"]["net_speech_s"]  # type: ignore[index]
    assert 3.5 < heard <= 4.0


def test_invalid_samples_are_named_and_no_evidence() -> None:
    call = voice(4.0)
    call[2 * SAMPLE_RATE : 3 * SAMPLE_RATE] = np.nan
    events = Ear(ScriptedSource(chunks(call))).listen()
    reasons = {e.data["reason"] for e in of(events, "score") if 2.1 < seconds(e) < 3.0}
    assert reasons == {"invalid samples"}
    assert events[-1].data["channels"]["mono"]["net_speech_s"] == pytest.approx(3.0, abs=0.1)  # type: ignore[index]


def test_an_input_that_cannot_be_trusted_is_unknown_at_once_and_no_evidence_until_it_recovers() -> None:
    stalled = Condition("stalled", "no audio from mic1", usable=False)
    recovered = Condition("recovered", "after: stalled", usable=True)
    call = [*chunks(voice(3.0)), stalled, *chunks(voice(6.0, hiss=True), 3 * SAMPLE_RATE), recovered]
    events = Ear(ScriptedSource([*call, *chunks(voice(3.0), 9 * SAMPLE_RATE)])).listen()
    assert states(events) == ["clear", "unknown", "clear"]
    unknown = of(events, "state.changed")[1]
    assert unknown.sample == 3 * SAMPLE_RATE
    assert unknown.data["why"] == "stalled: no audio from mic1"
    assert [(e.data["code"], e.sample) for e in of(events, "health")] == [
        ("stalled", 3 * SAMPLE_RATE),
        ("recovered", 9 * SAMPLE_RATE),
    ]
    meanwhile = [e for e in of(events, "score") if 3 < seconds(e) < 9]
    assert {e.data["state"] for e in meanwhile} == {"unknown"}
    assert {e.data["net_speech_s"] for e in meanwhile} == {3.0}
    assert not of(events, "alert.opened"), "6 s of hiss that could not be trusted"


def test_news_of_an_input_that_is_still_untrusted_do_not_make_it_trusted() -> None:
    zeros = Condition("zeros", "exact zeros", usable=False)
    overflow = Condition("overflow", "1 times the sound card dropped audio", usable=True)
    call = [*chunks(voice(3.0)), zeros, *chunks(voice(1.0), 3 * SAMPLE_RATE), overflow]
    events = Ear(ScriptedSource([*call, *chunks(voice(1.0), 4 * SAMPLE_RATE)])).listen()
    assert states(events) == ["clear", "unknown"]
    assert events[-1].data["channels"]["mono"]["state"] == "unknown"  # type: ignore[index]


def test_an_open_alert_survives_a_fault_of_the_input() -> None:
    lost = Condition("device lost", "mic1 went away", usable=False)
    back = Condition("recovered", "after: device lost", usable=True)
    call = [*chunks(voice(5.0)), lost, *chunks(SILENCE, 5 * SAMPLE_RATE), back]
    events = Ear(ScriptedSource([*call, *chunks(voice(2.0), 10 * SAMPLE_RATE)]), says="synthetic").listen()
    assert states(events)[-3:] == ["alert", "unknown", "alert"]
    assert len(of(events, "alert.opened")) == len(of(events, "alert.closed")) == 1


@pytest.mark.parametrize(
    ("error", "text"),
    [(SourceError("the cable is cut", "mend it"), "the cable is cut"), (ZeroDivisionError(), "ZeroDivisionError")],
)
def test_a_source_that_fails_is_no_end_of_audio(error: Exception, text: str) -> None:
    ear = Ear(ScriptedSource([*chunks(voice(3.0)), error, *chunks(voice(3.0), 3 * SAMPLE_RATE)]))
    events = ear.listen()
    assert states(events) == ["clear", "unknown"]
    assert of(events, "health")[0].data == {"code": "failed", "detail": text, "usable": False}
    assert events[-1].data["why"] == "failed"
    assert events[-1].sample == 3 * SAMPLE_RATE
    assert ear.engine.calls[0].error is error


def test_two_sources_at_once_give_what_each_gives_alone() -> None:
    def stereo() -> ScriptedSource:
        both = np.stack([voice(6.0, hiss=True), voice(6.0)])
        return ScriptedSource(chunks(both, size=777), channels=("left", "right"))

    def mono() -> ScriptedSource:
        return ScriptedSource(chunks(turning_call(3, 3, 3), size=5000))

    def plain(events: Sequence[Event]) -> list[tuple[Any, ...]]:
        return [(e.type, e.call, e.channel, e.sample, dict(e.data)) for e in events]

    together = Ear(stereo(), mono()).listen()
    alone = Ear(stereo()).listen()
    assert plain([e for e in together if e.call == "call0"]) == plain(alone)
    other = plain([e for e in together if e.call == "call1"])
    assert [e[0] for e in other if e[0].startswith("alert.o")] == ["alert.opened"]
    assert [(t, c, s) for t, _, c, s, _ in other] == [(e.type, e.channel, e.sample) for e in Ear(mono()).listen()]


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
    ear = Ear(ScriptedSource(chunks(voice(5.0)), live=True), input={"ring_s": 10.0})
    monkeypatch.setattr(ear.scorer, "score", Failing(ear.scorer.score, range(150, 160), _out_of_memory))
    events = ear.listen()
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

    ear = Ear(ScriptedSource(chunks(voice(5.0)), live=True), input={"ring_s": 10.0})
    monkeypatch.setattr(ear.scorer, "score", Failing(ear.scorer.score, range(150, 160), no_number))
    events = ear.listen()
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
    ear = Ear(Endless())
    stopper = threading.Timer(0.5, ear.engine.stop)
    stopper.start()
    events = ear.listen()
    stopper.join()
    assert events[-1].type == "call.ended"
    assert events[-1].data["why"] == "interrupted"
    assert set(threading.enumerate()) <= before
    assert ear.engine.interrupted
    slowest = max(ear.engine.latency.recent_ms)
    assert 0.0 < float(str(ear.engine.heartbeat_figures()["latency_p99_ms"])) <= slowest + 0.01


def test_live_audio_that_comes_too_fast_is_lost_counted_and_named() -> None:
    live = ScriptedSource(chunks(voice(10.0), size=SAMPLE_RATE), live=True)
    ear = Ear(live, input={"ring_s": 1.0})
    call = ear.engine.calls[0]
    for item in live.chunks():  # all of it before anybody reads
        assert isinstance(item, Chunk)
        call.feeds[0].ring.push(item, wait=False)
    call.feeds[0].ring.finish()
    events = ear.listen()
    assert events[-1].data["lost_s"] == pytest.approx(9.0, abs=0.05)
    assert events[-1].sample == 10 * SAMPLE_RATE
    assert ear.engine.heartbeat_figures()["lost_s"] == events[-1].data["lost_s"]
    slow = [event.data["detail"] for event in of(events, "health") if event.data["code"] == "scoring too slow"]
    assert slow == ["scoring is too slow: 90 % of the audio lost"]
    assert ear.engine.heartbeat_figures()["faults"] == slow
    assert ear.engine.heartbeat_figures()["lost_share"] == pytest.approx(0.9, abs=0.005)


def test_a_recording_loses_nothing_however_slow_scoring_is_and_says_how_fast_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ear = Ear(ScriptedSource(chunks(voice(2.0))), input={"ring_s": 1.0})
    step, traces = ear.pool.step, Traces(1)
    monkeypatch.setattr(ear.pool, "step", lambda blocks: time.sleep(0.03 * blocks.turns) or step(blocks))
    events = ear.listen()
    assert events[-1].data["lost_s"] == 0.0
    assert "scoring too slow" not in [event.data["code"] for event in of(events, "health")]
    assert 0.0 < view(ear.engine, traces, "", None).speed < 0.7


def test_vitals_name_a_sink_that_fails() -> None:
    ear = Ear(ScriptedSource(chunks(voice(1.0))))
    ear.sink.fail("disk full")
    with ear.bus:
        ear.engine.run()
        deadline = time.monotonic() + 10
        while not ear.engine.heartbeat_figures()["faults"] and time.monotonic() < deadline:
            time.sleep(0.01)
        waiting = ear.bus.status()[0].queued
        assert waiting
        assert ear.engine.heartbeat_figures()["faults"] == [f"memory: disk full; {waiting} wait"]
        ear.sink.recover()
        assert ear.bus.drain(10.0)
    assert ear.sink.events[-1].type == "call.ended"


def test_a_call_shows_its_own_events_where_its_name_is_redacted() -> None:
    ear = Ear(ScriptedSource(chunks(turning_call(3, 4, 4))), publish={"redact_numbers": True})
    calls, traces = list(ear.engine.calls), Traces(1)
    calls[0].name = number = "+493012345678"
    events = ear.listen()
    assert all(number not in f"{e.call}{e.data}" for e in events)
    opened = of(view(ear.engine, traces, "", None, calls).events, "alert.opened")
    assert [(e.call, e.data["alert"]) for e in opened] == [(number, f"{number}/mono/1")]
    assert {e.seq for e in opened} == {e.seq for e in of(events, "alert.opened")}


def test_no_number_is_shown_where_there_is_no_verdict() -> None:
    ear = Ear(ScriptedSource(chunks(np.concatenate([voice(3.0), SILENCE]))))
    calls, traces = list(ear.engine.calls), Traces(1)
    assert states(ear.listen()) == ["clear", "unknown"]
    shown = view(ear.engine, traces, "", 1.0, calls)
    channel = shown.channels[0]
    assert channel.net_speech_s > channel.needed_speech_s
    assert np.isnan([channel.p_fake, channel.llr]).all()
    assert channel.families == ()
    assert shown.total_s == shown.elapsed_s == 8.0, "a header's length is no end of what is heard beyond it"


def test_a_call_that_enters_and_ends_while_a_turn_goes_on_is_reported_from_its_beginning() -> None:
    sink = MemorySink()
    config = Config.model_validate(QUICK)
    with Bus([sink]) as bus:
        scorer = make_scorer(make_detector("hiss", True), 1)
        engine = Engine(Pool(scorer, config), RingBank(1, 1.0), bus, config, serving=True)
        engine.begin()
        engine.admit("short", "test", ["caller"], {}).finish()
        engine.settle()
        assert len(engine.calls) == 1
        engine.turn()
        assert bus.drain(10.0)
    assert engine.calls == ()
    assert [event.type for event in sink.events] == ["call.started", "call.ended"]
