"""Datagrams read many at once are those that were sent, with their senders."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from monitor.taps.rtp.datagrams import AT_ONCE, DatagramReader
from monitor.taps.rtp.listener import open_socket

LONGEST = 2000


@pytest.fixture(params=["127.0.0.1", "::1"])
def bound(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    found = open_socket(request.param, 0)
    if found is None:
        pytest.skip("no IPv6 here")
    with found:
        yield found


def sender(bound: socket.socket) -> socket.socket:
    made = socket.socket(bound.family, socket.SOCK_DGRAM)
    made.connect(bound.getsockname()[:2])
    return made


@pytest.mark.parametrize("at_once", [True, False])
def test_datagrams_come_whole_in_their_order_and_with_their_sender(bound: socket.socket, at_once: bool) -> None:
    reader = DatagramReader(LONGEST)
    if not at_once:
        reader._receive = None
    assert list(reader.read(bound, 100)) == []
    with sender(bound) as one, sender(bound) as other:
        sent = [bytes([i % 256]) * (i % LONGEST) for i in range(3 * AT_ONCE + 5)]
        for i, data in enumerate(sent):
            (other if i % 3 else one).send(data)
        names = [each.getsockname()[:2] for each in (one, other)]
        assert list(reader.read(bound, 10_000)) == [(data, names[min(1, i % 3)]) for i, data in enumerate(sent)]
        assert list(reader.read(bound, 10_000)) == []


def test_no_more_are_read_at_once_than_asked_for(bound: socket.socket) -> None:
    reader = DatagramReader(LONGEST)
    with sender(bound) as one:
        for i in range(2 * AT_ONCE):
            one.send(bytes([i % 256]))
        found = list(reader.read(bound, AT_ONCE))
        assert [data[0] for data, _ in found] == [i % 256 for i in range(AT_ONCE)]
        assert len(list(reader.read(bound, 10_000))) == AT_ONCE


def test_a_datagram_that_is_too_long_is_longer_than_the_longest(bound: socket.socket) -> None:
    with sender(bound) as one:
        for size in (LONGEST, LONGEST + 1, LONGEST + 500, 0):
            one.send(bytes(size))
        assert [len(data) for data, _ in DatagramReader(LONGEST).read(bound, 100)] == [
            LONGEST,
            LONGEST + 1,
            LONGEST + 1,
            0,
        ]


def test_a_sender_that_is_gone_hinders_nobody(bound: socket.socket) -> None:
    with sender(bound) as one:
        bound.sendto(b"answer", one.getsockname()[:2])
        gone = sender(bound)
        address = gone.getsockname()[:2]
        gone.close()
        bound.sendto(b"answer to nobody", address)
        one.send(b"voice")
        assert [data for data, _ in DatagramReader(LONGEST).read(bound, 100)] == [b"voice"]
