"""Which packets are streams, and which streams are calls."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from captured import packed
from numpy.typing import NDArray
from rtp_senders import FORMATS, packets, sent

from monitor.audio import Audio
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import STATIC, USUAL
from monitor.rtp.sound import DecodedAudio
from monitor.taps.rtp.candidate import KEPT
from monitor.taps.rtp.flood_guard import CALLS_AT_ONCE, CALLS_PER_S, MOST_UNASSIGNED, MUTE_S, FloodGuard
from monitor.taps.rtp.pairing import CallPorts
from monitor.taps.rtp.sessions import MOST_CANDIDATES, YOUNG_S, RtpSessions
from monitor.taps.rtp.stream_audio import CREDIT_RATE, CREDIT_S, FLOOD_S
from monitor.taps.tap_events import CallAudio, CallEnded, CallMoved, CallStarted, TapEvent
from monitor.types import SAMPLE_RATE

ONE = CallPorts((5004,), ("party",), ({**STATIC, **USUAL},))
TWO = CallPorts((5004, 5006), ("caller", "callee"), (FORMATS, FORMATS))
PHONE, OTHER = ("192.0.2.1", 40_000), ("192.0.2.2", 50_000)
IDLE_S = 5.0


class Sessions:
    """A rtp, what it was asked to take, and what it said."""

    def __init__(self, takes: bool = True, line: CallPorts = ONE) -> None:
        self.started: list[CallStarted] = []
        self.result: list[TapEvent] = []
        self.takes, self.line = takes, line
        self.sessions = RtpSessions(self._accept, IDLE_S)

    def _accept(self, started: CallStarted) -> bool:
        self.started.append(started)
        return self.takes

    def hear(
        self, some: Iterable[RtpPacket], source: tuple[str, int] = PHONE, party: int = 0, at: float = 0.0, ssrc: int = 1
    ) -> float:
        """Packets every 20 ms from that time on; returns the time after the last."""
        for packet in some:
            data = packed(packet._replace(ssrc=ssrc))
            self.result += self.sessions.datagram(self.line, party, data, source, at)
            self.result += self.sessions.tick(at)
            at += 0.02
        return at

    def wait(self, until: float) -> None:
        self.result += self.sessions.tick(until)

    def audio(self, channel: int = 0) -> Audio:
        """What was heard of a channel, holes and pauses as silence, from the start of its call."""
        pieces = [a for a in self.result if isinstance(a, CallAudio) and a.channel == channel]
        out = np.zeros(max((a.start + len(a.samples) for a in pieces), default=0), np.float32)
        for a in pieces:
            assert not out[a.start : a.start + len(a.samples)].any(), "no sample twice"
            out[a.start : a.start + len(a.samples)] = a.samples
        return out

    def lost(self) -> NDArray[np.bool_]:
        """Of each sample that was heard, whether it was lost."""
        return np.concatenate(
            [DecodedAudio(a.samples, a.concealed).lost for a in self.result if isinstance(a, CallAudio)]
        )

    @property
    def ended(self) -> list[str]:
        return [h.reason for h in self.result if isinstance(h, CallEnded)]


def spoken(kind: int = 0, encoder: str = "pcm_mulaw", seconds: float = 2.0) -> tuple[Audio, list[RtpPacket]]:
    return sent(kind, encoder, seconds)


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


@pytest.mark.parametrize(("kind", "encoder"), [(8, "pcm_alaw"), (9, "g722"), (96, "libopus"), (97, "pcm_s16be")])
def test_every_codec_is_heard(kind: int, encoder: str) -> None:
    rtp = Sessions(line=TWO)
    _, sending = spoken(kind, encoder)
    rtp.hear(sending)
    assert abs(len(rtp.audio()) / SAMPLE_RATE - len(sending) * 0.02) < 0.05
    assert rtp.audio().std() > 0.01


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
