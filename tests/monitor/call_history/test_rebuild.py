"""The calls of former runs, out of a journal."""

from __future__ import annotations

import os
from pathlib import Path

from call_events import EPOCH, a_call, at, event, write_journal

from monitor.call_history.kept_call import call_id
from monitor.call_history.rebuild import JournalRebuild
from monitor.call_history.recent_calls import RecentCalls


def rebuilt(path: Path, epoch: str = "now", keep_s: float = 3600.0) -> RecentCalls:
    calls = RecentCalls(epoch, keep_s, 100)
    rebuild = JournalRebuild(path, calls, keep_s)
    rebuild.start()
    rebuild.join()
    return calls


def test_a_call_comes_back_as_it_was_with_its_marks(tmp_path: Path) -> None:
    mark = {"mark": "m", "kind": "confirmed", "note": "n", "by": "Ann", "key": "", "of_epoch": EPOCH}
    write_journal(tmp_path / "j", [*a_call(), event("call.marked", 3.0, epoch="later", **mark)])
    calls = rebuilt(tmp_path / "j")
    live = RecentCalls(EPOCH, 3600.0, 100)
    for each in a_call():
        live.add(each)
    call, same = calls.call(call_id(EPOCH, "a")), live.call(call_id(EPOCH, "a"))
    assert call is not None
    assert same is not None
    assert (call.outcome, call.highest_llr, call.speech_s) == (same.outcome, same.highest_llr, same.speech_s)
    assert [s for _, s, _ in call.segments()] == [s for _, s, _ in same.segments()]
    assert (call.verdict, call.why) == ("confirmed", "hung up")


def test_a_call_of_a_run_that_was_killed_has_ended(tmp_path: Path) -> None:
    write_journal(tmp_path / "j", [e for e in a_call() if e.type != "call.ended"])
    (call,) = rebuilt(tmp_path / "j").calls()
    assert call.ended is not None
    assert "stopped" in call.why


def test_this_run_damaged_lines_and_what_is_too_old_are_passed_over(tmp_path: Path) -> None:
    write_journal(tmp_path / "j", [*a_call(), event("call.started", call="b", epoch="now", channels=[])])
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"type":"call.started"\nnot JSON\n\xff\xfe\n')
    assert [call.call for call in rebuilt(tmp_path / "j").calls()] == ["a"]
    os.utime(tmp_path / "j", (0, 0))
    assert rebuilt(tmp_path / "j").calls() == []
    assert rebuilt(tmp_path / "none").calls() == []


def test_calls_that_ended_too_long_ago_are_left_out(tmp_path: Path) -> None:
    old = event("call.ended", 1.0, call="old", time=at(5000.0), why="x", channels={})
    write_journal(tmp_path / "j", [event("call.started", call="old", time=at(5001.0), channels=[]), old, *a_call()])
    assert [call.call for call in rebuilt(tmp_path / "j").calls()] == ["a"]
