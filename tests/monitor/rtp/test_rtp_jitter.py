"""The jitter buffer, as a table of packets and as properties over any network."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rtp.jitter_buffer import MAX_DROPOUT, MOST_HELD, JitterState, OrderedPacket, accept, expire, flush
from monitor.rtp.packet import RtpPacket

GIVE_UP_S = 0.1


def packet(number: int) -> RtpPacket:
    return RtpPacket(0, False, number & 0xFFFF, number * 160 & 0xFFFF_FFFF, 7, number.to_bytes(4, "big"))


def play(arrivals: list[tuple[int, float]]) -> list[OrderedPacket]:
    state, out = JitterState(), []
    for number, at in arrivals:
        state, ready = accept(state, packet(number), at, GIVE_UP_S)
        out += ready
    return [*out, *flush(state)[1]]


def numbers(ordered: list[OrderedPacket]) -> list[int]:
    return [int.from_bytes(o.packet.payload, "big") for o in ordered]


@pytest.mark.parametrize(
    ("arrived", "given", "lost"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], 0),
        ([0, 2, 1, 3], [0, 1, 2, 3], 0),
        ([0, 1, 3, 4], [0, 1, 3, 4], 1),
        ([0, 1, 1, 2, 2], [0, 1, 2], 0),
        ([0, 2, 2, 1], [0, 1, 2], 0),
        ([65534, 65535, 65536, 65537], [65534, 65535, 65536, 65537], 0),
        ([65535, 65537, 65536], [65535, 65536, 65537], 0),
        ([1, 0, 2, 2, 3], [0, 1, 2, 3], 0),
        ([65536, 65535, 65537], [65535, 65536, 65537], 0),
        ([0, 2, 3, 4, 5, 6, 7, 8, 1, 9], [0, 2, 3, 4, 5, 6, 7, 8, 9], 1),
    ],
)
def test_packets_20_ms_apart(arrived: list[int], given: list[int], lost: int) -> None:
    out = play([(n, i * 0.02) for i, n in enumerate(arrived)])
    assert numbers(out) == given
    assert sum(o.lost for o in out) == lost


def test_a_packet_in_its_turn_goes_on_at_once_and_one_loss_does_not_delay_what_follows_for_good() -> None:
    state, delays = JitterState(), []
    for i in range(200):
        if i == 50:
            continue
        state, ready = accept(state, packet(i), i * 0.02, GIVE_UP_S)
        delays += [i * 0.02 - o.arrival for o in ready]
    assert len(delays) == 199
    assert max(delays) == pytest.approx(GIVE_UP_S, abs=0.021)
    assert delays[60:] == [0.0] * 139


def test_a_loss_is_given_up_by_the_clock_when_no_packet_follows() -> None:
    state, _ = accept(JitterState(), packet(0), 0.0, GIVE_UP_S)
    state, ready = accept(state, packet(2), 0.04, GIVE_UP_S)
    assert ready == ()
    state, begun = expire(state, 0.12, GIVE_UP_S)
    assert numbers(list(begun)) == [0]
    assert expire(state, 0.13, GIVE_UP_S)[1] == ()
    assert numbers(list(expire(state, 0.15, GIVE_UP_S)[1])) == [2]


def test_the_first_packet_may_be_overtaken_and_the_wait_for_it_delays_nothing_later() -> None:
    state, delays, out = JitterState(), [], []
    for i, number in enumerate([2, 3, -1, 1, 0, *range(4, 50)]):
        state, ready = accept(state, packet(number % 2**32), i * 0.02, GIVE_UP_S)
        out += ready
        delays += [i * 0.02 - o.arrival for o in ready]
    assert [n - 2**32 if n > 2**31 else n for n in numbers(out)] == list(range(-1, 50))
    assert not any(o.lost for o in out)
    assert max(delays) == pytest.approx(GIVE_UP_S)
    assert delays[5:] == [0.0] * 46


def test_without_a_wait_a_stream_begins_with_its_first_packet() -> None:
    state, ready = accept(JitterState(), packet(5), 3.0, 0.0)
    state, begun = expire(state, 3.0, 0.0)
    assert numbers([*ready, *begun]) == [5]
    assert numbers(list(accept(state, packet(6), 3.02, 0.0)[1])) == [6]


def test_a_sender_that_starts_again_is_believed_at_its_second_packet() -> None:
    out = play([(n, i * 0.02) for i, n in enumerate([0, 1, 2, 30000, 30001, 30002])])
    assert numbers(out) == [0, 1, 2, 30001, 30002]
    assert [o.restarted for o in out] == [False, False, False, True, False]


def test_a_stray_packet_changes_nothing() -> None:
    out = play([(n, i * 0.02) for i, n in enumerate([0, 1, 40000, 2, 3])])
    assert numbers(out) == [0, 1, 2, 3]


def test_what_is_held_is_bounded_when_the_clock_stands_still() -> None:
    state = JitterState()
    for i in range(2 * MAX_DROPOUT):
        state, _ = accept(state, packet(2 * i), 0.0, GIVE_UP_S)
        assert len(state.held) <= MOST_HELD


@given(st.integers(0, 2**16 - 1), st.randoms(use_true_random=False), st.floats(0, 0.3), st.floats(0, 0.09))
def test_any_network(first: int, rng: random.Random, loss: float, jitter_s: float) -> None:
    """Order is kept, nothing comes twice, and what was given up is exactly what is missing between first and last."""
    sent = [(first + i, i * 0.02) for i in range(120)]
    kept = [(n, at) for n, at in sent if rng.random() >= loss]
    twice = [(n, at + 0.001) for n, at in kept if rng.random() < 0.05]
    late = {n: rng.uniform(0, jitter_s) for n, _ in kept}
    out = play(sorted(((n, at + late[n]) for n, at in kept + twice), key=lambda a: a[1]))
    got = numbers(out)
    assert got == sorted(set(got))
    assert got == [n for n, _ in kept], "delays below the limit lose nothing"
    assert sum(o.lost for o in out) == (got[-1] - got[0] + 1 - len(got) if got else 0)
