"""Write-ahead: what the journal has goes on, in order; what it cannot take goes on marked."""

from __future__ import annotations

from monitor.events.bus import Bus
from monitor.events.write_ahead import LONGEST_WAIT_S, WriteAhead
from monitor.sinks.memory import MemorySink
from monitor.types import Event


class Ahead(MemorySink):
    write_ahead = True


def score(n: int = 0) -> Event:
    return Event("score", "call1", "caller", n)


def numbered(seq: int) -> Event:
    return Event("score", "c", "a", 0, {}, seq, "epoch", "now")


class Out:
    def __init__(self) -> None:
        self.events: list[tuple[int, bool]] = []
        self.now = 0.0
        self.write_ahead = WriteAhead(
            lambda event, _: self.events.append((event.seq, event.unjournaled)), lambda: self.now
        )


def test_nothing_goes_on_before_the_journal_has_it() -> None:
    out = Out()
    for seq in (1, 2, 3):
        out.write_ahead.add(numbered(seq), False)
    assert out.events == []
    out.write_ahead.written(numbered(1))
    out.write_ahead.written(numbered(2))
    assert out.events == [(1, False), (2, False)]


def test_a_journal_that_fails_holds_nobody_up_and_the_bypass_ends_when_it_has_caught_up() -> None:
    out = Out()
    for seq in (1, 2):
        out.write_ahead.add(numbered(seq), False)
    out.write_ahead.bypass()
    out.write_ahead.add(numbered(3), False)
    assert out.events == [(1, True), (2, True), (3, True)]
    for seq in (1, 2):
        out.write_ahead.written(numbered(seq))
    out.write_ahead.written(numbered(3))
    out.write_ahead.add(numbered(4), False)
    assert len(out.events) == 3
    out.write_ahead.written(numbered(4))
    assert out.events[3:] == [(4, False)]


def test_what_the_journal_has_no_room_for_keeps_its_place() -> None:
    out = Out()
    out.write_ahead.add(numbered(1), False)
    out.write_ahead.refused(out.write_ahead.add(numbered(2), False))
    assert out.events == []
    out.write_ahead.written(numbered(1))
    assert out.events == [(1, False), (2, True)]


def test_a_live_event_waits_for_a_slow_disk_no_longer_than_is_reasonable_and_a_recording_does() -> None:
    live, recording = Out(), Out()
    live.write_ahead.add(numbered(1), False)
    recording.write_ahead.add(numbered(1), True)
    for out in (live, recording):
        out.write_ahead.check_overdue()
        assert out.events == []
        out.now = LONGEST_WAIT_S + 0.1
        out.write_ahead.check_overdue()
    assert live.events == [(1, True)]
    assert recording.events == []


def test_on_the_bus_a_failing_journal_is_passed_and_gets_all_of_it_later() -> None:
    journal, other = Ahead("journal"), MemorySink("other")
    with Bus([other, journal], 1000) as bus:
        bus.publish(score(), wait=False)
        assert other.wait_for(1)
        assert journal.wait_for(1)
        journal.fail("no space left")
        for n in range(20):
            bus.publish(score(n), wait=False)
        assert other.wait_for(22)
        journal.recover()
        assert bus.drain(10.0)
        bus.publish(score(), wait=False)
        assert bus.drain(10.0)
    seen = [(event.seq, event.unjournaled) for event in other.events if event.seq]
    assert [seq for seq, _ in seen] == list(range(1, 23))
    assert [mark for _, mark in seen] == [False] + [True] * 20 + [False]
    assert [event.seq for event in journal.events if event.seq] == list(range(1, 23))
    assert not any(event.unjournaled for event in journal.events)


def test_at_the_end_what_the_journal_could_not_take_still_reaches_the_others() -> None:
    journal, other = Ahead("journal"), MemorySink("other")
    journal.fail("no space left")
    with Bus([journal, other], 1000) as bus:
        for n in range(50):
            bus.publish(score(n), wait=True)
    assert [event.seq for event in other.events if event.seq] == list(range(1, 51))
    assert bus.status()[0].dropped == 50
