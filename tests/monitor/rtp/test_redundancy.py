"""RED, losses, and payloads that are none of their codec."""

from __future__ import annotations

import numpy as np
import pytest
from codec_files import encoded, heard

from monitor.rtp.codecs import open_decoder
from monitor.rtp.framing import speex_frames
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import STATIC, PayloadFormat, duration_s, read_format
from monitor.rtp.sdp import parse_sdp

RED = {63: PayloadFormat("RED", 48_000, 2, "111/111"), 111: PayloadFormat("OPUS", 48_000, 2)}


def redundant(payloads: list[bytes], behind: int = 1) -> list[RtpPacket]:
    """Each packet carries the payload before it, too (RFC 2198)."""
    out = []
    for i, payload in enumerate(payloads):
        old = payloads[i - behind] if i >= behind else b""
        head = (0x80 | 111) << 24 | 960 * behind << 10 | len(old)
        body = head.to_bytes(4) + bytes([111]) + old + payload if old else bytes([111]) + payload
        out.append(RtpPacket(63, False, i, i * 960, 5, body))
    return out


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "L16"])
@pytest.mark.parametrize("channels", [2, 4])
def test_channels_that_are_interleaved_are_as_long_as_one(encoding: str, channels: int) -> None:
    (media,) = parse_sdp(f"m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 {encoding}/8000/{channels}\r\n")
    form = media.formats[96]
    width = 2 if encoding == "L16" else 1
    mono = bytes(range(160 * width)) if encoding != "L16" else bytes(i % 251 for i in range(320))
    pieces = [mono[i : i + width] * channels for i in range(0, len(mono), width)]
    alone = open_decoder(PayloadFormat(encoding, 8000)).decode(mono)
    assert np.allclose(open_decoder(form).decode(b"".join(pieces)), alone, atol=1e-4)
    assert duration_s(form, b"".join(pieces)) == pytest.approx(0.02)


def test_payloads_that_are_no_speex() -> None:
    assert speex_frames(b"") == 0
    assert speex_frames(bytes([0x78])) == 0, "the end alone"
    assert speex_frames(bytes([0x28]) + bytes(5)) == 0, "mode 5 needs 300 bits"
    assert speex_frames(bytes([0x48, 0, 0])) == 0, "no mode 9"
    assert speex_frames(bytes([0x00])) == 1, "silence"
    assert speex_frames(bytes.fromhex("70 00 00")) >= 1, "a request before a frame"


@pytest.mark.parametrize("behind", [1, 2])
def test_redundancy_fills_what_was_lost(behind: int) -> None:
    payloads = encoded("libopus", 48_000, 960)
    packets = redundant(payloads, behind)
    whole, _ = heard(packets, RED)
    dropped, _ = heard([p for p in packets if p.sequence not in (20, 45, 46 if behind > 1 else 45)], RED)
    assert not np.isnan(whole).any()
    assert not np.isnan(dropped).any()
    assert np.array_equal(whole, dropped)
    plain, _ = heard([RtpPacket(111, False, p.sequence, p.timestamp, 5, payloads[p.sequence]) for p in packets], RED)
    assert np.array_equal(whole, plain)


def test_without_redundancy_it_is_lost() -> None:
    packets = redundant(encoded("libopus", 48_000, 960))
    dropped, _ = heard([p for p in packets if p.sequence not in (20, 21)], RED)
    assert np.isnan(dropped).sum() == pytest.approx(320, abs=40)


def test_packets_of_a_codec_without_decoder_are_lost_audio_and_named() -> None:
    formats = {0: STATIC[0], 98: PayloadFormat("EVS", 16_000)}
    packets = [RtpPacket(0 if not 30 <= i < 60 else 98, False, i, i * 160, 5, bytes(160)) for i in range(100)]
    samples, stream = heard(packets, formats)
    assert stream.unscored == {"EVS/16000": 30}
    lost = np.isnan(samples)
    assert lost.sum() == pytest.approx(30 * 320, abs=640)
    assert not lost[: 29 * 320].any()
    assert len(samples) == pytest.approx(32_000, abs=640)


@pytest.mark.parametrize("name", ["G729a", "g729AB", "G729"])
def test_names_that_phones_give_to_encodings(name: str) -> None:
    (media,) = parse_sdp(f"v=0\nm=audio 4000 RTP/AVP 18\na=rtpmap:18 {name}/8000\n")
    assert media.formats[18] == read_format(f"{name}/8000") == STATIC[18]


def test_payloads_that_are_none_of_their_codec_are_lost_audio_and_named() -> None:
    opus = encoded("libopus", 48_000, 960)
    packets = [RtpPacket(96, False, i, i * 160, 5, payload) for i, payload in enumerate(opus)]
    formats = {96: PayloadFormat("GSM", 8000), 97: PayloadFormat("AMR", 8000)}
    for kind, name in ((96, "GSM/8000"), (97, "AMR/8000")):
        some = [packet._replace(payload_type=kind) for packet in packets]
        samples, stream = heard(some, formats)
        assert np.isnan(samples).mean() > 0.9
        assert set(stream.unscored) == {f"payloads that are no {name}"}
        assert stream.unscored.total() > 80


def test_packets_that_are_cut_short_are_lost_audio() -> None:
    packets = [RtpPacket(0, False, i, i * 160, 5, bytes(60), missing=100) for i in range(50)]
    samples, stream = heard(packets, STATIC)
    assert np.isnan(samples).mean() > 0.99
    assert len(samples) == pytest.approx(16_000, abs=640)
    assert stream.unscored == {"packets that were cut short": 50}


def test_a_key_press_of_a_payload_type_that_nobody_described_is_a_pause() -> None:
    event = [RtpPacket(121, False, 50 + i, 8000, 5, b"\x05\x0a\x00\xa0") for i in range(5)]
    talk = [RtpPacket(0, False, i if i < 50 else i + 5, i * 160, 5, bytes(160)) for i in range(100)]
    samples, stream = heard([*talk[:50], *event, *talk[50:]], STATIC)
    assert not np.isnan(samples).any()
    assert not stream.unscored
