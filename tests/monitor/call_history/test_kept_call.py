"""What is kept of a call, event by event, and for how long."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from call_events import EPOCH, a_call, at, event, figures

from monitor.call_history.kept_call import MOST_EVENTS, KeptCall, call_id
from monitor.call_history.recent_calls import RecentCalls
from monitor.call_history.score_timeline import MOST_POINTS, ScoreTimeline
from monitor.types import Event, State


def kept(events: Iterator[Event]) -> KeptCall:
    call = KeptCall("a", EPOCH)
    for each in events:
        call.apply(each)
    return call


def test_a_call_is_kept_with_its_outcome() -> None:
    call = kept(a_call())
    assert (call.state, call.outcome, call.alert_count, call.highest_llr) == (State.CLEAR, State.ALERT, 1, 4.2)
    assert (call.speech_s, call.lost_s, call.last_s, call.why) == (7.5, 0.4, 10.0, "hung up")
    assert call.name == "from +4930123"
    assert call.channels["caller"].families == {"a": 0.5}
    (alert,) = call.alerts.values()
    assert (alert.opened_s, alert.closed_s, alert.peak_llr) == (5.0, 9.0, 4.2)


def test_segments_cover_the_call_with_the_highest_figures_in_each() -> None:
    found = [(s.start_s, end, s.state, s.llr) for _, s, end in kept(a_call()).segments()]
    assert [(start, end, state) for start, end, state, _ in found] == [
        (0.0, 2.0, "listening"),
        (2.0, 5.0, "clear"),
        (5.0, 9.0, "alert"),
        (9.0, 10.0, "clear"),
    ]
    assert found[2][3] == 4.0
    assert math.isnan(kept(iter([event("score", 1.0, **figures("listening", 2.0, 1.0))])).highest_llr)


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([], "unknown"),
        (["clear"], "clear"),
        (["clear", "undecided"], "undecided"),
        (["undecided", "clear"], "clear"),
        (["suspicious", "clear"], "suspicious"),
        (["unknown"], "unknown"),
        (["no such state"], "unknown"),
    ],
)
def test_the_outcome_is_the_worst_that_was_said(states: list[str], outcome: str) -> None:
    changes = (event("state.changed", i + 1.0, state=state, why="") for i, state in enumerate(states))
    assert kept(changes).outcome == outcome


def test_a_timeline_has_no_more_points_however_long_the_call() -> None:
    line = ScoreTimeline()
    for i in range(10_000):
        line.add(i * 0.5, 0.9 if i == 7777 else 0.1, 2.0 if i == 7777 else -2.0)
    assert len(line.llr) <= MOST_POINTS
    assert max(line.llr) == 2.0
    assert list(line.llr).index(2.0) * line.step_s == pytest.approx(7777 * 0.5, abs=line.step_s)


def test_a_timeline_has_holes_where_no_speech_added_evidence() -> None:
    call = kept(
        iter([event("score", s, **figures("clear", -2.0, min(s, 3.0))) for s in (1.0, 2.0, 3.0, 4.0, 5.0, 9.0)])
    )
    llr = call.channels["caller"].timeline.llr
    judged = [i * 0.5 for i, value in enumerate(llr) if not math.isnan(value)]
    assert (judged[0], judged[-1], len(llr)) == (0.0, 3.0, 19)


def test_marks_belong_to_the_call_of_their_epoch_and_change_nothing_else() -> None:
    calls = RecentCalls("now", 3600.0, 10)
    calls.add_former(a_call())
    calls.settle_former()
    mark = {"mark": "m", "kind": "false_alarm", "note": "", "by": "Ann", "key": "", "of_epoch": EPOCH}
    calls.add(event("call.marked", 3.0, epoch="now", **mark))
    calls.add(event("call.marked", 3.0, epoch="now", **mark | {"of_epoch": "another"}))
    calls.add(event("call.marked", 3.0, epoch="now", **mark | {"kind": "a kind of a later version"}))
    (call,) = calls.calls()
    assert (call.verdict, call.last_s, [m.by for m in call.marks]) == ("false_alarm", 10.0, ["Ann"])


def test_ended_calls_are_let_go_of_by_age_and_by_number() -> None:
    calls = RecentCalls(EPOCH, 100.0, 2)
    for name, age in (("old", 200.0), ("first", 50.0), ("second", 40.0), ("third", 30.0)):
        calls.add(event("call.started", call=name, time=at(age + 1), channels=[]))
        calls.add(event("call.ended", 1.0, call=name, time=at(age), channels={}))
    calls.add(event("call.started", call="running", time=at(500.0), channels=[]))
    assert {call.call for call in calls.calls()} == {"second", "third", "running"}


def test_calls_of_a_former_run_that_was_killed_have_ended() -> None:
    calls = RecentCalls("now", 3600.0, 10)
    calls.add_former(e for e in a_call() if e.type != "call.ended")
    calls.add_former([event("call.started", call="of this run", epoch="now", channels=[])])
    calls.settle_former()
    (call,) = calls.calls()
    assert call.ended == call.newest_time
    assert "stopped" in call.why
    assert calls.call(call_id(EPOCH, "a")) is call


def test_what_is_kept_of_one_call_is_bounded() -> None:
    call = kept(event("state.changed", i / 10, state=("clear", "undecided")[i % 2], why="") for i in range(3000))
    assert len(call.events) == MOST_EVENTS
    assert call.event_count == 3000
    assert len(list(call.segments())) <= 1000
