"""What of a capture is not scored is named, with what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from capture_calls import C, D, Sent, flow, heard, in_time, only, two_way
from capture_files import wrapped, write_pcap
from captured import A, B, answer, capture, invite, packed

from monitor.errors import BadInputError
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import PayloadFormat
from monitor.sources.capture_file import CaptureFile


def test_a_party_in_a_codec_without_decoder_is_unknown_and_named(tmp_path: Path) -> None:
    lines = "98 EVS/16000"
    result: Sent = [(0.0, A, B, invite(A, B, rtpmap=lines)), (0.1, B, A, answer(B))]
    evs = [(0.2 + i * 0.02, B, A, packed(RtpPacket(98, False, i, i * 320, 7, bytes(33)))) for i in range(100)]
    audio, conditions = heard(source := only(capture(tmp_path / "a.pcap", in_time([*result, *flow(A, B, 0.2), *evs]))))
    assert source.channels == ("caller", "callee")
    assert not np.isnan(audio[0]).any()
    assert np.isnan(audio[1, : 2 * 16_000 - 800]).all()
    (condition,) = conditions
    assert (condition.channel, condition.usable) == ("callee", False)
    assert condition.detail.startswith("evs not scored: there is no decoder: 100 packets")


@pytest.mark.parametrize("option", ["crc", "robust-sorting", "interleaving"])
def test_options_of_a_codec_that_are_not_decoded_are_named(tmp_path: Path, option: str) -> None:
    described = f"a=fmtp:98 octet-align=1; {option}=1\r\n".encode()
    result: Sent = [(0.0, A, B, invite(A, B, rtpmap="98 AMR/8000") + described), (0.1, B, A, answer(B))]
    amr = [(0.2 + i * 0.02, B, A, packed(RtpPacket(98, False, i, i * 160, 7, bytes(33)))) for i in range(100)]
    audio, (condition,) = heard(only(capture(tmp_path / "a.pcap", in_time([*result, *flow(A, B, 0.2), *amr]))))
    assert not np.isnan(audio[0]).any()
    assert np.isnan(audio[1, : 2 * 16_000 - 800]).all()
    assert (condition.channel, condition.usable) == ("callee", False)
    assert condition.detail == f"amr not scored: {option} is not decoded: 100 packets"


def test_payloads_that_are_not_what_they_are_said_to_be_are_named(tmp_path: Path) -> None:
    result: Sent = [(0.0, A, B, invite(A, B, rtpmap="98 AMR/8000")), (0.1, B, A, answer(B))]
    amr = [(0.2 + i * 0.02, B, A, packed(RtpPacket(98, False, i, i * 160, 7, b"\xff" * 7))) for i in range(100)]
    audio, (condition,) = heard(only(capture(tmp_path / "a.pcap", in_time([*result, *flow(A, B, 0.2), *amr]))))
    assert np.isnan(audio[1, : 2 * 16_000 - 800]).all()
    assert (condition.code, condition.channel) == ("not scored", "callee")
    assert condition.detail == "100 payloads that are no AMR/8000"


def g729(good: bool) -> Sent:
    """Frames of random bits, of which the bit of parity is right or random, too."""
    rng, sent = np.random.default_rng(1), Sent()
    for i in range(100):
        payload = b""
        for _ in range(2):
            word = int.from_bytes(rng.bytes(10))
            if good:
                parity = 1 - (word >> 56 & 0x3F).bit_count() % 2
                word = word & ~(1 << 53) | parity << 53
            payload += word.to_bytes(10)
        sent.append((0.2 + i * 0.02, A, B, packed(RtpPacket(18, False, i, i * 160, 9, payload))))
    return sent


@pytest.mark.parametrize("good", [True, False])
def test_payloads_that_cannot_be_the_codec_they_are_said_to_be_are_not_scored(tmp_path: Path, good: bool) -> None:
    path = capture(tmp_path / "a.pcap", in_time([*g729(good), *flow(B, A, 0.2, ssrc=2)]))
    audio, conditions = heard(only(path))
    assert np.isnan(audio[0, : 2 * 16_000 - 800]).all() == (not good)
    assert not np.isnan(audio[1]).any()
    assert [c.usable for c in conditions] == [False] * (not good)
    assert good or "g729 not scored: the parity is wrong in" in conditions[0].detail


def opus(kind: int) -> Sent:
    return [(at, a, b, data[:1] + bytes([kind]) + data[2:]) for at, a, b, data in flow(A, B, kind=96)]


def test_opus_is_known_by_its_look(tmp_path: Path) -> None:
    audio, _ = heard(only(capture(tmp_path / "a.pcap", opus(111))))
    assert audio.shape == (1, pytest.approx(32_000, abs=700))
    assert np.abs(audio).max() > 0.1


def test_payload_types_that_nothing_describes_are_named_with_what_to_do(tmp_path: Path) -> None:
    talk = [(i * 0.02, A, B, packed(RtpPacket(97, False, i, i * 160, 1, bytes([i]) * 33))) for i in range(100)]
    path = capture(tmp_path / "a.pcap", talk)
    with pytest.raises(BadInputError) as caught:
        CaptureFile(path)
    assert "payload type 97 (33 bytes, 160 units of the clock apart), 192.0.2.1:4000 to" in caught.value.message
    assert 'taps.rtp.payload_types = { 97 = "opus/48000/2" }' in caught.value.hint
    assert len(CaptureFile(path, {97: PayloadFormat("GSM", 8000)}).calls) == 1


def test_what_is_left_out_beside_calls_is_named(tmp_path: Path) -> None:
    unassigned = [(i * 0.02, C, D, packed(RtpPacket(97, False, i, i * 160, 1, bytes(33)))) for i in range(50)]
    (line,) = CaptureFile(capture(tmp_path / "a.pcap", in_time([*two_way(), *unassigned]))).left_out
    assert line.startswith(
        "payload type 97 (33 bytes, 160 units of the clock apart), 198.51.100.7:7000 to 198.51.100.9:9000"
    )


def test_where_nothing_is_found_all_packets_are_named(tmp_path: Path) -> None:
    stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
    sent: Sent = [(0.0, A, B, stun), (0.1, A, B, b"\x00hello"), (0.2, A, ("192.0.2.9", 53), bytes(20))]
    with pytest.raises(BadInputError, match="no RTP audio was found; seen: ") as caught:
        CaptureFile(write_pcap(tmp_path / "a.pcap", wrapped("vxlan", sent)))
    assert all(words in caught.value.message for words in ("3 in VXLAN", "1 STUN", "1 DNS", "1 other UDP"))
