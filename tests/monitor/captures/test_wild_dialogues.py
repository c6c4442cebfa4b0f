"""Calls whose signalling and streams do odd things: music from elsewhere, new meanings, NAT, relays, repair streams."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from capture_calls import Sent, flow, heard, only, two_way
from captured import A, B, End, answer, capture, invite, packed
from rtp_senders import sent

from monitor.audio import Audio
from monitor.captures.sip import parse_sip
from monitor.rtp.packet import RtpPacket
from monitor.sources.capture_file import CaptureFile, CaptureSource

MUSIC, INSIDE_A, INSIDE_B = ("198.51.100.50", 8000), ("10.0.0.5", 4000), ("10.9.0.7", 5000)
PUBLIC = ("203.0.113.5", 6000)
BYE = b"BYE sip:x SIP/2.0\r\nCall-ID: c1\r\nFrom: <sip:alice@x>;tag=1\r\nTo: <sip:bob@y>;tag=2\r\n\r\n"


def in_time(*some: Sent) -> Sent:
    return sorted([item for sent in some for item in sent], key=lambda item: item[0])


def dialled(a: End = A, b: End = B, rtpmap: str = "0 PCMU/8000") -> Sent:
    return [(0.0, A, B, invite(a, b, rtpmap=rtpmap)), (0.1, B, A, answer(b, rtpmap=rtpmap))]


def again(message: bytes, at: float, source: End, target: End) -> tuple[float, End, End, bytes]:
    """A message within the dialogue."""
    return at, source, target, message.replace(b"To: <sip:bob@y>\r\n", b"To: <sip:bob@y>;tag=2\r\n")


def later(stream: Sent, seconds: float, clock: int = 8000) -> Sent:
    """The same stream as it goes on after a pause: the next numbers, timestamps of so many seconds later."""
    out = []
    for at, a, b, data in stream:
        number, stamp = struct.unpack_from("!HI", data, 2)
        head = struct.pack("!HI", number + len(stream) & 0xFFFF, stamp + round(seconds * clock) & 0xFFFFFFFF)
        out.append((at + seconds, a, b, data[:2] + head + data[8:]))
    return out


def loud(row: Audio, begin_s: float, end_s: float) -> bool:
    return bool(np.abs(row[round(begin_s * 16_000) : round(end_s * 16_000)]).max() > 0.1)


CANCEL = (
    b"CANCEL sip:bob@z SIP/2.0\r\nCall-ID: c1\r\nFrom: <sip:alice@x>;tag=1\r\nTo: <sip:bob@y>\r\nCSeq: 1 CANCEL\r\n\r\n"
)


@pytest.mark.parametrize("ending", [CANCEL, BYE], ids=["cancel", "bye"])
def test_the_end_of_another_branch_ends_no_stream_that_goes_on(tmp_path: Path, ending: bytes) -> None:
    """A proxy cancels the phones that were slower, in the name of the same call; a BYE may be refused."""
    other: Sent = [(0.3, B, MUSIC, ending)]
    talk = [flow(A, B, 0.2, seconds=9.0), flow(B, A, 0.2, kind=8, seconds=9.0, ssrc=2)]
    audio, _ = heard(source := only(capture(tmp_path / "a.pcap", in_time(dialled(), other, *talk))))
    assert source.channels == ("caller", "callee")
    assert audio.shape[1] == pytest.approx(9.0 * 16_000, abs=500)


def test_line_ends_before_a_message_are_none_of_it(tmp_path: Path) -> None:
    led = [(at, a, b, b"\r\n\r\n" + data) for at, a, b, data in dialled(rtpmap="96 opus/48000/2")]
    source = only(capture(tmp_path / "a.pcap", in_time(led, flow(A, B, 0.2, kind=96))))
    assert source.channels == ("caller",)


def test_a_codec_that_begins_late_is_known_by_its_look(tmp_path: Path) -> None:
    """Without SIP, when the sender changes from G.711 to Opus after five seconds."""
    first = flow(A, B, seconds=5.0)
    number, stamp = struct.unpack_from("!HI", first[-1][3], 2)
    second = []
    for i, (at, a, b, data) in enumerate(flow(A, B, 5.0, kind=96)):
        head = struct.pack("!HI", number + 1 + i & 0xFFFF, stamp + 160 + i * 960 & 0xFFFFFFFF)
        second.append((at, a, b, data[:1] + bytes([111]) + head + data[8:]))
    audio, conditions = heard(only(capture(tmp_path / "a.pcap", [*first, *second])))
    assert audio.shape[1] == pytest.approx(7.0 * 16_000, abs=500)
    assert not np.isnan(audio).any()
    assert not conditions


def test_music_from_elsewhere_is_heard_in_the_pause_of_the_party_on_hold(tmp_path: Path) -> None:
    stream = flow(B, A, 0.2, ssrc=2)
    hold = [again(answer(MUSIC), 2.3, B, A), again(answer(B), 6.1, B, A)]
    talk = in_time(dialled(), flow(A, B, 0.2, seconds=8.0), stream, flow(MUSIC, A, 3.2, kind=8, ssrc=9), hold)
    audio, _ = heard(source := only(capture(tmp_path / "a.pcap", in_time(talk, later(stream, 6.0)))))
    assert source.channels == ("caller", "callee")
    assert audio.shape[1] == pytest.approx(8.0 * 16_000, abs=500)
    spoken = [(0.2, 1.8), (3.2, 4.8), (6.2, 7.8)]
    assert all(loud(audio[1], *when) for when in spoken)
    assert not any(loud(audio[1], *when) for when in [(2.1, 2.9), (5.1, 5.9)])
    assert not np.isnan(audio).any()


def test_a_payload_type_means_what_was_agreed_at_that_time(tmp_path: Path) -> None:
    first = [(0.2 + at, *rest[:2], _as(96, rest[2])) for at, *rest in flow(A, B)]
    second = [(at, a, b, _as(96, data)) for at, a, b, data in later(flow(A, B, 0.2, kind=8), 3.0)]
    changed = [
        again(invite(A, B, rtpmap="96 PCMA/8000"), 3.0, A, B),
        again(answer(B, rtpmap="96 PCMA/8000"), 3.1, B, A),
    ]
    result = dialled(rtpmap="96 PCMU/8000")
    audio, _ = heard(only(capture(tmp_path / "a.pcap", in_time(result, first, changed, second))))
    plain = heard(only(capture(tmp_path / "b.pcap", flow(A, B))))[0][0]
    for begin in (0, 48_000):
        piece = audio[0, begin + 1000 : begin + 30_000]
        assert np.corrcoef(piece, plain[1000:30_000])[0, 1] > 0.99


def _as(kind: int, data: bytes) -> bytes:
    return data[:1] + bytes([kind]) + data[2:]


def test_a_call_id_that_is_used_again_is_another_call(tmp_path: Path) -> None:
    more = [(at + 5.0, a, b, data.replace(b"tag=1", b"tag=7")) for at, a, b, data in dialled()]
    talk = in_time(flow(A, B, 0.2), flow(B, A, 0.2, ssrc=2), [(2.3, A, B, BYE)], flow(A, B, 5.2), flow(B, A, 5.2))
    found = CaptureFile(capture(tmp_path / "a.pcap", in_time(dialled(), more, talk)))
    assert [call.parties for call in found.calls] == [("alice", "bob")] * 2
    assert [heard(CaptureSource(found, call))[0].shape[1] // 1000 for call in found.calls] == [32, 32]


@pytest.mark.parametrize("sender", [b'"sip:eve@z \\" x" <sip:alice@x>;tag=1', b"\r\n  A <sip:alice@x>\r\n\t;tag=1"])
def test_names_are_those_of_the_addresses(sender: bytes) -> None:
    message = parse_sip(invite(A, B).replace(b"<sip:alice@x>;tag=1", sender))
    assert message is not None
    assert (message.caller, message.callee, message.from_tag) == ("alice", "bob", "1")


def test_descriptions_from_behind_nat_are_those_of_the_ends_that_are_seen(tmp_path: Path) -> None:
    talk = in_time(dialled(INSIDE_A, INSIDE_B), flow(A, B, 0.2), flow(B, A, 0.2, ssrc=2))
    (call,) = CaptureFile(capture(tmp_path / "a.pcap", talk)).calls
    assert (call.parties, [leg.name for leg in call.legs]) == (("alice", "bob"), ["caller", "callee"])


def test_a_payload_type_described_anywhere_is_known_where_ports_differ(tmp_path: Path) -> None:
    result = dialled(("10.0.0.5", 3998), ("10.9.0.7", 4998), rtpmap="96 PCMU/8000")
    talk = [(at, a, b, _as(96, data)) for at, a, b, data in flow(A, B, 0.2)]
    audio, conditions = heard(only(capture(tmp_path / "a.pcap", in_time(result, talk))))
    assert not conditions
    assert loud(audio[0], 0.1, 1.8)


def test_another_stream_under_a_payload_type_that_is_described_is_not_taken_for_it(tmp_path: Path) -> None:
    said = dialled(rtpmap="96 PCMU/8000")
    talk = [(at, a, b, _as(96, data)) for at, a, b, data in flow(A, B, 0.2)]
    video = [(i / 50, INSIDE_A, INSIDE_B, packed(RtpPacket(96, False, i, i * 1800, 9, bytes(900)))) for i in range(90)]
    found = CaptureFile(capture(tmp_path / "a.pcap", in_time(said, talk, video)))
    assert [len(call.legs) for call in found.calls] == [1]
    assert "nothing says what it is" in found.left_out[0]


@pytest.mark.parametrize("way", ["nat", "relay"])
def test_a_call_seen_on_both_sides_of_a_relay_is_one_call(tmp_path: Path, way: str) -> None:
    other = PUBLIC if way == "nat" else ("203.0.113.5", 6002)
    ends = {A: (A, B), B: (B, A)} if way == "nat" else {A: (A, PUBLIC), B: (PUBLIC, A)}
    behind = {A: (other, B), B: (B, other)}
    talk = [(at, *ends[a], data) for at, a, _, data in two_way()]
    talk += [(at + 0.0005, *behind[a], data) for at, a, _, data in two_way()]
    found = CaptureFile(capture(tmp_path / "a.pcap", in_time(talk)))
    assert [len(call.legs) for call in found.calls] == [2]
    assert found.left_out == [
        f"192.0.2.2:5000 and {other[0]}:{other[1]}: 200 packets of another call, seen at another place"
    ] or found.left_out == [
        f"{other[0]}:{other[1]} and 192.0.2.2:5000: 200 packets of another call, seen at another place"
    ]


def test_new_streams_of_both_sides_after_a_pause_are_another_call(tmp_path: Path) -> None:
    talk = in_time(two_way(), flow(A, B, 6.0, ssrc=7), flow(B, A, 6.0, ssrc=8))
    calls = CaptureFile(capture(tmp_path / "a.pcap", talk)).calls
    assert [len(call.legs) for call in calls] == [2, 2]


@pytest.mark.parametrize("name", ["rtx", "ulpfec", "flexfec-03"])
def test_streams_that_repair_others_are_no_party(tmp_path: Path, name: str) -> None:
    repair = [
        (0.2 + i * 0.1, A, B, packed(RtpPacket(97, False, i, 4000 + i * 800, 55, bytes(range(40))))) for i in range(35)
    ]
    result = [
        (at, a, b, data.replace(b"RTP/AVP 0\r\n", b"RTP/AVP 0 97\r\n") + f"a=rtpmap:97 {name}/8000\r\n".encode())
        for at, a, b, data in dialled()
    ]
    source = only(capture(tmp_path / "a.pcap", in_time(result, flow(A, B, 0.2, seconds=4.0), repair)))
    assert source.channels == ("caller",)


def test_a_path_that_ice_chose_is_that_of_its_description(tmp_path: Path) -> None:
    first, second = ("10.0.0.1", 9), ("10.0.0.2", 9)
    offer = invite(first, B) + b"a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\n"
    taken = answer(second) + b"a=candidate:1 1 UDP 2130706431 192.0.2.2 5000 typ host\r\n"
    proxies = ("192.0.2.100", 5060), ("192.0.2.101", 5060)
    sip = [(-0.2, *proxies, offer), (-0.1, *proxies[::-1], taken)]
    source = only(capture(tmp_path / "a.pcap", in_time(sip, two_way())))
    assert source.channels == ("caller", "callee")


def test_g722_with_timestamps_of_16_khz_has_no_holes(tmp_path: Path) -> None:
    spoken, packets = sent(9, "g722")
    wrong = [
        (i * 0.02, A, B, packed(RtpPacket(9, False, i, i * 320, 1, packet.payload))) for i, packet in enumerate(packets)
    ]
    audio, _ = heard(only(capture(tmp_path / "a.pcap", wrong)))
    assert audio.shape[1] == pytest.approx(2.0 * 16_000, abs=2000)
    late = audio.shape[1] - 32_000
    assert np.corrcoef(audio[0, 8000 + late : 30_000 + late], spoken[8000 - 22 : 30_000 - 22])[0, 1] > 0.9
