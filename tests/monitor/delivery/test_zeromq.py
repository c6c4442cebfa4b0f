"""The stream over real sockets: topics, late subscribers, holes, restarts, silence, and `monitor subscribe`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import zmq
from zeromq_publisher import ANYWHERE, Publisher

from monitor.delivery.gaps import GapDetector
from monitor.delivery.publisher_sockets import PublisherAddresses
from monitor.delivery.topics import TopicIndex
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.sinks.zeromq import ZeromqSink
from monitor.subscriber import Item, Message, Missed, Restarted, Returned, Silent, Subscriber, Unreadable
from monitor.types import Event

pytestmark = pytest.mark.realtime


@pytest.fixture
def subscribe() -> Iterator[Callable[..., Subscriber]]:
    opened: list[Subscriber] = []

    def connect(address: str, *topics: str, **options: object) -> Subscriber:
        subscriber = Subscriber(address, topics or ("",), **options)  # type: ignore[arg-type]
        opened.append(subscriber)
        return subscriber

    yield connect
    for subscriber in opened:
        subscriber.close()


def joined(subscriber: Subscriber) -> Subscriber:
    """After its first heartbeat, with everything that came before it."""
    until = time.monotonic() + 10.0
    while not subscriber.has_received or subscriber.position is None:
        assert time.monotonic() < until
        item = subscriber.receive(0.05)
        assert item is None, item
    return subscriber


def take(subscriber: Subscriber, count: int, timeout_s: float = 10.0) -> list[Item]:
    items: list[Item] = []
    until = time.monotonic() + timeout_s
    while len(items) < count:
        assert time.monotonic() < until, f"{len(items)} of {count} items"
        item = subscriber.receive(0.1)
        items += [item] if item else []
    return items


def rest(subscriber: Subscriber, quiet_s: float = 0.5) -> list[Item]:
    items = []
    while (item := subscriber.receive(quiet_s)) is not None:
        items.append(item)
    return items


def numbers(items: list[Item]) -> list[int]:
    return [item.event.seq for item in items if isinstance(item, Message)]


def test_a_subscriber_gets_events_whole(publisher: Publisher, subscribe: Callable[..., Subscriber]) -> None:
    subscriber = joined(subscribe(publisher.address))
    publisher.say("alert.opened", alert="a1", p_fake=0.97)
    (item,) = take(subscriber, 1)
    assert isinstance(item, Message)
    assert item.topic == "alert.call1.caller"
    assert item.event.data == {"alert": "a1", "p_fake": 0.97}
    assert (item.event.seq, item.prev, item.snapshot) == (1, 0, False)
    assert item.event.epoch == subscriber.epoch == publisher.bus.epoch


def test_plain_zmq_is_enough(publisher: Publisher) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.connect(publisher.address)
        socket.subscribe("state.")
        while not socket.poll(20):
            publisher.say("state.changed", state="clear")
        topic, body = socket.recv_multipart()
    assert topic == b"state.call1.caller"
    assert json.loads(body)["state"] == "clear"


def test_a_late_subscriber_gets_what_holds_now(publisher: Publisher, subscribe: Callable[..., Subscriber]) -> None:
    publisher.say("call.started")
    publisher.say("score", p_fake=0.1)
    publisher.say("alert.opened", channel="agent")
    publisher.say("alert.closed", channel="agent")
    publisher.say("state.changed", state="alert")
    publisher.say("alert.opened")
    publisher.say("score", p_fake=0.9)
    publisher.say("call.started", call="over")
    publisher.say("score", call="over")
    publisher.say("call.ended", call="over")
    assert publisher.bus.drain(5.0)
    items = take(subscribe(publisher.address), 4)
    assert sorted(numbers(items)) == [1, 5, 6, 7]
    assert all(isinstance(item, Message) and item.snapshot for item in items)
    only = take(subscribe(publisher.address, "score.call1."), 1)
    assert numbers(only) == [7]
    assert isinstance(only[0], Message)
    assert only[0].prev == 2


def test_a_snapshot_for_others_is_not_delivered_twice(
    publisher: Publisher, subscribe: Callable[..., Subscriber]
) -> None:
    first = joined(subscribe(publisher.address))
    publisher.say("score")
    assert numbers(take(first, 1)) == [1]
    second = subscribe(publisher.address)
    assert numbers(take(second, 1)) == [1]
    publisher.say("score")
    assert numbers(take(first, 1)) == [2]
    assert numbers(take(second, 1)) == [2]
    assert rest(first) == rest(second) == []


def test_a_snapshot_larger_than_the_high_water_mark_arrives(subscribe: Callable[..., Subscriber]) -> None:
    publisher = Publisher(high_water_mark=1200)
    for n in range(3000):
        publisher.say("score", call=f"call{n}")
    assert publisher.bus.drain(10.0)
    subscriber = subscribe(publisher.address, high_water_mark=1200)
    assert sorted(numbers(take(subscriber, 3000))) == list(range(1, 3001))
    publisher.bus.close()


def test_prev_links_the_messages_of_a_topic(publisher: Publisher, subscribe: Callable[..., Subscriber]) -> None:
    subscriber = joined(subscribe(publisher.address, "score.call1."))
    for n in range(9):
        publisher.say("score", call=f"call{n % 3}")
    publisher.say("score", call="call10")
    items = take(subscriber, 3)
    assert [(item.event.seq, item.prev) for item in items if isinstance(item, Message)] == [(2, 0), (5, 2), (8, 5)]
    assert rest(subscriber) == []


def test_heartbeats_carry_the_vital_signs(publisher: Publisher, subscribe: Callable[..., Subscriber]) -> None:
    publisher.say("score")
    assert publisher.bus.drain(20.0), "else a heartbeat could be older"
    subscriber = subscribe(publisher.address, "health", "score.call1.", heartbeats=True)
    beats = [item for item in take(subscriber, 3) if isinstance(item, Message) and item.event.type == "health"]
    data = beats[-1].event.data
    (status,) = data["sinks"]  # type: ignore[misc]
    assert (status["name"], status["ok"], status["dropped"], status["emitted"]) == ("zeromq", True, 0, 1)
    assert (data["code"], data["usable"], data["latency_p50_ms"]) == ("heartbeat", True, 1.5)
    assert (beats[-1].event.seq, data["last_seq"]) == (0, 1)
    assert data["last"] == {"health": 0, "score.call1.": 1}


@pytest.mark.parametrize("topic", ["", "score."])
def test_a_subscriber_that_does_not_read_learns_what_it_missed(
    topic: str, subscribe: Callable[..., Subscriber]
) -> None:
    publisher = Publisher(high_water_mark=10)
    subscriber = joined(subscribe(publisher.address, topic, high_water_mark=10))
    for _ in range(800):
        publisher.say("score", filler="x" * 20_000)
    assert publisher.bus.drain(20.0)
    items = rest(subscriber)
    got = numbers(items)
    holes = [item for item in items if isinstance(item, Missed)]
    assert got[0] == 1
    assert len(got) < 800
    missing = {seq for hole in holes for seq in range(hole.first, hole.last + 1)}
    assert missing == set(range(1, 801)) - set(got)
    assert all(hole.exact is (topic == "") for hole in holes)
    publisher.say("score")
    assert numbers(take(subscriber, 1)) == [801]
    publisher.bus.close()


def test_events_lost_before_the_socket_are_seen_by_every_subscriber(subscribe: Callable[..., Subscriber]) -> None:
    sink = ZeromqSink(PublisherAddresses(ANYWHERE), "epoch", 0.1)
    everything, part = subscribe(sink.address), subscribe(sink.address, "alert.")
    until = time.monotonic() + 10.0
    while not (everything.has_received and part.has_received):
        assert time.monotonic() < until
        sink.tick()
        assert (everything.receive(0.01), part.receive(0.01)) == (None, None)
    for seq in (1, 2, 7):
        sink.emit(Event("score", "c", "a", 0, {}, seq, "epoch", "now"))
    sink.emit(Event("alert.opened", "c", "a", 0, {}, 8, "epoch", "now"))
    assert take(everything, 3)[2] == Missed(3, 6, "", True)
    assert take(part, 1)[0] == Missed(1, 6, "alert.c.a", False)
    sink.close()


def test_a_restart_is_a_new_epoch_and_its_beginning_is_not_lost_unseen(subscribe: Callable[..., Subscriber]) -> None:
    first = Publisher()
    subscriber = joined(subscribe(first.address, silence_s=60.0))
    first.say("score")
    assert numbers(take(subscriber, 1)) == [1]
    first.bus.close()
    assert [item.event.data["code"] for item in take(subscriber, 1) if isinstance(item, Message)] == ["stopped"]
    second = Publisher(first.address)
    for _ in range(5):
        second.say("score")
    items = take(subscriber, 2)
    assert items[0] == Restarted(second.bus.epoch)
    items += rest(subscriber)
    seen = set(numbers(items))
    for hole in items:
        if isinstance(hole, Missed):
            seen |= set(range(hole.first, hole.last + 1))
    assert seen == {1, 2, 3, 4, 5}
    second.bus.close()


def test_silence_and_return_are_reported_once(subscribe: Callable[..., Subscriber]) -> None:
    first = Publisher()
    subscriber = joined(subscribe(first.address, "score.", silence_s=0.5))
    first.bus.close()
    assert take(subscriber, 1) == [Silent(0.5, first.address)]
    assert subscriber.receive(1.0) is None
    second = Publisher(first.address)
    assert take(subscriber, 2) == [Returned(first.address), Restarted(second.bus.epoch)]
    second.bus.close()


def test_nobody_there_is_silence(subscribe: Callable[..., Subscriber]) -> None:
    subscriber = subscribe("tcp://127.0.0.1:9", silence_s=0.2)
    assert isinstance(subscriber.receive(5.0), Silent)
    assert not subscriber.has_received
    assert subscriber.receive(0.1) is None


def test_strangers_on_the_port_are_reported(subscribe: Callable[..., Subscriber]) -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        subscriber = subscribe(f"tcp://127.0.0.1:{port}")
        until = time.monotonic() + 10.0
        while (item := subscriber.receive(0.02)) is None:
            assert time.monotonic() < until
            socket.send(b"weather 20 degrees")
    assert isinstance(item, Unreadable)


def test_a_busy_port_names_the_way_out(publisher: Publisher) -> None:
    with pytest.raises(BadInputError, match="is taken") as caught:
        ZeromqSink(PublisherAddresses(publisher.address), "epoch")
    assert publisher.address in caught.value.message
    assert "--publish" in caught.value.hint
    assert "--no-publish" in caught.value.hint


@pytest.mark.parametrize("address", ["5556", "tcp://127.0.0.1:99999", "tcp://192.0.2.1:5556", "ipc:///nowhere/x"])
def test_an_address_that_cannot_be_bound(address: str) -> None:
    with pytest.raises(BadInputError, match=address):
        ZeromqSink(PublisherAddresses(address), "epoch")


@pytest.mark.parametrize("address", ["5556", "tcp://127.0.0.1:0", "tcp://*:5556"])
def test_an_address_that_cannot_be_subscribed_to(address: str) -> None:
    with pytest.raises(BadInputError):
        Subscriber(address)


def test_closing_does_not_wait_for_a_subscriber_that_does_not_read(subscribe: Callable[..., Subscriber]) -> None:
    publisher = Publisher()
    joined(subscribe(publisher.address, high_water_mark=1))
    for _ in range(500):
        publisher.say("score", filler="x" * 50_000)
    begun = time.monotonic()
    assert publisher.bus.close(drain_s=0.4)
    assert time.monotonic() - begun < 1.0


def test_topics_of_calls_that_ended_are_forgotten() -> None:
    topics = TopicIndex()
    for n in range(1000):
        for at, kind in enumerate(("call.started", "score", "alert.opened", "call.ended")):
            event = Event(kind, f"call{n}", "a", 0, {}, 4 * n + at + 1)
            topics.record(wire.topic(event).encode(), event)
    assert topics.current(b"") == []
    assert topics._of_call == topics._topics == {}


def test_an_event_offered_again_keeps_its_prev() -> None:
    topics = TopicIndex()
    first, second = (Event("score", "c", "a", 0, {}, seq) for seq in (1, 2))
    assert [topics.record(b"score.c.a", event)[0] for event in (first, first, second, second)] == [0, 0, 1, 1]


def test_prefixes_are_followed_from_their_first_subscriber_on() -> None:
    topics = TopicIndex()
    events = [Event("score", call, "a", 0, {}, seq) for seq, call in enumerate(("one", "two", "one", "ten"), 1)]
    for event in events[:3]:
        _, is_followed = topics.record(wire.topic(event).encode(), event)
        assert not is_followed
    for prefix in (b"score.t", b"score.one.", b"alert.", b""):
        topics.subscribe(prefix)
    assert topics.followed()[0] == {"score.t": 2, "score.one.": 3, "alert.": 0, "": 3}
    assert topics.record(b"score.ten.a", events[3]) == (0, True)
    topics.unsubscribe(b"")
    assert topics.followed()[0] == {"score.t": 4, "score.one.": 3, "alert.": 0}


def heard(memory: GapDetector, topic: str, seq: int, prev: int, snapshot: bool) -> Missed | None:
    missed = memory.gap(topic, seq, prev)
    if missed:
        memory.reported(missed)
    memory.accept(topic, seq, snapshot)
    return missed


def beat(memory: GapDetector, last_seq: int, newest: dict[str, int], **sent: tuple[int, int]) -> list[Missed]:
    missed = memory.gaps_at(last_seq, newest, {f"{prefix}.": pair for prefix, pair in sent.items()})
    memory.heartbeat(last_seq, {f"{prefix}.": pair for prefix, pair in sent.items()})
    return missed


def test_a_hole_on_one_topic_is_not_hidden_by_another() -> None:
    part = GapDetector(["score."])
    assert beat(part, 10, {"score.": 9}) == []
    assert heard(part, "score.a", 11, 5, False) is None
    assert heard(part, "score.b", 13, 6, False) is None
    assert heard(part, "score.a", 14, 12, False) == Missed(12, 12, "score.a", False)


def test_a_heartbeat_shows_what_no_later_message_on_the_same_topic_would() -> None:
    part = GapDetector(["score."])
    assert beat(part, 10, {"score.": 9}, score=(0, 7)) == []
    assert heard(part, "score.a", 11, 5, False) is None
    assert heard(part, "score.b", 13, 6, False) is None
    assert beat(part, 13, {"score.": 13}, score=(0, 10)) == [Missed(11, 13, "score.", False)]
    assert beat(part, 15, {"score.": 13}, score=(0, 10)) == []


def test_a_hole_at_the_end_is_told_once() -> None:
    part = GapDetector(["score."])
    beat(part, 10, {"score.": 9})
    assert beat(part, 15, {"score.": 12}) == [Missed(11, 12, "score.", False)]
    assert beat(part, 15, {"score.": 12}) == []
    assert heard(part, "score.a", 16, 12, False) is None
    assert heard(part, "score.a", 19, 17, False) == Missed(17, 17, "score.a", False)


def test_old_numbers_of_a_topic_are_no_hole_for_a_newcomer() -> None:
    part = GapDetector(["score."])
    assert heard(part, "score.a", 7, 3, True) is None
    assert beat(part, 9, {"score.": 8}) == []
    assert heard(part, "score.b", 10, 8, False) is None
    everything = GapDetector([""])
    assert heard(everything, "score.a", 7, 3, True) is None
    assert heard(everything, "score.b", 10, 8, False) is None
    assert heard(everything, "score.b", 12, 10, False) == Missed(11, 11, "", True)
