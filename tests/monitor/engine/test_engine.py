"""From source to event: what is heard, lost, untrusted or failed becomes the right events at the right samples."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from helpers import Says, make_detector, make_scorer, turning_call, voice
from watched_calls import QUICK, WatchedCalls, chunks, of, states

from model.config import BLOCK, SAMPLE_RATE
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

SILENCE = np.zeros(5 * SAMPLE_RATE, np.float32)


def seconds(event: Event) -> float:
    return event.sample / SAMPLE_RATE


def test_a_call_that_turns_synthetic_opens_updates_and_closes_one_alert() -> None:
    events = WatchedCalls(ScriptedSource(chunks(turning_call(3, 4, 4)))).listen()
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
    events = WatchedCalls(ScriptedSource(chunks(voice(2.0)))).listen()
    assert events[0].type == "call.started"
    assert events[-1].type == "call.ended"
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert [e.sample for e in of(events, "score")] == list(range(640, 32_001, 640))
    assert events[-1].data["why"] == "end of audio"
    assert events[-1].data["duration_s"] == 2.0


def test_a_server_that_catches_up_says_what_is_said_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    call = turning_call(3, 4, 4)
    expected = WatchedCalls(ScriptedSource(chunks(call))).listen()
    watched = WatchedCalls(ScriptedSource(chunks(call)))
    watched.engine.serving = True
    together: list[int] = []
    hear = watched.pool.run_scorer
    monkeypatch.setattr(watched.pool, "run_scorer", lambda several: together.append(len(several)) or hear(several))
    scoring = threading.Thread(target=watched.engine.run)
    with watched.bus:
        scoring.start()
        until = time.monotonic() + 60.0
        while not of(watched.sink.events, "call.ended") and time.monotonic() < until:
            time.sleep(0.02)
        watched.engine.stop()
        scoring.join(10.0)
    assert together.count(16) > 5
    assert sum(together) == len(call) // BLOCK
    for event, same in zip(watched.sink.events, expected, strict=True):
        assert (event.type, event.sample, event.data.get("state")) == (same.type, same.sample, same.data.get("state"))
        assert event.data.get("llr", 0.0) == pytest.approx(same.data.get("llr", 0.0), abs=2e-3)


def test_the_end_of_a_call_closes_its_alert() -> None:
    events = WatchedCalls(ScriptedSource(chunks(voice(5.0))), says="synthetic").listen()
    assert states(events) == ["suspicious", "alert"], "never clear"
    first, last = of(events, "alert.opened", "alert.closed")
    assert seconds(first) >= 2.0, "no alert before enough net speech"
    assert first.data["why"] == "likelihood ratio above alerts.alert_llr for alerts.alert_hold_s of speech"
    assert last.data["why"] == "the call ended"
    assert events[-1].data["channels"]["mono"]["alerts"] == 1  # type: ignore[index]


def test_an_alert_on_the_whole_call_says_so() -> None:
    alerts = {"alert_llr": 8.0, "alert_hold_s": 60.0}
    events = WatchedCalls(ScriptedSource(chunks(voice(12.0))), says="synthetic", alerts=alerts).listen()
    (first,) = of(events, "alert.opened")
    assert first.data["why"] == "likelihood ratio of all speech of the call above alerts.whole_llr"


@pytest.mark.parametrize(("says", "hears_speech"), [("genuine", True), ("synthetic", False)])
def test_no_alert_from_a_genuine_voice_or_from_what_is_not_speech(says: Says, hears_speech: bool) -> None:
    events = WatchedCalls(ScriptedSource(chunks(voice(5.0))), says=says, hears_speech=hears_speech).listen()
    assert not of(events, "alert.opened")
    assert states(events) == (["clear"] if hears_speech else ["unknown"])


def test_without_usable_speech_the_state_is_unknown_with_what_is_heard_and_comes_back() -> None:
    call = np.concatenate([voice(3.0), SILENCE, voice(3.0)])
    events = WatchedCalls(ScriptedSource(chunks(call))).listen()
    assert states(events) == ["clear", "unknown", "clear"]
    unknown = of(events, "state.changed")[1]
    assert unknown.data["why"] == "no usable speech for 3 s: digital silence"
    assert seconds(unknown) == pytest.approx(6.0, abs=0.1)


def test_a_gap_is_lost_audio_and_no_evidence() -> None:
    whole = voice(6.0)
    cut, after = 3 * SAMPLE_RATE, 5 * SAMPLE_RATE
    source = ScriptedSource([*chunks(whole[:cut]), *chunks(whole[after:], after)])
    events = WatchedCalls(source).listen()
    assert events[-1].data["lost_s"] == 2.0
    assert events[-1].sample == len(whole)
    reasons = {e.data["reason"] for e in of(events, "score") if 3.0 < seconds(e) <= 5.0}
    assert reasons == {"lost audio"}
    heard = events[-1].data["channels"]["mono"]["net_speech_s"]  # type: ignore[index]
    assert 3.5 < heard <= 4.0


def test_invalid_samples_are_named_and_no_evidence() -> None:
    call = voice(4.0)
    call[2 * SAMPLE_RATE : 3 * SAMPLE_RATE] = np.nan
    events = WatchedCalls(ScriptedSource(chunks(call))).listen()
    reasons = {e.data["reason"] for e in of(events, "score") if 2.1 < seconds(e) < 3.0}
    assert reasons == {"invalid samples"}
    assert events[-1].data["channels"]["mono"]["net_speech_s"] == pytest.approx(3.0, abs=0.1)  # type: ignore[index]


def test_an_input_that_cannot_be_trusted_is_unknown_at_once_and_no_evidence_until_it_recovers() -> None:
    stalled = Condition("stalled", "no audio from mic1", usable=False)
    recovered = Condition("recovered", "after: stalled", usable=True)
    call = [*chunks(voice(3.0)), stalled, *chunks(voice(6.0, hiss=True), 3 * SAMPLE_RATE), recovered]
    events = WatchedCalls(ScriptedSource([*call, *chunks(voice(3.0), 9 * SAMPLE_RATE)])).listen()
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
    events = WatchedCalls(ScriptedSource([*call, *chunks(voice(1.0), 4 * SAMPLE_RATE)])).listen()
    assert states(events) == ["clear", "unknown"]
    assert events[-1].data["channels"]["mono"]["state"] == "unknown"  # type: ignore[index]


def test_an_open_alert_survives_a_fault_of_the_input() -> None:
    lost = Condition("device lost", "mic1 went away", usable=False)
    back = Condition("recovered", "after: device lost", usable=True)
    call = [*chunks(voice(5.0)), lost, *chunks(SILENCE, 5 * SAMPLE_RATE), back]
    events = WatchedCalls(ScriptedSource([*call, *chunks(voice(2.0), 10 * SAMPLE_RATE)]), says="synthetic").listen()
    assert states(events)[-3:] == ["alert", "unknown", "alert"]
    assert len(of(events, "alert.opened")) == len(of(events, "alert.closed")) == 1


@pytest.mark.parametrize(
    ("error", "text"),
    [(SourceError("the cable is cut", "mend it"), "the cable is cut"), (ZeroDivisionError(), "ZeroDivisionError")],
)
def test_a_source_that_fails_is_no_end_of_audio(error: Exception, text: str) -> None:
    watched = WatchedCalls(ScriptedSource([*chunks(voice(3.0)), error, *chunks(voice(3.0), 3 * SAMPLE_RATE)]))
    events = watched.listen()
    assert states(events) == ["clear", "unknown"]
    assert of(events, "health")[0].data == {"code": "failed", "detail": text, "usable": False}
    assert events[-1].data["why"] == "failed"
    assert events[-1].sample == 3 * SAMPLE_RATE
    assert watched.engine.calls[0].error is error


def test_two_sources_at_once_give_what_each_gives_alone() -> None:
    def stereo() -> ScriptedSource:
        both = np.stack([voice(6.0, hiss=True), voice(6.0)])
        return ScriptedSource(chunks(both, size=777), channels=("left", "right"))

    def mono() -> ScriptedSource:
        return ScriptedSource(chunks(turning_call(3, 3, 3), size=5000))

    def plain(events: Sequence[Event]) -> list[tuple[Any, ...]]:
        return [(e.type, e.call, e.channel, e.sample, dict(e.data)) for e in events]

    together = WatchedCalls(stereo(), mono()).listen()
    alone = WatchedCalls(stereo()).listen()
    assert plain([e for e in together if e.call == "call0"]) == plain(alone)
    other = plain([e for e in together if e.call == "call1"])
    assert [e[0] for e in other if e[0].startswith("alert.o")] == ["alert.opened"]
    assert [(t, c, s) for t, _, c, s, _ in other] == [
        (e.type, e.channel, e.sample) for e in WatchedCalls(mono()).listen()
    ]


def test_a_call_shows_its_own_events_where_its_name_is_redacted() -> None:
    watched = WatchedCalls(ScriptedSource(chunks(turning_call(3, 4, 4))), publish={"redact_numbers": True})
    calls, traces = list(watched.engine.calls), Traces(1)
    calls[0].name = number = "+493012345678"
    events = watched.listen()
    assert all(number not in f"{e.call}{e.data}" for e in events)
    opened = of(view(watched.engine, traces, "", None, calls).events, "alert.opened")
    assert [(e.call, e.data["alert"]) for e in opened] == [(number, f"{number}/mono/1")]
    assert {e.seq for e in opened} == {e.seq for e in of(events, "alert.opened")}


def test_no_number_is_shown_where_there_is_no_verdict() -> None:
    watched = WatchedCalls(ScriptedSource(chunks(np.concatenate([voice(3.0), SILENCE]))))
    calls, traces = list(watched.engine.calls), Traces(1)
    assert states(watched.listen()) == ["clear", "unknown"]
    shown = view(watched.engine, traces, "", 1.0, calls)
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
