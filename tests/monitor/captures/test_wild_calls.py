"""Calls as captures hold them in practice: out of order, twice, cut short, moved, encrypted, one after the other."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from capture_calls import C, D, Sent, flow, heard, in_time, only, two_way
from capture_files import ethernet, ip4, wrapped, write_pcap
from captured import A, B, End, answer, capture, invite, packed

from monitor.audio import Audio
from monitor.captures import spool
from monitor.errors import BadInputError
from monitor.rtp.packet import RtpPacket
from monitor.sources.capture_file import CaptureFile, CaptureSource

Damage = Callable[[Sent], Sent]


def swapped(sent: Sent) -> Sent:
    """Neighbours change places, times and all."""
    times = [s[0] for s in sent]
    order = [i ^ 1 if (i ^ 1) < len(sent) else i for i in range(len(sent))]
    return [(times[n], *sent[i][1:]) for n, i in enumerate(order)]


def one_after_the_other(sent: Sent) -> Sent:
    return sorted(sent, key=lambda s: (s[1] != A, s[0]))


def twice(sent: Sent) -> Sent:
    return [(at + late, *rest) for at, *rest in sent for late in (0.0, 0.0005)]


def second_half_first(sent: Sent) -> Sent:
    return sent[len(sent) // 2 :] + sent[: len(sent) // 2]


def clock_set_back(sent: Sent) -> Sent:
    """After a second the clock of the capture goes back by three."""
    return [(at - 3.0 if at > 1.0 else at, *rest) for at, *rest in sent]


def clock_set_to_standard_time(sent: Sent) -> Sent:
    return [(at - 3600.0 if at > 1.0 else at, *rest) for at, *rest in sent]


def clock_set_forward(sent: Sent) -> Sent:
    return [(at + 5000.0 if at > 1.0 else at, *rest) for at, *rest in sent]


def relayed(sent: Sent) -> Sent:
    """As a TURN server has it, padded to four bytes."""
    return [(at, a, b, struct.pack("!HH", 0x4001, len(data)) + data + bytes(-len(data) % 4)) for at, a, b, data in sent]


DAMAGES: dict[str, Damage] = {f.__name__: f for f in (swapped, one_after_the_other, twice, second_half_first)}
DAMAGES |= {f.__name__: f for f in (clock_set_back, clock_set_to_standard_time, clock_set_forward, relayed)}


def as_sent(tmp_path: Path) -> Audio:
    return heard(only(capture(tmp_path / "plain.pcap", two_way())))[0]


def alike(audio: Audio, plain: Audio) -> float:
    """Correlation, where one may be up to 20 ms late: packets of the two parties change places, too."""
    n = min(len(audio), len(plain)) - 9000
    return max(float(np.corrcoef(audio[8000 + d : 8000 + d + n], plain[8000 : 8000 + n])[0, 1]) for d in LATE)


LATE = range(-320, 321, 80)


@pytest.mark.parametrize("name", DAMAGES)
def test_what_befalls_a_capture_on_the_way_changes_nothing(tmp_path: Path, name: str) -> None:
    path = capture(tmp_path / "a.pcap", DAMAGES[name](two_way()))
    audio, conditions = heard(only(path))
    plain = as_sent(tmp_path)
    assert abs(audio.shape[1] - plain.shape[1]) <= 3200
    assert not np.isnan(audio).any()
    assert all(alike(audio[i], plain[i]) > 0.99 for i in range(2))
    assert [c.code for c in conditions] == (["clock jump"] if name.startswith("clock") else [])


def pausing(comfort_noise: bool) -> Sent:
    """A second of speech, a pause of two, a second of speech; the timestamps go on through the pause."""
    first, second = flow(A, B, 0.0, seconds=1.0), flow(A, B, 3.0, seconds=1.0)
    later = []
    for i, (at, a, b, data) in enumerate(second):
        number, stamp = struct.unpack_from("!HI", first[-1][3], 2)
        head = struct.pack("!HI", number + 2 + i & 0xFFFF, stamp + 160 + 16_000 + i * 160 & 0xFFFFFFFF)
        later.append((at, a, b, data[:2] + head + data[8:]))
    number, stamp = struct.unpack_from("!HI", first[-1][3], 2)
    noise = packed(RtpPacket(13, False, number + 1 & 0xFFFF, stamp + 160 & 0xFFFFFFFF, 1, b"\x30"))
    middle = [(1.0, A, B, noise)] if comfort_noise else []
    if not comfort_noise:
        later = [
            (at, a, b, data[:2] + struct.pack("!H", struct.unpack_from("!H", data, 2)[0] - 1 & 0xFFFF) + data[4:])
            for at, a, b, data in later
        ]
    return in_time([*first, *middle, *later, *flow(B, A, 0.0, kind=8, seconds=4.0, ssrc=2)])


@pytest.mark.parametrize("comfort_noise", [True, False])
def test_a_pause_counts_once(tmp_path: Path, comfort_noise: bool) -> None:
    audio, _ = heard(only(capture(tmp_path / "a.pcap", pausing(comfort_noise))))
    assert audio.shape[1] == pytest.approx(4.0 * 16_000, abs=500)
    assert not np.isnan(audio).any()
    loud = np.abs(audio[0])
    assert loud[1000:15_500].max() > 0.1
    assert loud[16_400:47_500].max() < 1e-3
    assert loud[48_000:49_600].max() > 0.05
    assert loud[61_000:63_500].max() > 0.05


def stopped(sent: Sent, burst: bool) -> Sent:
    """A sender whose timestamps stand still while nothing comes for 2 s; or a network that does, and catches up."""
    first, second = [s for s in sent if s[0] < 1.0], [s for s in sent if s[0] >= 1.0]
    if burst:
        return [*first, *((max(at, 3.0 + i * 0.001), *rest) for i, (at, *rest) in enumerate(second))]
    return [*first, *((at + 2.0, *rest) for at, *rest in second)]


def test_a_pause_in_which_the_timestamps_stand_still_stays_in_place(tmp_path: Path) -> None:
    talk = in_time([*stopped(flow(A, B, seconds=4.0), burst=False), *flow(B, A, 0.0, kind=8, seconds=6.0, ssrc=2)])
    audio, _ = heard(only(capture(tmp_path / "a.pcap", talk)))
    assert audio.shape[1] == pytest.approx(6.0 * 16_000, abs=500)
    assert np.abs(audio[0, 16_800:47_000]).max() < 1e-3
    assert np.abs(audio[0, 48_500:95_000]).max() > 0.1
    assert not np.isnan(audio).any()


def test_a_network_that_stood_still_and_catches_up_moves_nothing(tmp_path: Path) -> None:
    plain = heard(only(capture(tmp_path / "a.pcap", flow(A, B, seconds=4.0))))[0]
    audio = heard(only(capture(tmp_path / "b.pcap", stopped(flow(A, B, seconds=4.0), burst=True))))[0]
    assert np.array_equal(audio, plain)


def test_packets_cut_short_are_lost_audio_with_the_reason(tmp_path: Path) -> None:
    audio, conditions = heard(only(write_pcap(tmp_path / "a.pcap", wrapped("ethernet", two_way()), snap=96)))
    assert np.isnan(audio[0, 400 : 2 * 16_000 - 400]).all()
    assert np.isnan(audio[1, 5500 : int(2.3 * 16_000) - 400]).all()
    assert {(c.code, c.usable) for c in conditions} == {("not scored", False)}
    assert {c.channel for c in conditions} == {f"{A[0]}:4000", f"{B[0]}:5000"}
    assert "snap length" in conditions[0].detail
    assert "100 packets" in conditions[0].detail


def dialogue(a: End, b: End, call: str, begin: float, seconds: float = 2.0, ssrc: int = 1) -> Sent:
    """A call from INVITE to BYE."""
    bye = f"BYE sip:x SIP/2.0\r\nCall-ID: {call}\r\nFrom: <sip:alice@x>;tag=1\r\nTo: <sip:bob@y>;tag=2\r\n\r\n"
    result = [(begin, a, b, invite(a, b, call)), (begin + 0.1, b, a, answer(b, call))]
    talk = [
        *flow(a, b, begin + 0.2, seconds=seconds, ssrc=ssrc),
        *flow(b, a, begin + 0.2, seconds=seconds, ssrc=ssrc + 1),
    ]
    return in_time([*result, *talk, (begin + 0.3 + seconds, a, b, bye.encode())])


@pytest.mark.parametrize("other_ssrc", [0, 10])
def test_two_calls_on_the_same_ports_are_two_calls(tmp_path: Path, other_ssrc: int) -> None:
    later = dialogue(A, B, "c2", 5.0, ssrc=1 + other_ssrc)
    path = capture(tmp_path / "a.pcap", [*dialogue(A, B, "c1", 0.0), *later])
    found = CaptureFile(path)
    assert [call.begun - found.calls[0].begun for call in found.calls] == [0.0, pytest.approx(5.0, abs=0.3)]
    assert all(
        heard(CaptureSource(found, call))[0].shape == (2, pytest.approx(32_000, abs=500)) for call in found.calls
    )


@pytest.mark.parametrize("apart_s", [15.0, 400.0])
def test_two_calls_on_the_same_ports_without_sip(tmp_path: Path, apart_s: float) -> None:
    later = [*flow(A, B, apart_s, ssrc=7), *flow(B, A, apart_s, ssrc=8)]
    calls = CaptureFile(capture(tmp_path / "a.pcap", in_time([*two_way(), *later]))).calls
    assert [len(call.legs) for call in calls] == [2, 2]


def reinvite(own: End, call: str = "c1") -> bytes:
    """bob, who was called, moves his audio."""
    sdp = f"v=0\r\nc=IN IP4 {own[0]}\r\nm=audio {own[1]} RTP/AVP 0\r\n"
    head = (
        f"INVITE sip:alice@x SIP/2.0\r\nCall-ID: {call}\r\nFrom: <sip:bob@y>;tag=2\r\nTo: <sip:alice@x>;tag=1\r\n\r\n"
    )
    return (head + sdp).encode()


def test_a_party_that_moves_stays_on_its_channel(tmp_path: Path) -> None:
    result: Sent = [(0.0, A, B, invite(A, B)), (0.1, B, A, answer(B)), (2.2, B, A, reinvite(C))]
    talk = [*flow(A, B, 0.2), *flow(B, A, 0.2, ssrc=2), *flow(A, C, 2.3, ssrc=1), *flow(C, A, 2.3, ssrc=3)]
    source = only(capture(tmp_path / "a.pcap", in_time(result + talk)))
    audio, _ = heard(source)
    assert source.channels == ("caller", "callee")
    assert audio.shape[1] == pytest.approx(4.1 * 16_000, abs=500)
    assert all(np.abs(audio[i, at : at + 8000]).max() > 0.1 for i in range(2) for at in (4000, 50_000))


def test_early_media_and_the_answer_are_one_party(tmp_path: Path) -> None:
    ringing = answer(D).replace(b"200 OK", b"183 Session Progress").replace(b"tag=2", b"tag=9")
    result: Sent = [(0.0, A, B, invite(A, B)), (0.1, B, A, ringing), (2.2, B, A, answer(B))]
    talk = [*flow(D, A, 0.2, kind=8, ssrc=5), *flow(B, A, 2.3, ssrc=2), *flow(A, B, 2.3, ssrc=1)]
    source = only(capture(tmp_path / "a.pcap", in_time(result + talk)))
    audio, _ = heard(source)
    assert source.channels == ("caller", "callee")
    assert all(np.abs(audio[1, at : at + 8000]).max() > 0.1 for at in (4000, 50_000))


def test_of_two_that_ring_at_once_one_is_heard_and_the_other_counted(tmp_path: Path) -> None:
    forked = [
        answer(end).replace(b"200 OK", b"183 Ringing").replace(b"tag=2", f"tag={end[1]}".encode()) for end in (C, D)
    ]
    result: Sent = [(0.0, A, B, invite(A, B)), (0.1, B, A, forked[0]), (0.2, B, A, forked[1])]
    talk = [*flow(C, A, 0.3, seconds=4.0, ssrc=2), *flow(D, A, 1.0, ssrc=3), *flow(A, C, 0.3, seconds=4.0)]
    source = only(capture(tmp_path / "a.pcap", in_time(result + talk)))
    audio, conditions = heard(source)
    assert source.channels == ("caller", "callee")
    assert audio.shape[1] == pytest.approx(4.0 * 16_000, abs=500)
    assert not np.isnan(audio).any()
    (condition,) = conditions
    assert (condition.code, condition.channel) == ("not scored", "callee")
    assert 95 <= int(condition.detail.split()[0]) <= 102


def test_a_recorder_gets_both_people_from_one_party_and_hears_both(tmp_path: Path) -> None:
    """SIPREC: one INVITE with two audio lines, behind one for video that is refused."""

    def described(address: str, video: int, ports: tuple[int, int]) -> bytes:
        lines = "".join(
            f"m=audio {port} RTP/AVP {kind}\r\na=label:{port}\r\n" for port, kind in zip(ports, (0, 8), strict=True)
        )
        return f"v=0\r\nc=IN IP4 {address}\r\nm=video {video} RTP/AVP 31\r\n{lines}".encode()

    body = (
        b"--b\r\nContent-Type: application/sdp\r\n\r\n"
        + described(A[0], 4010, (4000, 4002))
        + b"\r\n--b\r\n\r\n<x/>\r\n"
    )
    head = invite(A, B).split(b"\r\n\r\n")[0] + b"\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n"
    ok = answer(B).split(b"\r\n\r\n")[0] + b"\r\n\r\n" + described(B[0], 0, (6000, 6002))
    one, other = flow(A, (B[0], 6000)), flow((A[0], 4002), (B[0], 6002), 0.3, kind=8, ssrc=2)
    source = only(capture(tmp_path / "a.pcap", [(0.0, A, B, head + body), (0.1, B, A, ok), *in_time([*one, *other])]))
    assert source.channels == ("caller", "caller-2")
    audio, conditions = heard(source)
    assert not conditions
    assert all(np.abs(row).max() > 0.1 for row in audio)


def test_audio_inside_rtsp_is_named(tmp_path: Path) -> None:
    framed = [b"$\0" + struct.pack("!H", len(data)) + data for _, _, _, data in flow(A, B)]
    at, frames = 1, []
    for i, data in enumerate([b"PLAY rtsp://x/y RTSP/1.0\r\n\r\n", *framed]):
        segment = struct.pack("!HHIIBBHHH", 4000, 554, at, 0, 0x50, 0x18, 1000, 0, 0) + data
        frames.append((i * 0.02, 1, ethernet(ip4(6, segment))))
        at += len(data)
    with pytest.raises(BadInputError, match="101 RTSP, whose audio inside TCP is not read"):
        CaptureFile(write_pcap(tmp_path / "a.pcap", frames))


def test_two_voices_in_one_flow_are_two_channels(tmp_path: Path) -> None:
    sent = in_time([*flow(A, B, 0.0, seconds=4.0, ssrc=1), *flow(A, B, 0.01, kind=8, seconds=4.0, ssrc=2)])
    audio, _ = heard(source := only(capture(tmp_path / "a.pcap", sent)))
    assert source.channels == ("192.0.2.1:4000", "192.0.2.1:4000-2")
    assert (np.abs(audio[:, 8000:60_000]).max(axis=1) > 0.1).all()


def test_key_presses_under_an_ssrc_of_their_own_are_no_party(tmp_path: Path) -> None:
    keys = [(0.5 + i * 0.02, A, B, packed(RtpPacket(101, False, i, 4000, 99, b"\x05\x0a\x00\xa0"))) for i in range(20)]
    audio, _ = heard(source := only(capture(tmp_path / "a.pcap", in_time([*two_way(), *keys]))))
    assert len(source.channels) == 2
    assert not np.isnan(audio).any()


def test_a_hole_in_the_capture_is_lost_audio_however_long(tmp_path: Path) -> None:
    whole = flow(A, B, seconds=20.0)
    audio, _ = heard(only(capture(tmp_path / "a.pcap", whole[:100] + whole[-100:])))
    assert audio.shape[1] == pytest.approx(20 * 16_000, abs=500)
    assert np.isnan(audio[0, 33_000 : 18 * 16_000 - 500]).mean() > 0.99


def test_a_long_capture_goes_to_disk_and_sounds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = as_sent(tmp_path)
    monkeypatch.setattr(spool, "IN_MEMORY", 5000)
    monkeypatch.setattr(spool, "PAGE", 700)
    monkeypatch.setattr("monitor.captures.scan.PAGE", 700)
    assert np.array_equal(as_sent(tmp_path), plain)
