"""Senders that flood: bounded, muted, and no harm to others."""

from __future__ import annotations

from collections import Counter

import pytest
from captured import packed
from rtp_sessions_log import IDLE_S, ONE, OTHER, PHONE, Sessions, spoken

from monitor.taps.rtp.candidate import KEPT
from monitor.taps.rtp.flood_guard import CALLS_AT_ONCE, CALLS_PER_S, MOST_UNASSIGNED, MUTE_S, FloodGuard
from monitor.taps.rtp.pairing import YOUNG_S
from monitor.taps.rtp.sessions import MOST_CANDIDATES
from monitor.taps.rtp.stream_audio import CREDIT_RATE, CREDIT_S, FLOOD_S
from monitor.taps.tap_events import CallAudio
from monitor.types import SAMPLE_RATE


def test_strangers_are_forgotten_before_they_fill_the_memory() -> None:
    rtp = Sessions()
    data = packed(spoken()[1][0])
    for number in range(2 * MOST_CANDIDATES):
        rtp.result += rtp.sessions.datagram(ONE, 0, data, (f"192.0.2.{number % 50}", number), number / 4000)
    for number in range(40):
        apart = packed(spoken()[1][0]._replace(sequence=100 * number))
        rtp.result += rtp.sessions.datagram(ONE, 0, apart, PHONE, 2.0)
    assert len(rtp.sessions._candidates) == MOST_CANDIDATES
    assert max(len(candidate.packets) for candidate in rtp.sessions._candidates.values()) == KEPT
    assert not rtp.result


def flood(rtp: Sessions, begin: float, seconds: float, ssrc: int = 1) -> None:
    """Packets of a second each, every 20 ms."""
    packet = spoken(seconds=0.1)[1][0]._replace(payload=bytes(8000), ssrc=ssrc)
    for i in range(round(seconds * 50)):
        more = packet._replace(sequence=i, timestamp=i * 8000)
        rtp.result += rtp.sessions.datagram(ONE, 0, packed(more), PHONE, begin + i * 0.02)
        rtp.result += rtp.sessions.tick(begin + i * 0.02)


def test_a_stream_that_gives_more_audio_than_time_passes_is_bounded_and_an_honest_one_is_not() -> None:
    rtp = Sessions()
    flood(rtp, 0.0, FLOOD_S - 1)
    seconds = sum(len(h.samples) for h in rtp.result if isinstance(h, CallAudio)) / SAMPLE_RATE
    assert seconds < CREDIT_S + CREDIT_RATE * FLOOD_S + 2
    assert rtp.sessions.counts["of a stream that gives more audio than time passes"] > 150
    assert not rtp.ended
    honest = Sessions()
    _, sending = spoken()
    for i in range(5):
        honest.hear([p._replace(sequence=i * 100 + n) for n, p in enumerate(sending)], at=i * 2.0)
    assert not honest.sessions.counts


def test_a_stream_that_goes_on_flooding_loses_its_call_and_is_muted_and_its_neighbour_is_heard() -> None:
    rtp = Sessions()
    _, sending = spoken()
    rtp.hear(sending[:10], ssrc=2)
    flood(rtp, 0.2, FLOOD_S + 2)
    assert rtp.ended == ["a sender gave more audio than time passed"]
    assert rtp.sessions.counts["of a sender that is muted, because it flooded"] > 50
    before = len(rtp.result)
    rtp.hear(sending[10:20], ssrc=2, at=0.3 + FLOOD_S)
    assert len(rtp.result) > before, "another stream of the same sender goes on"
    rtp.hear(sending, at=FLOOD_S + 3 + MUTE_S)
    assert len(rtp.started) == 3, "it may call again"


def test_a_burst_after_a_network_stood_still_is_heard() -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear(sending[:20])
    for packet in sending[20:]:
        rtp.result += rtp.sessions.datagram(ONE, 0, packed(packet._replace(ssrc=1)), PHONE, at + 1.6)
    rtp.wait(at + 1.6)
    assert not rtp.sessions.counts
    assert abs(len(rtp.audio()) / SAMPLE_RATE - 2.0) < 0.05


def test_a_sender_can_say_only_so_much_that_belongs_to_no_call_and_others_are_heard() -> None:
    rtp = Sessions()
    data = packed(spoken()[1][0])
    for number in range(5 * MOST_UNASSIGNED):
        rtp.result += rtp.sessions.datagram(ONE, 0, data[:8] + number.to_bytes(4, "big") + data[12:], OTHER, 0.5)
    assert len(rtp.sessions._candidates) == MOST_UNASSIGNED
    assert rtp.sessions.counts["of a sender that is muted, because it flooded"] == 4 * MOST_UNASSIGNED - 1
    rtp.hear(spoken()[1], (OTHER[0], 50_002), at=0.5)
    assert len(rtp.started) == 1, "another sender of the same host is heard"


def test_a_sender_whose_call_goes_on_is_heard_whatever_else_it_sends() -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear(sending[:20])
    for _ in range(2 * MOST_UNASSIGNED):
        rtp.result += rtp.sessions.datagram(ONE, 0, b"GET / HTTP/1.1", PHONE, at)
    before = len(rtp.result)
    rtp.hear(sending[20:30], at=at)
    assert len(rtp.result) > before


def test_a_sender_cannot_begin_call_after_call() -> None:
    guard = FloodGuard(Counter())
    begun = sum(guard.may_begin(PHONE, 0.1 * i) for i in range(1000))
    assert begun == pytest.approx(CALLS_AT_ONCE + 100 * CALLS_PER_S, abs=2)
    assert guard.may_begin((PHONE[0], 40_008), 100.0), "another sender of the same host may"


def test_a_call_is_not_idle_while_nobody_listened() -> None:
    rtp = Sessions()
    at = rtp.hear(spoken()[1])
    rtp.sessions.postpone_timeouts(IDLE_S)
    rtp.wait(at + IDLE_S + 1)
    assert not rtp.ended


def test_a_call_of_two_packets_soon_makes_room() -> None:
    rtp = Sessions()
    at = rtp.hear(spoken()[1][:2])
    rtp.wait(at + YOUNG_S + 0.1)
    assert rtp.ended == ["nothing came for 2 s"]
