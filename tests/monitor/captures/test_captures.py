"""Network captures: every link and file form, who belongs to whom, and what cannot be heard."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from capture_calls import Sent, flow, heard, only, two_way
from captured import A6, B6, BEGUN, A, B, End, answer, capture, invite, packed
from rtp_senders import sent

from monitor.captures.assemble_calls import find_calls
from monitor.captures.records import is_capture
from monitor.captures.scan import scan
from monitor.captures.sip import parse_sip
from monitor.errors import BadInputError
from monitor.rtp.packet import RtpPacket
from monitor.rtp.sdp import parse_sdp
from monitor.sources.capture_file import CaptureFile


@pytest.mark.parametrize("form", ["pcap", "pcapng", "gzip"])
@pytest.mark.parametrize("link", ["ethernet", "vlan", "cooked", "raw"])
@pytest.mark.parametrize("ends", [(A, B), (A6, B6)])
def test_every_form_holds_the_same_call(tmp_path: Path, form: str, link: str, ends: tuple[End, End]) -> None:
    path = capture(tmp_path / "call", two_way(*ends), link, form)
    assert is_capture(path)
    source = only(path)
    audio, conditions = heard(source)
    assert source.channels == (f"{ends[0][0]}:4000", f"{ends[1][0]}:5000")
    assert audio.shape[1] == pytest.approx(2.3 * 16_000, abs=400)
    assert not conditions
    assert not np.isnan(audio).any()
    assert np.abs(audio[1, : int(0.29 * 16_000)]).max() == 0
    spoken = sent(0, "pcm_mulaw")[0]
    n = 30_000
    assert max(np.corrcoef(spoken[:n], audio[0, d : d + n])[0, 1] for d in range(300)) > 0.999


def test_sip_names_the_sides_and_the_codecs(tmp_path: Path) -> None:
    opus = "96 opus/48000/2"
    talk = [*flow(B, A, 1.0, kind=96, ssrc=2), *flow(A, B, 1.1, kind=96)]
    signalling: Sent = [(0.0, A, B, invite(A, B, rtpmap=opus)), (0.5, B, A, answer(B, rtpmap=opus))]
    path = capture(tmp_path / "call.pcap", signalling + sorted(talk, key=lambda s: s[0]))
    source = only(path)
    assert source.channels == ("caller", "callee")
    assert source.name == "call.pcap (alice to bob)"
    audio, _ = heard(source)
    assert np.abs(audio[0, :1400]).max() == 0, "the caller speaks 0.1 s after the callee"
    assert np.abs(audio[0, 4000:8000]).max() > 0.1
    assert np.abs(audio[1, 4000:8000]).max() > 0.1


def test_several_calls_in_a_file(tmp_path: Path) -> None:
    third, fourth = ("192.0.2.3", 6000), ("192.0.2.4", 7000)
    path = capture(tmp_path / "calls.pcap", sorted([*two_way(), *flow(third, fourth, 1.0)], key=lambda s: s[0]))
    calls = CaptureFile(path).calls
    assert [len(c.legs) for c in calls] == [2, 1]
    assert [round(c.begun - BEGUN, 3) for c in calls] == [0.0, 1.0]


def test_lost_packets_are_lost_on_their_channel_alone(tmp_path: Path) -> None:
    gone = flow(A, B)[40:45]
    path = capture(tmp_path / "call.pcap", [s for s in two_way() if s not in gone])
    audio, _ = heard(only(path))
    lost = np.isnan(audio)
    assert lost[0].sum() == pytest.approx(5 * 320, abs=300)
    assert not lost[1].any()
    assert not np.isnan(audio[0, : 40 * 320 - 200]).any()


def test_the_party_that_calls_back_with_another_ssrc_stays_on_its_channel(tmp_path: Path) -> None:
    path = capture(tmp_path / "call.pcap", [*flow(A, B), *flow(A, B, 2.0, ssrc=99)])
    audio, _ = heard(only(path))
    assert audio.shape == (1, pytest.approx(4.0 * 16_000, abs=400))
    assert np.abs(audio[0, 40_000:60_000]).max() > 0.1


@pytest.mark.parametrize("keep", [200, 5000, 20_001])
def test_a_capture_that_is_cut_off_is_heard_as_far_as_it_goes(tmp_path: Path, keep: int) -> None:
    path = capture(tmp_path / "call.pcap", flow(A, B))
    path.write_bytes(path.read_bytes()[: keep + (keep < 5000) * 3000])
    audio, conditions = heard(only(path))
    assert 0 < audio.shape[1] < 2.0 * 16_000
    assert [c.code for c in conditions] == ["ended early"]


@pytest.mark.parametrize(
    ("datagrams_sent", "says"),
    [
        ([], "no RTP audio was found"),
        ([(i * 0.02, A, B, b"\x80nothing of interest") for i in range(50)], "no RTP audio was found"),
        (
            [(0.0, A, B, invite(A, B, proto="RTP/SAVP")), (0.1, B, A, answer(B)), *flow(B, A, 1.0)],
            r"encrypted \(SRTP\)",
        ),
        ([(0.0, A, B, invite(A, B, rtpmap="98 EVS/16000"))], "no RTP audio"),
    ],
)
def test_what_cannot_be_heard_is_named(tmp_path: Path, datagrams_sent: Sent, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        CaptureFile(capture(tmp_path / "call.pcap", datagrams_sent))


def test_audio_in_an_unknown_codec_is_named(tmp_path: Path) -> None:
    evs = "98 EVS/16000"
    talk = [(1 + i * 0.02, A, B, packed(RtpPacket(98, False, i, i * 320, 1, b"evs"))) for i in range(50)]
    path = capture(
        tmp_path / "c.pcap", [(0.0, A, B, invite(A, B, rtpmap=evs)), (0.1, B, A, answer(B, rtpmap=evs)), *talk]
    )
    with pytest.raises(BadInputError, match="the audio is EVS"):
        CaptureFile(path)


def test_what_is_no_capture(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF1234WAVE")
    assert not is_capture(tmp_path / "a.wav")
    assert not is_capture(tmp_path / "missing")
    with pytest.raises(BadInputError, match="no network capture"):
        scan(tmp_path / "a.wav")


def test_broken_captures_of_any_kind_end_in_one_of_two_ways(tmp_path: Path) -> None:
    rng = random.Random(1)
    whole = {form: capture(tmp_path / form, two_way(), form=form).read_bytes() for form in ("pcap", "pcapng", "gzip")}
    path = tmp_path / "broken"
    for _ in range(150):
        data = bytearray(whole[rng.choice(list(whole))][: rng.randrange(40, 20_000)])
        for _ in range(rng.randrange(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        with suppress(BadInputError):
            find_calls(scan(path))


def test_sip_and_sdp_take_any_text() -> None:
    rng = random.Random(2)
    seeds = [invite(A, B), answer(B), b"BYE sip:x SIP/2.0\n\n"]
    for _ in range(3000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        message = parse_sip(bytes(data))
        if message is not None:
            parse_sdp(message.body)


def test_sdp_as_an_answerer_writes_it() -> None:
    text = (
        "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\nc=IN IP4 198.51.100.1\r\nm=video 9 RTP/AVP 31\r\n"
        "m=audio 20000/2 UDP/TLS/RTP/SAVPF 111 9 0 126 98\r\nc=IN IP6 2001:db8::5\r\na=rtpmap:111 opus/48000/2\r\n"
        "a=rtpmap:126 telephone-event/8000\r\na=rtpmap:98 SILK/8000\r\n"
    )
    (media,) = parse_sdp(text)
    assert (media.address, media.port, media.encrypted, media.unknown) == ("2001:db8::5", 20000, True, ("SILK",))
    assert {kind: f.encoding for kind, f in media.formats.items()} == {
        0: "PCMU",
        9: "G722",
        111: "OPUS",
        126: "TELEPHONE-EVENT",
        98: "SILK",
    }
