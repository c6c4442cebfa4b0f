"""Nothing that can still be had is given up: time in which somebody was stopped, busy or away counts for no timeout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from helpers import environment
from publishing import LIMIT_S, Publisher, numbers, take

from chaos.proxy import Proxy
from monitor.delivery.answer_timeout import GONE_S, LONGEST_ANSWER_S, LONGEST_STEP_S, AnswerTimeout
from monitor.delivery.gaps import Position
from monitor.events import wire
from monitor.journal.journal_reader import JournalRange, JournalReader
from monitor.subscriber import Item, Missed, Restarted, Silent, Subscriber
from monitor.types import Event

pytestmark = pytest.mark.realtime

TIMEOUT_S, SILENCE_S = 2.0, 0.5
ROOT = Path(__file__).parents[3]


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    """2500 events, of which all but the newest are in the journal alone: three answers."""
    with Publisher(tmp_path / "journal", replay_events=10) as running:
        running.say(2500)
        yield running


@pytest.fixture
def network(publisher: Publisher) -> Iterator[Proxy]:
    """In front of the socket that is asked for what was missed."""
    proxy = Proxy(int(publisher.replay.rpartition(":")[2]))
    yield proxy
    proxy.close()


def reader(publisher: Publisher, replay: str, answer_timeout_s: float = TIMEOUT_S) -> Subscriber:
    return Subscriber(
        publisher.address,
        high_water_mark=100,
        since=Position(publisher.epoch, 0),
        replay=replay,
        answer_timeout_s=answer_timeout_s,
        silence_s=SILENCE_S,
    )


def whole(items: list[Item], last: int) -> None:
    assert not [item for item in items if isinstance(item, Missed)]
    assert numbers(items) == list(range(1, last + 1))


CHILD = """
import sys
from monitor.subscriber import Message, Missed, Position, Subscriber
address, replay, epoch, *seconds = sys.argv[1:]
since, (answer_s, silence_s) = Position(epoch, 0), map(float, seconds)
with Subscriber(address, since=since, replay=replay, answer_timeout_s=answer_s, silence_s=silence_s) as it:
    print("begun", flush=True)
    while (subscribed := it.position) is None or subscribed.seq < 2510:
        if isinstance(item := it.receive(0.1), Missed):
            print(item, flush=True)
print(it.position.seq, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is of POSIX")
def test_a_process_that_was_stopped_for_longer_than_its_timeout_gives_nothing_up(
    publisher: Publisher, network: Proxy
) -> None:
    network.mode = "swallow"
    words = [sys.executable, "-c", CHILD, publisher.address, network.address, publisher.epoch]
    child = subprocess.Popen(
        [*words, str(TIMEOUT_S), str(SILENCE_S)], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(TIMEOUT_S / 4)  # the request has been made, and swallowed
        os.kill(child.pid, signal.SIGSTOP)
        publisher.say(10)
        time.sleep(2 * TIMEOUT_S)
        os.kill(child.pid, signal.SIGCONT)
        time.sleep(TIMEOUT_S / 4)
        network.cut()
        network.mode = "pass"
        assert child.communicate(timeout=LIMIT_S)[0] == "2510\n"
    finally:
        child.kill()
        child.wait()


def test_the_former_name_of_the_timeout_is_taken_with_a_warning(publisher: Publisher, network: Proxy) -> None:
    network.mode, since = "swallow", Position(publisher.epoch, 0)
    with pytest.warns(DeprecationWarning, match="answer_timeout_s"):
        subscriber = Subscriber(publisher.address, since=since, replay=network.address, patience_s=0.5)
    with subscriber:
        publisher.say(1)
        assert take(subscriber, lambda items: any(isinstance(item, Missed) for item in items))


def test_who_is_busy_with_what_came_gives_up_nothing_of_what_is_to_come(publisher: Publisher) -> None:
    with reader(publisher, publisher.replay) as subscriber:
        items = take(subscriber, lambda items: 500 in numbers(items))
        time.sleep(1.5 * TIMEOUT_S)
        whole(items + take(subscriber, lambda items: 2500 in numbers(items)), 2500)


def test_who_looks_but_now_and_then_gets_everything(publisher: Publisher) -> None:
    items: list[Item] = []
    with reader(publisher, publisher.replay) as subscriber:
        for _ in range(12):
            time.sleep(1.1)
            while item := subscriber.receive(0.0):
                items.append(item)
            if 2500 in numbers(items):
                break
    whole(items, 2500)


def test_answers_slower_than_the_first_attempt_arrive(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk: an answer to a request that was given up is lost, and work done again for the next one."""
    read = JournalReader.read

    def slowly(self: JournalReader, *wanted: object) -> JournalRange:
        time.sleep(1.5)
        return read(self, *wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(JournalReader, "read", slowly)
    with reader(publisher, publisher.replay, answer_timeout_s=8.0) as subscriber:
        whole(take(subscriber, lambda items: 2500 in numbers(items)), 2500)


def test_a_publisher_that_is_away_for_longer_than_the_timeout_is_waited_for(
    publisher: Publisher, network: Proxy, tmp_path: Path
) -> None:
    """Also by a subscriber that holds all it may, to which nothing more of the stream is of use."""
    network.mode = "hold"
    with reader(publisher, network.address) as subscriber:
        assert subscriber.receive(0.3) is None
        publisher.say(500)
        assert subscriber.receive(0.3) is None
        publisher.bus.close()
        items = [item for _ in range(6) if (item := subscriber.receive(TIMEOUT_S / 2))]
        assert items == [Silent(SILENCE_S, publisher.address)]
        network.cut()
        network.mode = "pass"
        with Publisher(tmp_path / "journal", publisher.address, replay_address=publisher.replay) as second:
            second.say(3)
            items = take(subscriber, lambda items: len(numbers(items)) >= 3003)
    assert not [item for item in items if isinstance(item, Missed)]
    assert numbers(items) == [*range(1, 3001), 1, 2, 3]
    assert [item for item in items if isinstance(item, Restarted)] == [Restarted(second.epoch, whole=True)]


def test_where_nobody_answers_the_hole_is_told_and_the_stream_goes_on(publisher: Publisher, network: Proxy) -> None:
    """Also with more arriving than is held; what did not fit is told as well."""
    network.mode = "swallow"
    with reader(publisher, network.address) as subscriber:
        assert subscriber.receive(0.3) is None
        begun = time.monotonic()
        publisher.say(500)
        items: list[Item] = []
        while len(told := _told(items)) + len(numbers(items)) < 3000:
            items += take(subscriber, bool)
        assert TIMEOUT_S - 1.0 < time.monotonic() - begun < 5 * TIMEOUT_S
    assert items[0] == Missed(1, 2500, "", exact=True)
    assert told & set(numbers(items)) <= {2500}  # the newest of a topic comes with the subscription


def _told(items: list[Item]) -> set[int]:
    return {seq for item in items if isinstance(item, Missed) for seq in range(item.first, item.last + 1)} - {2500}


def test_more_than_is_held_before_the_first_heartbeat_is_no_reason_to_give_up(publisher: Publisher) -> None:
    """The stream, by hand: its heartbeat, which says where to ask, comes late."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as stream:
        stream.setsockopt(zmq.LINGER, 0)
        port = stream.bind_to_random_port("tcp://127.0.0.1")
        since = Position(publisher.epoch, 0)
        with Subscriber(f"tcp://127.0.0.1:{port}", since=since, high_water_mark=100) as subscriber:
            assert stream.poll(LIMIT_S * 1000)
            for seq in range(2001, 2501):
                event = Event("score", "call1", "caller", 0, {}, seq, publisher.epoch, wire.utc_now())
                stream.send_multipart([wire.topic(event).encode(), wire.encode(event, seq - 1)])
            assert subscriber.receive(1.0) is None
            items: list[Item] = []
            until = time.monotonic() + LIMIT_S
            while 2500 not in numbers(items) and time.monotonic() < until:
                beat = {"code": "heartbeat", "detail": "", "usable": True, "last_seq": 2500, "replay": publisher.replay}
                said = Event("health", "", "", 0, beat | {"last": {}}, 0, publisher.epoch, wire.utc_now())
                stream.send_multipart([b"health", wire.encode(said)])
                while item := subscriber.receive(0.1):
                    items.append(item)
            whole(items, 2500)


def test_only_time_in_which_an_answer_could_come_counts() -> None:
    timeout = AnswerTimeout(0.0)
    timeout.advance(3600.0)  # stopped for an hour
    assert timeout.total == LONGEST_STEP_S
    for tenths in range(1, 50):
        timeout.message_came()
        timeout.advance(3600.0 + tenths / 10)
    assert timeout.total == pytest.approx(LONGEST_STEP_S + 4.9)
    assert timeout.is_due
    for tenths in range(50, 5000):  # the publisher is away
        timeout.advance(3600.0 + tenths / 10)
    assert timeout.total == pytest.approx(LONGEST_STEP_S + 4.9 + GONE_S, abs=0.11)


def test_each_attempt_has_twice_the_time_of_the_one_before() -> None:
    timeout, now, waits = AnswerTimeout(0.0), 0.0, []
    for _ in range(6):
        begun = now
        while not timeout.is_due:
            now += 0.25
            timeout.advance(now)
        waits.append(now - begun)
        timeout.retried()
    assert waits == [1.0, 2.0, 4.0, 8.0, LONGEST_ANSWER_S, LONGEST_ANSWER_S]
    timeout.answer_came(now)
    assert (timeout.total, timeout.attempt) == (0.0, 0.0)
    while not timeout.is_due:
        now += 0.25
        timeout.advance(now)
    assert timeout.attempt == LONGEST_ANSWER_S / 2


def test_a_request_that_must_wait_says_of_what_kind(publisher: Publisher) -> None:
    """Which a subscriber needs to know whether there will be an answer."""
    answer = json.loads(publisher.sink._replays._error("busy", "7", "too many requests: wait")[0])
    assert answer == {"reply": "error", "id": "7", "code": "busy", "error": answer["error"], "wait": True}
