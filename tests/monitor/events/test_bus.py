"""Numbering, fan-out, back-pressure, and sinks that fail, are slow or have defects."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

import pytest
from receivers import alert, wait_until

from monitor.errors import SinkError
from monitor.events.bus import CLOSE_S, Bus
from monitor.sinks.jsonlines import JsonLinesSink
from monitor.sinks.memory import MemorySink
from monitor.types import Event


def score(sample: int = 0) -> Event:
    return Event("score", "call1", "caller", sample, {"p_fake": 0.5})


def seqs(sink: MemorySink) -> list[int]:
    return [event.seq for event in sink.events if event.seq]


def notices(sink: MemorySink) -> list[tuple[object, object]]:
    return [(event.data["code"], event.data["detail"]) for event in sink.events if not event.seq]


def test_events_are_numbered_dated_and_given_to_every_sink_in_order() -> None:
    sinks = [MemorySink("one"), MemorySink("two")]
    with Bus(sinks, 100, epoch="epoch") as bus:
        queued = [bus.publish(score(n), wait=True) for n in range(50)]
        assert bus.drain(5.0)
    assert [event.seq for event in queued] == list(range(1, 51))
    assert {event.epoch for event in queued} == {"epoch"}
    assert sinks[0].events == sinks[1].events == queued
    assert sinks[0].closed
    assert sinks[1].closed


def test_waiting_loses_nothing_through_a_small_queue() -> None:
    slow, fast = MemorySink("slow", delay_s=0.0001), MemorySink("fast")
    with Bus([slow, fast], 100) as bus:
        for n in range(3_000):
            bus.publish(score(n), wait=True)
        assert bus.drain(60.0)
        assert [status.dropped for status in bus.status()] == [0, 0]
    assert seqs(slow) == seqs(fast) == list(range(1, 3_001))


def test_events_that_come_together_go_through_a_queue_that_is_smaller() -> None:
    slow, fast = MemorySink("slow", delay_s=0.0001), MemorySink("fast")
    with Bus([slow, fast], 5) as bus:
        queued = bus.publish_all([(score(n), True) for n in range(200)])
        assert bus.drain(60.0)
    assert slow.events == fast.events == queued
    assert len({event.time for event in queued}) == 1


def test_of_events_that_come_together_a_live_call_loses_its_scores_first() -> None:
    slow = MemorySink("slow", delay_s=5.0)
    bus = Bus([slow], 20)
    bus.publish_all([(score(n), False) for n in range(40)] + [(alert(), False)])
    (status,) = bus.status()
    assert 20 <= status.dropped <= 23
    bus.close(0.0)


def test_a_slow_sink_drops_alone_and_counts() -> None:
    slow, fast = MemorySink("slow", delay_s=5.0), MemorySink("fast")
    bus = Bus([slow, fast], 1000)
    for n in range(2000):
        bus.publish(score(n), wait=False)
        if n % 500 == 499:
            assert fast.wait_for(n + 1)
    slow_status, fast_status = bus.status()
    assert seqs(fast) == list(range(1, 2001))
    assert (fast_status.dropped, fast_status.emitted) == (0, 2000)
    assert slow_status.dropped + slow_status.queued == 2000
    assert slow_status.dropped >= 1000
    assert not bus.close(drain_s=0.0)


def test_room_is_kept_for_what_matters_more_than_scores() -> None:
    stuck = MemorySink("stuck")
    stuck.fail("stuck")
    with Bus([stuck], 100) as bus:
        for _ in range(200):
            bus.publish(score(), wait=False)
        dropped = bus.status()[0].dropped
        bus.publish(Event("alert.opened", "call1", "caller", 1), wait=False)
        assert bus.status()[0].dropped == dropped > 100


def test_a_failing_sink_gets_the_same_event_again_and_the_others_feel_nothing() -> None:
    bad, good = MemorySink("bad"), MemorySink("good")
    with Bus([bad, good], 100) as bus:
        bad.fail("no space left")
        for n in range(20):
            bus.publish(score(n), wait=False)
        assert good.wait_for(21)
        status = bus.status()[0]
        assert (status.ok, status.fault, status.queued, status.emitted) == (False, "no space left", 20, 0)
        assert notices(good) == [("sink fault", "bad: no space left")]
        bad.recover()
        assert bad.wait_for(20)
        assert good.wait_for(22)
        assert notices(good)[1:] == [("sink recovered", "bad")]
        assert [status.ok for status in bus.status()] == [True, True]
    assert seqs(bad) == seqs(good) == list(range(1, 21))
    assert bad.attempts > 20


def test_retries_are_spaced() -> None:
    bad = MemorySink("bad")
    bad.fail("no")
    with Bus([bad], 100) as bus:
        bus.publish(score(), wait=False)
        time.sleep(0.5)
        attempts = bad.attempts
    assert 2 <= attempts <= 4


class Defective(MemorySink):
    def emit(self, _: Event) -> None:
        raise ZeroDivisionError("a defect")


class Refusing(MemorySink):
    """Trips over one event in ten, whatever number it has."""

    def emit(self, event: Event) -> None:
        if event.data.get("n", 1) == 5:
            raise ValueError("not this one")
        super().emit(event)


@pytest.mark.parametrize("write_ahead", [False, True])
def test_an_event_that_a_sink_trips_over_is_set_aside_and_the_next_go_on(write_ahead: bool) -> None:
    good, bad = MemorySink("good"), Refusing("bad")
    bad.write_ahead = write_ahead
    with Bus([bad, good], 100) as bus:
        for n in range(10):
            bus.publish(Event("score", "call", "a", n, {"n": n}), wait=True)
        assert bus.drain(10.0)
        assert [event.data["n"] for event in bad.events if event.seq] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        assert sorted(int(str(event.data["n"])) for event in good.events if event.seq) == list(range(10))
        status = bus.status()[0]
        assert (status.ok, status.dropped) == (True, 1)
        assert ("sink fault", "bad: score 6 was set aside: ValueError: not this one") in notices(good)
        late = bus.publish(Event("score", "call", "a", 11, {"n": 11}), wait=True)
        assert bus.drain(10.0)
        assert not next(event for event in good.events if event.seq == late.seq).unjournaled


def test_a_sink_that_takes_nothing_blocks_nobody_and_says_so() -> None:
    good, bad = MemorySink("good"), Defective("bad")
    with Bus([bad, good], 5) as bus:
        for n in range(5):
            bus.publish(score(n), wait=False)
        assert good.wait_for(6)
        status = bus.status()[0]
        assert not status.ok
        assert "was set aside: ZeroDivisionError: a defect" in status.fault
    assert bad.closed


def test_closing_is_bounded_and_counts_what_is_left() -> None:
    stuck = MemorySink("stuck")
    stuck.fail("still no space")
    bus = Bus([stuck], 100)
    for n in range(30):
        bus.publish(score(n), wait=True)
    begun = time.monotonic()
    assert bus.close(drain_s=0.3)
    assert time.monotonic() - begun < 0.3 + CLOSE_S
    assert bus.status()[0].dropped == 30
    assert stuck.closed
    assert bus.close()


def test_closing_waits_for_a_sink_that_works_and_not_for_one_that_fails() -> None:
    slow, stuck = MemorySink("slow", delay_s=0.01), MemorySink("stuck")
    stuck.fail("still no space")
    bus = Bus([slow, stuck], 100)
    for n in range(60):
        bus.publish(score(n), wait=True)
    assert bus.close(drain_s=3600.0)
    assert seqs(slow) == list(range(1, 61))
    assert [status.dropped for status in bus.status()] == [0, 60]


def test_closing_offers_what_is_queued_once_more_without_waiting_for_the_back_off() -> None:
    sink = MemorySink()
    sink.fail("later")
    bus = Bus([sink], 100)
    bus.publish(score(), wait=True)
    time.sleep(0.8)
    sink.recover()
    assert bus.close(drain_s=0.2)
    assert seqs(sink) == [1]


def test_closing_frees_a_publisher_that_waits() -> None:
    stuck = MemorySink("stuck")
    stuck.fail("no")
    bus = Bus([stuck], 2)
    publisher = threading.Thread(target=lambda: [bus.publish(score(n), wait=True) for n in range(10)])
    publisher.start()
    time.sleep(0.1)
    assert publisher.is_alive()
    bus.close(drain_s=0.0)
    publisher.join(5.0)
    assert not publisher.is_alive()
    assert bus.status()[0].dropped == 10


def test_sinks_are_ticked_while_nothing_happens_and_while_much_does() -> None:
    sink = MemorySink(delay_s=0.001)
    with Bus([sink], 1000) as bus:
        until = time.monotonic() + 30.0
        while (idle := sink.ticks) < 5 and time.monotonic() < until:
            time.sleep(0.01)
        for n in range(300):
            bus.publish(score(n), wait=True)
        assert bus.drain(30.0)
    assert idle >= 5
    assert sink.ticks - idle >= 5


def test_an_impossible_event_is_refused_where_it_is_published() -> None:
    sink = MemorySink()
    with Bus([sink], 10) as bus:
        with pytest.raises(ValueError, match="seq"):
            bus.publish(Event("score", "c", "a", 0, {"seq": 5}), wait=True)
        bus.publish(score(), wait=True)
        assert bus.drain(5.0)
    assert seqs(sink) == [1]


def test_json_lines_end_with_their_reader() -> None:
    reader, writer = os.pipe()
    gone = threading.Event()
    sink = JsonLinesSink(writer, on_gone=gone.set)
    with Bus([sink], 10) as bus:
        bus.publish(score(), wait=True)
        assert os.read(reader, 10_000).endswith(b'"p_fake":0.5}\n')
        os.close(reader)
        for _ in range(100):
            bus.publish(score(), wait=True)
        assert gone.wait(5.0)
        assert bus.drain(5.0)
        assert sink.gone
        assert bus.status()[0].ok
    os.close(writer)


def test_json_lines_wait_for_a_slow_reader_and_the_program_can_still_end() -> None:
    reader, writer = os.pipe()
    bus = Bus([JsonLinesSink(writer)], 100_000)
    for n in range(2000):
        bus.publish(score(n), wait=True)
    assert not bus.drain(0.2)
    assert not bus.close(drain_s=0.0)
    os.close(reader)
    os.close(writer)


class Choosing(MemorySink):
    """Wants alerts alone, keeps what it was not given, and has some from before."""

    keeps_events = True

    def undelivered(self) -> Sequence[Event]:
        return [Event("alert.opened", "old", "a", 0, {}, 7, "before")]

    def wants(self, event: Event) -> bool:
        return event.type.startswith("alert.")


def test_a_sink_is_asked_before_an_event_is_queued() -> None:
    sink = Choosing()
    with Bus([sink], 5) as bus:
        for _ in range(50):
            bus.publish(score(), wait=False)
        bus.publish(alert(), wait=False)
        assert bus.drain(5.0)
        assert bus.status()[0].dropped == 0
    assert [(event.call, event.seq) for event in sink.events] == [("old", 7), ("call1", 51)]


def test_what_a_sink_keeps_is_not_lost_at_the_end() -> None:
    sink = Choosing()
    sink.fail("not there")
    with Bus([sink], 100) as bus:
        bus.publish(alert(), wait=False)
        bus.close(drain_s=0.0)
        assert (bus.status()[0].kept, bus.status()[0].dropped) == (2, 0)


class Particular(MemorySink):
    """Refuses the first event for good, and has a time of its own for another attempt at the second."""

    def emit(self, event: Event) -> None:
        self.attempts += 1
        if event.seq == 1:
            raise SinkError("never", final=True)
        if self.attempts == 2:
            raise SinkError("later", retry_in_s=0.01)
        super().emit(event)


def test_an_event_that_a_sink_refuses_for_good_is_dropped_and_counted() -> None:
    sink = Particular()
    with Bus([sink], 100) as bus:
        bus.publish(score(0), wait=True)
        assert bus.drain(10.0), "what is dropped is not waited for"
        for n in (1, 2):
            bus.publish(score(n), wait=True)
        assert bus.drain(10.0)
        assert (bus.status()[0].dropped, bus.status()[0].emitted) == (1, 2)
    assert seqs(sink) == [2, 3]


def test_what_waits_for_a_sink_that_hangs_is_counted_when_it_is_left_behind() -> None:
    sink = MemorySink(delay_s=5.0)
    bus = Bus([sink], 100)
    for n in range(3):
        bus.publish(score(n), wait=True)
    wait_until(lambda: sink.attempts)
    assert not bus.close(drain_s=0.0)
    assert bus.status()[0].dropped == 3
