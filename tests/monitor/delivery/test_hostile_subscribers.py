"""Whatever one subscriber sends, the others get their events, heartbeats stay small, and memory is bounded."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import pytest
from publishing import Publisher, numbers, settle, take
from receivers import wait_until
from zmtp import Peer, frame, is_turned_away

from monitor.delivery import connection_guard, publisher_sockets
from monitor.delivery.connections import SILENT_S, ConnectionLimits
from monitor.delivery.topics import MAX_HEARTBEAT_BYTES, MAX_PREFIX_BYTES, TopicIndex
from monitor.errors import BadInputError
from monitor.limits.descriptors import count_open
from monitor.subscriber import Message, Subscriber

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's byte counts are those of Linux")
LIMIT_S = 20.0


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setattr(publisher_sockets, "HANDSHAKE_MS", 60_000)  # on a busy machine it takes seconds
    with Publisher() as running:
        yield running


def refused(publisher: Publisher, what: str) -> int:
    """As the heartbeats say, once they do."""
    until = time.monotonic() + LIMIT_S
    with Subscriber(publisher.address, ["health"], heartbeats=True) as subscriber:
        while time.monotonic() < until:
            item = subscriber.receive(0.1)
            if isinstance(item, Message) and (found := item.event.data.get("refused")):
                assert isinstance(found, dict)
                if found.get(what):
                    return int(found[what])
    return 0


def test_a_flood_of_prefixes_ends_its_own_connection_and_nobody_elses(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as good, Peer(publisher.address) as hostile:
        settle(good)
        prefixes = b"".join(frame(b"\x01" + b"%0200d" % n) for n in range(1000))
        hostile.flood(prefixes, 40 << 20)
        assert hostile.is_ended_within(LIMIT_S)
        publisher.say(50)
        items = take(good, lambda items: len(numbers(items)) == 50)
        assert numbers(items) == list(range(1, 51))
        assert refused(publisher, "sent too much") == 1


def test_heartbeats_stay_small_and_prefixes_leave_with_their_peer(publisher: Publisher) -> None:
    with Subscriber(publisher.address, ["health"], heartbeats=True) as good:
        settle(good)
        hostile = [Peer(publisher.address) for _ in range(10)]
        for number, peer in enumerate(hostile):
            for n in range(70):
                peer.subscribe(b"%0180d%d" % (n, number))
        assert _largest(good, lambda size: size > MAX_HEARTBEAT_BYTES // 2) < MAX_HEARTBEAT_BYTES + 2000
        for peer in hostile:
            peer.close()
        _largest(good, lambda size: size < 2000)


def _largest(good: Subscriber, enough: Callable[[int], bool]) -> int:
    """Size of the largest heartbeat up to one that is enough."""
    largest, until = 0, time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        item = good.receive(0.1)
        if isinstance(item, Message) and item.event.data.get("code") == "heartbeat":
            largest = max(largest, len(item.raw))
            if enough(len(item.raw)):
                return largest
    raise AssertionError(largest)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(b"\x01" + b"x" * 2000), id="a prefix longer than any topic"),
        pytest.param(frame(b"\x02" + b"x" * 500), id="messages that subscribe to nothing"),
        pytest.param(frame(b"\x01" + b"x" * 500, more=True), id="a message without an end"),
    ],
)
def test_who_sends_what_no_subscriber_sends_is_cut_off(publisher: Publisher, data: bytes) -> None:
    with Peer(publisher.address) as hostile:
        hostile.flood(data, 10 << 20)
        assert hostile.is_ended_within(LIMIT_S)


@pytest.mark.parametrize("more", [True, False], ids=["without an end", "one after the other"])
def test_a_flood_of_requests_is_cut_off_at_once_and_leaves_no_descriptor(publisher: Publisher, more: bool) -> None:
    before = count_open()
    with Peer(publisher.replay, b"DEALER") as hostile:
        hostile.flood(frame(b"x" * 4000, more=more), 1 << 30)
        assert hostile.is_ended_within(LIMIT_S)
        wait_until(lambda: count_open() == before + 1)  # our own end of it
        assert refused(publisher, "sent too much") == 1


def test_a_peer_that_says_nothing_is_let_go() -> None:
    with Publisher() as publisher, Peer(publisher.address, introduce=False) as silent:
        assert silent.is_ended_within(10.0)


def test_connections_are_counted_and_those_too_many_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ConnectionLimits(connections=50, of_host=5, burst=16 << 10, per_s=64.0, in_all=4 << 20)
    monkeypatch.setattr(publisher_sockets, "OF_EVENTS", few)
    with Publisher() as publisher:
        peers = [Peer(publisher.address) for _ in range(4)]
        with Subscriber(publisher.address) as good:
            settle(good)
            assert is_turned_away(publisher.address, LIMIT_S)
            publisher.say(3)
            assert numbers(take(good, lambda items: len(numbers(items)) == 3)) == [1, 2, 3]
        for peer in peers:
            peer.close()
        assert refused(publisher, "too many connections of one host") == 1


def test_who_says_nothing_makes_room_for_a_subscriber_of_the_same_host(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ConnectionLimits(connections=50, of_host=5, burst=16 << 10, per_s=64.0, in_all=4 << 20)
    monkeypatch.setattr(publisher_sockets, "OF_EVENTS", few)
    with Publisher() as publisher:
        silent = [Peer(publisher.address, introduce=False) for _ in range(5)]
        time.sleep(2 * SILENT_S)
        with Subscriber(publisher.address) as good:
            settle(good)
            publisher.say(3)
            assert numbers(take(good, lambda items: len(numbers(items)) == 3)) == [1, 2, 3]
        for peer in silent:
            peer.close()
        assert refused(publisher, "too many connections of one host") >= 1


def test_without_file_descriptors_to_spare_nobody_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    full = [True]
    monkeypatch.setattr(connection_guard.DESCRIPTORS, "have_room", lambda: not full[0])
    with Publisher() as publisher:
        assert is_turned_away(publisher.address, LIMIT_S)
        full[0] = False
        assert refused(publisher, "too few file descriptors") == 1


def test_a_subscription_that_finds_no_room_costs_the_connection_that_sent_most(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.delivery.topics.MAX_PREFIXES", 40)
    with Subscriber(publisher.address, ["score.", "alert."]) as good, Peer(publisher.address) as hostile:
        settle(good)
        for n in range(100):
            hostile.subscribe(b"%060d" % n)
        assert hostile.is_ended_within(LIMIT_S)
        publisher.say(3)
        assert numbers(take(good, lambda items: len(numbers(items)) == 3)) == [1, 2, 3]


def test_the_shortest_prefixes_have_room_in_a_heartbeat() -> None:
    topics = TopicIndex()
    for n in range(500):
        assert topics.subscribe(b"%0400d" % n)
        assert topics.subscribe(b"\x01" * 60 + b"%d" % n)
    assert topics.subscribe(b"alert.")
    newest, sent = topics.followed()
    assert "alert." in newest
    assert len(str(newest)) + len(str(sent)) < 3 * MAX_HEARTBEAT_BYTES
    assert not all(topics.subscribe(b"%0400d" % n) for n in range(500, 1000)), "256 KiB are there already"
    topics.all_closed()
    assert topics.subscribe(b"%0400d" % 1000)


def test_a_subscriber_is_told_what_it_may_ask_for() -> None:
    for topics in (["x"] * 65, ["x" * (MAX_PREFIX_BYTES + 1)]):
        with pytest.raises(BadInputError, match="at most 64 prefixes of 512 bytes each"):
            Subscriber("tcp://127.0.0.1:5556", topics)
