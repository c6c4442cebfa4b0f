"""Delivery that loses nothing: holes closed from memory and journal, restarts, resuming, and requests of strangers."""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from helpers import Running, environment
from publishing import LIMIT_S, Publisher, numbers, settle, take

from monitor.delivery import requests
from monitor.delivery.gaps import Position
from monitor.delivery.publisher_sockets import MAX_MESSAGE_BYTES
from monitor.delivery.recent_events import RecentEvents
from monitor.delivery.replay_server import ANSWER_EVENTS, BURST
from monitor.delivery.requests import MAX_BYTES, SubscriberRequest
from monitor.delivery.resume import recall, remember, starting_point
from monitor.delivery.subscriber_sockets import replay_address
from monitor.errors import BadInputError
from monitor.limits.rate_limit import RateLimit
from monitor.subscriber import Message, Missed, Restarted, Subscriber

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize(("journal", "kept"), [(False, 20_000), (True, 10)], ids=["from memory", "from the journal"])
@pytest.mark.parametrize("topic", ["", "score."])
def test_a_subscriber_that_was_too_slow_gets_all_the_same_everything_once_and_in_order(
    journal: bool, kept: int, topic: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal" if journal else None
    with (
        Publisher(path, high_water_mark=10, replay_events=kept) as publisher,
        Subscriber(publisher.address, [topic], high_water_mark=10) as subscriber,
    ):
        settle(subscriber)
        publisher.say(800, filler="x" * 20_000)
        items = take(subscriber, lambda items: 800 in numbers(items))
        assert numbers(items) == list(range(1, 801))
        assert not [item for item in items if isinstance(item, Missed)]
        publisher.say(1)
        assert numbers(take(subscriber, lambda items: bool(numbers(items)))) == [801]


def test_what_nobody_has_any_more_is_told() -> None:
    with (
        Publisher(high_water_mark=10, replay_events=50) as publisher,
        Subscriber(publisher.address, high_water_mark=10) as subscriber,
    ):
        settle(subscriber)
        publisher.say(800, filler="x" * 20_000)
        items = take(subscriber, lambda items: 800 in numbers(items))
        told = {seq for item in items if isinstance(item, Missed) for seq in range(item.first, item.last + 1)}
        assert told
        assert told | set(numbers(items)) == set(range(1, 801))
        assert not told & set(numbers(items))


def test_after_a_restart_the_rest_of_the_run_before_comes_from_the_journal(tmp_path: Path) -> None:
    with Publisher(tmp_path / "journal") as first, Subscriber(first.address) as subscriber:
        settle(subscriber)
        first.say(5)
        assert numbers(take(subscriber, lambda items: len(items) == 5)) == [1, 2, 3, 4, 5]
        subscriber._links._sub.disconnect(first.address)
        first.say(20)
    with Publisher(tmp_path / "journal", first.address, replay_address=first.replay) as second:
        second.say(3)
    with Publisher(tmp_path / "journal", first.address, replay_address=first.replay) as third:
        third.say(4)
        subscriber = Subscriber(first.address, since=Position(first.epoch, 5))
        items = take(subscriber, lambda items: len(numbers(items)) == 27)
        subscriber.close()
    assert numbers(items) == [*range(6, 26), 1, 2, 3, 1, 2, 3, 4]
    restarts = [item for item in items if isinstance(item, Restarted)]
    assert restarts == [Restarted(second.epoch, whole=True), Restarted(third.epoch, whole=True)]
    assert not [item for item in items if isinstance(item, Missed)]


def test_without_a_journal_a_restart_says_that_the_end_may_be_missing() -> None:
    with Publisher() as first:
        first.say(1)
    with Publisher() as second, Subscriber(second.address, since=Position(first.epoch, 1)) as subscriber:
        second.say(2)
        items = take(subscriber, lambda items: len(numbers(items)) == 2)
        assert items[0] == Restarted(second.epoch, whole=False)
        assert numbers(items) == [1, 2]


@pytest.mark.parametrize("topics", [("",), ("alert.", "state.")])
def test_a_position_is_where_to_go_on(topics: tuple[str, ...], tmp_path: Path) -> None:
    kinds = ("score", "alert.updated", "score", "state.changed")
    with Publisher(tmp_path / "journal", replay_events=20) as publisher:
        got: list[tuple[str, int]] = []
        position = Position(publisher.epoch, 0)
        for part in range(5):
            with Subscriber(publisher.address, topics, since=position) as subscriber:
                for n in range(40):
                    publisher.say(1, kinds[n % 4], f"call{n % 3}")
                wanted = 7 * (part + 1)
                while len(got) < wanted:
                    item = subscriber.receive(LIMIT_S)
                    assert isinstance(item, Message), item
                    got.append((item.topic, item.event.seq))
                    assert subscriber.position is not None
                    position = subscriber.position
    every = [(f"{kinds[n % 40 % 4].partition('.')[0]}.call{n % 40 % 3}.caller", n + 1) for n in range(200)]
    if topics == ("",):
        assert got == every[:35]
    for topic in {name for name, _ in got}:  # of some topics, each is in order, whichever comes first
        numbers = [seq for name, seq in got if name == topic]
        assert numbers == [seq for name, seq in every if name == topic][: len(numbers)]


def test_subscribe_goes_on_where_its_last_run_stopped(tmp_path: Path) -> None:
    with Publisher(tmp_path / "journal") as publisher:
        publisher.say(10)
        command = [sys.executable, "-m", "monitor", "subscribe", publisher.address, "--json", "--state", "state"]
        seen = []
        for words in (["--from", "4", "--count", "3"], ["--count", "2"], ["--count", "2"]):
            with Running([*command, *words], tmp_path, environment()) as running:
                assert running.end() == 0, running.stderr
                seen.append([event["seq"] for event in running.events])
    assert seen == [[4, 5, 6], [7, 8], [9, 10]]


def test_a_state_file_is_whole_or_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert starting_point(None, state, [""]) is None
    remember(state, Position("one", 7, {"alert.a.b": 9}), ["alert."])
    assert recall(state, ["alert."]) == Position("one", 7, {"alert.a.b": 9})
    with pytest.raises(BadInputError, match="other topics"):
        recall(state, [""])
    state.write_text("{}")
    with pytest.raises(BadInputError, match="something else"):
        recall(state, [""])
    assert starting_point("one:12", None, [""]) == Position("one", 11)
    for nonsense in ("", "x", "0", "-3", "one:"):
        with pytest.raises(BadInputError, match="not an event number"):
            starting_point(nonsense, None, [""])


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(replay_events=2000) as running:
        running.say(3)
        running.say(1, "alert.opened", call="call2")
        yield running


@pytest.fixture
def ask(publisher: Publisher) -> Iterator[Callable[..., list[Any]]]:
    """Send frames as any ZeroMQ program would; the answer, decoded."""
    with zmq.Context() as context, context.socket(zmq.REQ) as socket_:
        socket_.setsockopt(zmq.LINGER, 0)
        socket_.setsockopt(zmq.REQ_RELAXED, 1)
        socket_.setsockopt(zmq.REQ_CORRELATE, 0)
        socket_.connect(publisher.replay)

        def send(*frames: bytes) -> list[Any]:
            socket_.send_multipart(frames)
            assert socket_.poll(LIMIT_S * 1000)
            return [json.loads(frame) for frame in socket_.recv_multipart()]

        yield send


def test_a_plain_socket_can_ask_for_a_replay_and_a_snapshot(
    publisher: Publisher, ask: Callable[..., list[Any]]
) -> None:
    head, *events = ask(SubscriberRequest("replay", "mine", "", 2, 4, ("score.",)).encode())
    assert [event["seq"] for event in events] == [2, 3]
    assert head | {"missing": []} == {
        "reply": "replay",
        "id": "mine",
        "epoch": publisher.epoch,
        "current": publisher.epoch,
        "last_seq": 4,
        "until": 4,
        "missing": [],
        "end": False,
        "next": "",
    }
    head, *events = ask(b'{"request":"snapshot"}')
    assert (head["last_seq"], head["until"]) == (4, 4)
    assert [(event["seq"], event["snapshot"]) for event in events] == [(3, True), (4, True)]
    assert ask(SubscriberRequest("replay", epoch="another").encode())[0]["reply"] == "unknown"
    publisher.say(ANSWER_EVENTS + 100)
    head, *events = ask(SubscriberRequest("replay").encode())
    assert (len(events), head["until"]) == (ANSWER_EVENTS, ANSWER_EVENTS)


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\x00" * 100],
        [b"[]"],
        [b"[" * 4000],
        [b'{"request":"delete"}'],
        [b'{"request":"replay","from":0}'],
        [b'{"request":"replay","from":true}'],
        [b'{"request":"replay","from":5,"to":4}'],
        [b'{"request":"replay","from":1e99}'],
        [b'{"request":"replay","topics":[]}'],
        [b'{"request":"replay","topics":"alert"}'],
        [b'{"request":"replay","__class__":"os.system"}'],
        [b'{"request":"replay","id":"' + b"x" * 300 + b'"}'],
        [b" " * (MAX_BYTES + 1)],
        [b'{"request":"snapshot"}', b"more"],
        [b"\x80\x04\x95pickled"],
    ],
)
def test_nonsense_is_answered_with_an_error_and_counted(
    frames: list[bytes], publisher: Publisher, ask: Callable[..., list[Any]]
) -> None:
    (answer,) = ask(*frames)
    assert answer["reply"] == "error"
    assert answer["error"]
    assert publisher.sink._replays.counts["malformed"] == 1
    assert ask(b'{"request":"replay"}')[0]["until"] == 4


def test_who_asks_too_often_is_told_to_wait_and_the_others_feel_nothing(
    publisher: Publisher, ask: Callable[..., list[Any]]
) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as greedy:
        greedy.setsockopt(zmq.LINGER, 0)
        greedy.connect(publisher.replay)
        answers: list[Any] = []
        until = time.monotonic() + LIMIT_S
        while not any(answer["reply"] == "error" for answer in answers):
            assert time.monotonic() < until
            for _ in range(int(BURST)):
                greedy.send(b'{"request":"replay","from":4}')
            while greedy.poll(50):
                answers.append(json.loads(greedy.recv_multipart()[0]))
    refused = next(answer for answer in answers if answer["reply"] == "error")
    assert (refused["error"], refused["wait"]) == ("too many requests: wait", True)
    assert ask(b'{"request":"replay"}')[0]["reply"] == "replay"
    assert publisher.sink._replays.counts["limited"] > 0


def test_a_gigabyte_is_refused_before_it_is_sent(publisher: Publisher, ask: Callable[..., list[Any]]) -> None:
    """A ZMTP 3 connection by hand, which announces a frame of 1 GB: the publisher hangs up at once."""
    host, _, port = publisher.replay.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), LIMIT_S) as raw:
        raw.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31))
        ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
        raw.sendall(b"\x04" + bytes([len(ready)]) + ready)
        raw.sendall(b"\x02" + struct.pack(">Q", 1 << 30) + b"x" * 1000)
        raw.settimeout(LIMIT_S)
        try:
            while raw.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert MAX_MESSAGE_BYTES < 1 << 20
    assert ask(b'{"request":"replay"}')[0]["until"] == 4


def test_the_address_of_requests_follows_that_of_the_stream() -> None:
    assert replay_address("tcp://10.0.0.7:5556", "tcp://0.0.0.0:5557") == "tcp://10.0.0.7:5557"
    assert replay_address("tcp://[::1]:5556", "tcp://[::]:6000") == "tcp://[::1]:6000"
    assert replay_address("ipc:///run/m", "ipc:///run/m-replay") == "ipc:///run/m-replay"


def test_memory_is_bounded_and_says_where_it_begins() -> None:
    history = RecentEvents(10, 500)
    for seq in (*range(1, 8), *range(9, 21)):
        history.add(seq, "score.a.b", bytes(40))
    assert history.first == 11
    assert history.read(11, 20, [""], 5, 10_000) == ([bytes(40)] * 5, [], 15)
    assert history.read(16, 25, ["alert."], 50, 10_000) == ([], [(21, 25)], 25)
    history.add(21, "alert.a.b", bytes(450))
    assert history.first == 20


def test_a_bucket_fills_again() -> None:
    limit = RateLimit(10.0, 3.0)
    assert [limit.allows(b"a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert limit.allows(b"b", 0.0)
    assert not limit.allows(b"a", 0.05)
    assert limit.allows(b"a", 0.15)


def test_a_request_comes_back_as_it_was() -> None:
    request = SubscriberRequest("replay", "7", "one", 3, 9, ("alert.", "state."))
    assert requests.parse(request.encode()) == request
