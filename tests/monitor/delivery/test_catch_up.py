"""What a subscriber delivers, and what it asks for, without sockets: holes, restarts, answers that do not help."""

from __future__ import annotations

from typing import Any

from monitor.delivery.catch_up import CatchUp, Restarted
from monitor.delivery.gaps import Missed, Position
from monitor.events import wire
from monitor.events.wire import Message
from monitor.types import Event


def message(seq: int, epoch: str = "one", prev: int = 0, snapshot: bool = False, call: str = "a") -> Message:
    return wire.decode(wire.encode(Event("score", call, "x", 0, {}, seq, epoch, "now"), prev, snapshot))


def heartbeat(last_seq: int, epoch: str = "one", **sent: tuple[int, int]) -> Message:
    counts = {f"{prefix}.": list(pair) for prefix, pair in sent.items()}
    data = {"code": "heartbeat", "last_seq": last_seq, "last": {"score.": last_seq}, "sent": counts}
    return wire.decode(wire.encode(Event("health", "", "", 0, data, 0, epoch, "now")))


def subscriber(*topics: str, since: Position | None = None) -> CatchUp:
    made = CatchUp(topics or ("",), since)
    made.can_ask = True
    return made


def deliver(catchup: CatchUp, *arrived: Message) -> list[Any]:
    """All that comes of it until an answer is needed, numbers in place of messages; heartbeats left out."""
    for one in arrived:
        catchup.put(one)
    out: list[Any] = []
    while not catchup.idle:
        for item in catchup.step():
            if not isinstance(item, Message):
                out.append(item)
            elif item.event.seq:
                out.append(item.event.seq)
    return out


def answer(catchup: CatchUp, *messages: Message, **head: object) -> list[Any]:
    assert catchup.request is not None
    fields = {"reply": "replay", "id": catchup.request.id, "end": False, "missing": [], **head}
    assert catchup.reply(fields, [one.raw for one in messages])
    return deliver(catchup)


def test_a_hole_is_closed_before_what_came_after_it() -> None:
    catchup = subscriber()
    assert deliver(catchup, heartbeat(3), message(4)) == [4]
    assert deliver(catchup, message(8), message(9)) == []
    assert catchup.request is not None
    assert (catchup.request.first, catchup.request.last) == (5, 7)
    assert answer(catchup, message(5), message(6), until=6) == [5, 6]
    assert (catchup.request.first, catchup.request.last) == (7, 7)
    assert answer(catchup, message(7), until=7) == [7, 8, 9]
    assert catchup.position == Position("one", 9)
    assert catchup.request is None


def test_a_hole_before_the_first_heartbeat_is_closed_too_and_nothing_older_is_fetched() -> None:
    """A subscriber is cut off while it begins: two snapshots of one topic, and a message between them."""
    catchup = CatchUp(["score."])
    assert deliver(catchup, message(7, prev=6, snapshot=True), message(9, prev=8, snapshot=True)) == [7]
    assert catchup.request is None, "nobody is known yet who could be asked"
    catchup.can_ask = True
    assert deliver(catchup, heartbeat(9, score=(6, 3))) == []
    assert catchup.request is not None
    assert (catchup.request.first, catchup.request.last) == (8, 8)
    assert answer(catchup, message(8, prev=7), until=8) == [8]
    assert (catchup.request.first, catchup.request.last) == (9, 9), "what a snapshot repeats is fetched in its order"
    assert answer(catchup, message(9, prev=8), until=9) == [9]
    assert catchup.position == Position("one", 9)


def test_an_answer_to_another_request_is_ignored() -> None:
    catchup = subscriber(since=Position("one", 3))
    deliver(catchup, heartbeat(5))
    assert not catchup.reply({"reply": "replay", "id": "77", "until": 5}, [])
    assert not catchup.reply({"reply": "error", "id": "1"}, [])
    assert not catchup.reply({"reply": "replay", "id": "1", "until": "5"}, [])
    assert catchup.request is not None


def test_a_message_lost_on_a_topic_that_stays_silent_is_found_by_the_count() -> None:
    catchup = subscriber("score.")
    assert deliver(catchup, heartbeat(10, score=(0, 10)), message(12, prev=9, call="b")) == [12]
    assert deliver(catchup, heartbeat(12, score=(0, 12))) == []
    assert catchup.position == Position("one", 10, {"score.b.x": 12})
    assert answer(catchup, message(11), message(12, call="b"), until=12) == [11]
    assert catchup.position == Position("one", 12)


def test_a_heartbeat_that_knows_nothing_of_the_prefix_accounts_for_nothing_under_it() -> None:
    """A new run beats before our subscription has reached it: what it sent until then is fetched."""
    catchup = subscriber("alert.", since=Position("one", 3))
    assert deliver(catchup, heartbeat(168, epoch="two")) == []
    assert answer(catchup, until=3, end=True, next="two") == [Restarted("two", True)]
    assert catchup.request is not None
    assert (catchup.request.epoch, catchup.request.first, catchup.request.last) == ("two", 1, 168)
    assert answer(catchup, until=168) == []
    assert catchup.position == Position("two", 168)


def test_what_a_killed_publisher_sent_and_never_journaled_is_missed_and_the_next_run_follows() -> None:
    catchup = subscriber()
    deliver(catchup, heartbeat(3), heartbeat(6), message(1, "two"))
    out = answer(catchup, message(4), until=4, end=True, next="two")
    assert out == [4, Missed(5, 6, "", True)]
    assert catchup.request is not None
    assert (catchup.request.first, catchup.request.last) == (7, None)
    assert answer(catchup, until=6, end=True, next="two") == [Restarted("two", whole=True), 1]


def test_all_runs_between_are_fetched() -> None:
    catchup = subscriber(since=Position("one", 3))
    deliver(catchup, message(2, "three"))
    assert answer(catchup, message(4), until=4, end=True, next="two") == [4, Restarted("two", whole=True)]
    assert catchup.request is not None
    assert (catchup.request.epoch, catchup.request.first) == ("two", 1)
    out = answer(catchup, message(1, "two"), message(2, "two"), until=2, end=True, next="three")
    assert out == [1, 2, Restarted("three", whole=True)]
    assert answer(catchup, message(1, "three"), until=1) == [1, 2]


def test_a_run_that_nobody_knows_any_more() -> None:
    catchup = subscriber(since=Position("one", 3))
    deliver(catchup, message(1, "two"))
    assert answer(catchup, reply="unknown") == [Restarted("two", whole=False), 1]


def test_nobody_answers() -> None:
    catchup = subscriber()
    deliver(catchup, heartbeat(3), message(9))
    catchup.give_up()
    assert deliver(catchup) == [Missed(4, 8, "", True), 9]


def test_a_snapshot_waits_for_what_is_fetched_and_stands_in_for_what_cannot_be() -> None:
    for missing, delivered in (([], [4, 5, 6]), ([[4, 5]], [Missed(4, 5, "", True), 6, 5])):
        catchup = subscriber(since=Position("one", 3))
        deliver(catchup, message(5, snapshot=True, call="b"), heartbeat(6))
        found = [message(6)] if missing else [message(4), message(5, call="b"), message(6)]
        out = answer(catchup, *found, until=6, missing=missing)
        assert out == delivered
