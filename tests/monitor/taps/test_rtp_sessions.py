"""Which packets are streams, and which streams are calls."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from rtp_senders import FORMATS, packets
from rtp_sessions_log import IDLE_S, ONE, OTHER, PHONE, Sessions, spoken

from monitor.taps.rtp.pairing import CallPorts
from monitor.taps.tap_events import CallAudio, CallMoved
from monitor.types import SAMPLE_RATE

TWO = CallPorts((5004, 5006), ("caller", "callee"), (FORMATS, FORMATS))


def bye(ssrc: int = 1) -> bytes:
    return bytes([0x81, 203, 0, 1]) + ssrc.to_bytes(4, "big")


def test_a_call_is_heard_from_its_first_packet_to_its_goodbye() -> None:
    rtp = Sessions()
    whole, sending = spoken()
    rtp.hear(sending)
    assert [s.parties for s in rtp.started] == [("party",)]
    assert rtp.started[0].details["from"] == "192.0.2.1:40000"
    rtp.result += rtp.sessions.datagram(ONE, 0, bye(), ("192.0.2.1", 40_001), 2.0)
    assert rtp.ended == ["the sender said BYE"]
    heard = rtp.audio()
    assert len(heard) == len(sending) * 320
    assert max(np.corrcoef(heard[d:], whole[: len(heard) - d])[0, 1] for d in range(300)) > 0.999


def test_only_the_port_of_a_stream_or_of_its_rtcp_may_end_it() -> None:
    rtp = Sessions()
    rtp.hear(spoken()[1])
    for port in (39_999, 40_002, 50_000):
        rtp.result += rtp.sessions.datagram(ONE, 0, bye(), ("192.0.2.1", port), 2.0)
    assert rtp.ended == []
    rtp.result += rtp.sessions.datagram(ONE, 0, bye(), ("192.0.2.1", 40_000), 2.0)
    assert rtp.ended == ["the sender said BYE"]


def test_what_everybody_reads_of_a_call_does_not_name_its_ssrc() -> None:
    rtp = Sessions()
    rtp.hear(spoken()[1], ssrc=0xBADCAFE)
    (started,) = rtp.started
    assert "badcafe" not in f"{started.call} {started.name} {started.details}".lower()


def paired(line: CallPorts, *streams: tuple[int, int]) -> list[list[int]]:
    """The source ports of each call, after 0.4 s of streams (party, source port) that begin together."""
    rtp = Sessions(line=line)
    _, sending = spoken()
    for number, packet in enumerate(sending[:20]):
        for party, port in streams:
            rtp.hear([packet], (PHONE[0], port), party=party, ssrc=port * 10 + party, at=number * 0.02)
    calls = {h.call: list[int]() for h in rtp.started}
    for key, call in rtp.sessions._of.items():
        calls[call.id].append(key[0][1])
    single = [started for started in rtp.started if len(calls[started.call]) == 1]
    assert len(single) < 2 or any("alone" in started.details for started in single) or line.step
    return sorted(map(sorted, calls.values()))


def test_parties_that_send_from_one_port_are_one_call_whatever_begins_with_it() -> None:
    streams = ((0, 40_000), (1, 40_100), (0, 40_100), (1, 40_000), (1, 40_200), (0, 40_200))
    assert paired(TWO, *streams) == [[40_000, 40_000], [40_100, 40_100], [40_200, 40_200]]


def test_two_calls_that_begin_together_are_not_mixed_where_nothing_says_whose_party_is_whose() -> None:
    for streams in itertools.permutations(((0, 40_000), (1, 40_002), (0, 40_004), (1, 40_006))):
        calls = paired(TWO, *streams)
        assert [40_000, 40_006] not in calls
        assert [40_002, 40_004] not in calls
        assert [port for ports in calls for port in ports] == [40_000, 40_002, 40_004, 40_006]


def test_the_step_between_the_ports_of_a_gateway_pairs_calls_that_begin_together() -> None:
    line = replace(TWO, step=2)
    for streams in itertools.permutations(((0, 40_000), (1, 40_002), (0, 40_004), (1, 40_006))):
        assert paired(line, *streams) == [[40_000, 40_002], [40_004, 40_006]]
    assert paired(line, (0, 40_000), (1, 40_010)) == [[40_000], [40_010]]


def test_what_is_no_stream_opens_no_call() -> None:
    rtp = Sessions()
    _, sending = spoken()
    for number, packet in enumerate(sending[:50]):
        rtp.hear([packet], ssrc=number)
    rtp.hear([p._replace(payload_type=101) for p in sending[:10]], ssrc=99)
    rtp.hear([p._replace(payload_type=120) for p in sending[:10]], ssrc=98)
    rtp.result += rtp.sessions.datagram(ONE, 0, b"GET / HTTP/1.1", PHONE, 0.0)
    assert not rtp.started
    assert not rtp.result
    assert rtp.sessions.counts == {"a payload type that taps.rtp.payload_types does not name": 10, "no RTP": 1}


def test_telephone_events_of_another_ssrc_are_not_a_call() -> None:
    rtp = Sessions()
    _, sending = spoken()
    events = packets(101, [b"\x05\x0a\x00\xa0"] * 10, 160)
    for i, packet in enumerate(sending):
        at = rtp.hear([packet], at=i * 0.02)
        rtp.hear(events[i : i + 1], ssrc=77, at=at)
    assert len(rtp.started) == 1


def test_a_sender_that_changes_its_ssrc_stays_in_its_call() -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear(sending[:50])
    rtp.hear(sending[:50], at=at + 0.1, ssrc=2)
    assert len(rtp.started) == 1
    assert len({a.call for a in rtp.result if isinstance(a, CallAudio)}) == 1
    assert 2.0 <= len(rtp.audio()) / SAMPLE_RATE <= 2.2


def test_a_sender_that_changes_its_ssrc_without_a_pause_stays_in_its_call() -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear(sending[:50])
    rtp.hear(sending[50:], at=at, ssrc=2)
    assert len(rtp.started) == 1
    assert 0 <= 100 * 320 - len(rtp.audio()) < 320, "not a packet is lost, and the resampler holds some"


MOVED = ("192.0.2.1", 41_000)


@pytest.mark.parametrize("lost", [0, 10])
def test_a_sender_whose_port_changes_stays_in_its_call(lost: int) -> None:
    rtp = Sessions()
    whole, sending = spoken()
    at = rtp.hear(sending[:50])
    at = rtp.hear(sending[50 + lost :], MOVED, at=at + 0.02 * lost)
    assert [(m.channel, m.source) for m in rtp.result if isinstance(m, CallMoved)] == [(0, "192.0.2.1:41000")]
    rtp.result += rtp.sessions.datagram(ONE, 0, bye(), PHONE, at)
    assert rtp.ended == []
    rtp.result += rtp.sessions.datagram(ONE, 0, bye(), MOVED, at)
    assert rtp.ended == ["the sender said BYE"]
    assert len(rtp.started) == 1
    heard = rtp.audio()
    assert len(heard) == len(sending) * 320
    assert rtp.lost().sum() == pytest.approx(lost * 320, abs=300 if lost else 0)
    begin = 320 * (50 + lost) + 1000
    late = range(300)
    assert max(np.corrcoef(heard[begin + d :], whole[begin : len(heard) - d])[0, 1] for d in late) > 0.999


@pytest.mark.parametrize(
    ("source", "ssrc", "change"),
    [
        (("192.0.2.9", 40_000), 1, {}),
        (MOVED, 2, {}),
        (MOVED, 1, {"sequence": 30_000}),
        (MOVED, 1, {"timestamp": 400_000}),
    ],
)
def test_a_stranger_who_lacks_one_thing_is_another_call(
    source: tuple[str, int], ssrc: int, change: dict[str, int]
) -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear(sending[:50])
    wide = {"sequence": 0xFFFF, "timestamp": 0xFFFF_FFFF}
    other = [p._replace(**{k: getattr(p, k) + v & wide[k] for k, v in change.items()}) for p in sending[50:]]  # type: ignore[arg-type]
    rtp.hear(other, source, ssrc=ssrc, at=at)
    assert len(rtp.started) == 2
    assert not any(isinstance(event, CallMoved) for event in rtp.result)


def test_nobody_takes_the_place_of_a_sender_that_goes_on() -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear(sending[:50])
    for mine, stolen in zip(sending[50:80], sending[60:90], strict=True):
        rtp.hear([mine], at=at)
        at = rtp.hear([stolen], MOVED, at=at)
    assert len(rtp.started) == 2
    assert not any(isinstance(event, CallMoved) for event in rtp.result)


def test_two_senders_from_one_port_at_a_time_are_two_calls() -> None:
    rtp = Sessions()
    _, sending = spoken()
    for i, packet in enumerate(sending[:20]):
        rtp.hear([packet], at=i * 0.02)
        rtp.hear([packet], at=i * 0.02 + 0.001, ssrc=2)
    assert len(rtp.started) == 2


def test_two_ports_are_the_two_parties_of_a_call() -> None:
    rtp = Sessions(line=TWO)
    _, sending = spoken()
    for i, packet in enumerate(sending):
        rtp.hear([packet], at=i * 0.02)
        if i >= 50:
            rtp.hear([packet], (PHONE[0], 40_002), party=1, at=i * 0.02, ssrc=9)
    assert [s.parties for s in rtp.started] == [("caller", "callee")]
    assert not rtp.audio(1)[: SAMPLE_RATE - 1600].any(), "the second party begins a second later"
    assert rtp.audio(1)[SAMPLE_RATE + 640 :].any()
    rtp.result += rtp.sessions.datagram(TWO, 0, bye(), PHONE, 2.0)
    assert not rtp.ended
    rtp.result += rtp.sessions.datagram(TWO, 1, bye(9), (PHONE[0], 40_003), 2.0)
    assert rtp.ended == ["the sender said BYE"]


def test_another_host_is_another_call_even_on_the_same_two_ports() -> None:
    rtp = Sessions(line=TWO)
    _, sending = spoken()
    rtp.hear(sending[:5])
    rtp.hear(sending[:5], OTHER, party=1)
    assert len(rtp.started) == 2


@pytest.mark.parametrize("elsewhere", [OTHER, (OTHER[0], PHONE[1]), (PHONE[0], PHONE[1] + 2), (PHONE[0], PHONE[1] - 1)])
def test_a_goodbye_from_elsewhere_ends_nothing_and_is_no_reason_later(elsewhere: tuple[str, int]) -> None:
    rtp, sending = Sessions(), spoken()[1]
    rtp.hear(sending[:50])
    rtp.result += rtp.sessions.datagram(ONE, 0, bye(), elsewhere, 1.0)
    at = rtp.hear(sending[50:], at=1.0)
    assert not rtp.ended
    rtp.wait(at + IDLE_S + 0.1)
    assert rtp.ended == [f"nothing came for {IDLE_S:g} s"]


def test_what_is_lost_is_said_and_given_up_in_time() -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear([*sending[:40], *sending[45:48]])
    assert not rtp.lost().any()
    rtp.wait(at + 0.2)
    assert 5 * 320 <= rtp.lost().sum() <= 5 * 320 + 300, "five packets, and what the resampler spreads"
    concealed = sum(int(a.concealed.sum()) for a in rtp.result if isinstance(a, CallAudio) and a.concealed is not None)
    assert 2 * 320 < concealed <= 3 * 320, "60 ms of them are concealed"


def test_a_long_pause_moves_the_clock_and_is_not_heard() -> None:
    rtp = Sessions()
    _, sending = spoken()
    at = rtp.hear(sending[:50])
    later = [p._replace(timestamp=p.timestamp + 4 * 8000 & 0xFFFF_FFFF) for p in sending[50:60]]
    rtp.hear(later, at=at + 4.0)
    after = [a for a in rtp.result if isinstance(a, CallAudio)]
    assert sum(a.quiet for a in after) == 1
    assert sum(len(a.samples) for a in after) < 2.0 * SAMPLE_RATE
    assert abs(len(rtp.audio()) / SAMPLE_RATE - 5.18) < 0.05


def test_a_call_from_which_nothing_comes_ends() -> None:
    rtp = Sessions()
    at = rtp.hear(spoken()[1])
    rtp.wait(at + IDLE_S - 0.1)
    assert not rtp.ended
    rtp.wait(at + IDLE_S + 0.1)
    assert rtp.ended == ["nothing came for 5 s"]
    rtp.hear(spoken()[1], at=at + 10)
    assert len(rtp.started) == 2, "it may call again"


def test_a_call_that_is_not_taken_is_asked_about_once_in_a_while() -> None:
    rtp = Sessions(takes=False)
    _, sending = spoken()
    at = rtp.hear(sending)
    assert len(rtp.started) == 1
    assert not rtp.result
    assert rtp.sessions.counts["of a refused call"] == len(sending) - 2
    rtp.hear(sending, at=at + IDLE_S)
    assert len(rtp.started) == 2


def test_the_first_packets_of_a_call_are_heard_though_all_of_them_were_overtaken() -> None:
    rtp = Sessions()
    whole, sending = spoken()
    rtp.hear([sending[i] for i in (3, 1, 5, 2, 0, 4)] + sending[6:])
    rtp.wait(60.0)
    assert abs(len(rtp.audio()) - len(sending) * 320) <= 1
    assert np.corrcoef(whole[: len(rtp.audio())], rtp.audio())[0, 1] > 0.99


@pytest.mark.parametrize(("kind", "encoder"), [(8, "pcm_alaw"), (9, "g722"), (96, "libopus"), (97, "pcm_s16be")])
def test_every_codec_is_heard(kind: int, encoder: str) -> None:
    rtp = Sessions(line=TWO)
    _, sending = spoken(kind, encoder)
    rtp.hear(sending)
    assert abs(len(rtp.audio()) / SAMPLE_RATE - len(sending) * 0.02) < 0.05
    assert rtp.audio().std() > 0.01
