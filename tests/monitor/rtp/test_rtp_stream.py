"""From packets to audio: codecs of real encoders, losses, pauses, and timestamps that lie."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import pytest
from av import AudioCodecContext
from rtp_senders import FORMATS, sent

from monitor.audio import Audio
from monitor.rtp.codecs import open_decoder
from monitor.rtp.packet import RtpPacket
from monitor.rtp.packet_loss import LONGEST_PAUSE_S
from monitor.rtp.payload import STATIC, PayloadError, PayloadFormat, duration_s
from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.sound import DecodedAudio, join

if TYPE_CHECKING:
    from av.audio import AudioStream

CASES = [  # payload type, encoder, correlation with what was sent
    (0, "pcm_mulaw", 0.999),
    (8, "pcm_alaw", 0.999),
    (9, "g722", 0.999),
    (96, "libopus", 0.95),
    (97, "pcm_s16be", 0.9999),
]


def sound_of(stream: RtpStream, arrivals: Iterable[tuple[RtpPacket, float]]) -> DecodedAudio:
    return join([*(stream.push(p, at) for p, at in arrivals), stream.finish()])


def heard(stream: RtpStream, arrivals: Iterable[tuple[RtpPacket, float]]) -> Audio:
    return sound_of(stream, arrivals).samples


def paced(some: Iterable[RtpPacket]) -> list[tuple[RtpPacket, float]]:
    return [(p, i * 0.02) for i, p in enumerate(some)]


@pytest.mark.parametrize(("kind", "encoder", "least"), CASES)
def test_what_a_real_encoder_sent_is_heard(kind: int, encoder: str, least: float) -> None:
    spoken, sending = sent(kind, encoder)
    got = heard(RtpStream(FORMATS), paced(sending))
    assert len(got) == len(sending) * 320
    assert np.isfinite(got).all()
    delays = range(400)
    n = len(got) - len(delays)
    assert max(np.corrcoef(spoken[:n], got[d : d + n])[0, 1] for d in delays) >= least


@pytest.mark.parametrize("kind", [0, 8])
def test_g711_equals_ffmpeg_for_every_byte(kind: int) -> None:
    codec = cast("AudioCodecContext", av.CodecContext.create({0: "pcm_mulaw", 8: "pcm_alaw"}[kind], "r"))
    codec.sample_rate, codec.layout = 8000, "mono"
    expected = np.concatenate([f.to_ndarray() for f in codec.decode(av.Packet(bytes(range(256))))], axis=1)[0] / 32768
    assert np.array_equal(open_decoder(STATIC[kind]).decode(bytes(range(256))), expected)


@pytest.mark.parametrize(("kind", "encoder"), [case[:2] for case in CASES])
def test_order_and_copies_change_nothing(kind: int, encoder: str) -> None:
    _, sending = sent(kind, encoder)
    shuffled = [p for i in range(0, len(sending) - 1, 2) for p in (sending[i + 1], sending[i], sending[i])]
    assert np.array_equal(heard(RtpStream(FORMATS), paced(shuffled)), heard(RtpStream(FORMATS), paced(sending)))


def test_lost_packets_are_nan_where_they_were() -> None:
    _, sending = sent(97, "pcm_s16be")
    whole = heard(RtpStream(FORMATS), paced(sending))
    gone = (30, 31, 60, *range(70, 75))
    got = sound_of(RtpStream(FORMATS), [a for i, a in enumerate(paced(sending)) if i not in gone])
    expected = np.isin(np.arange(len(whole)) // 320, gone)
    assert np.array_equal(got.lost, expected)
    assert np.array_equal(got.samples[~expected], whole[~expected])
    long = np.isin(np.arange(len(whole)) // 320, (73, 74))
    assert np.array_equal(np.isnan(got.samples), long), "of five packets the last two are beyond what is concealed"


@pytest.mark.parametrize(("kind", "encoder"), [case[:2] for case in CASES])
def test_a_lost_packet_is_concealed_and_marked_where_it_was(kind: int, encoder: str) -> None:
    _, sending = sent(kind, encoder)
    whole = heard(RtpStream(FORMATS), paced(sending))
    got = sound_of(RtpStream(FORMATS), [a for i, a in enumerate(paced(sending)) if i % 10 != 5])
    assert np.array_equal(got.lost, np.arange(len(whole)) // 320 % 10 == 5)
    assert np.isfinite(got.samples).all()
    assert got.concealed is not None
    # The state of a decoder is off after a loss, which is heard after it, too.
    assert np.corrcoef(whole[got.concealed], got.samples[got.concealed])[0, 1] > 0.7
    assert 0.7 < got.samples[got.concealed].std() / whole[got.concealed].std() < 1.2


def test_a_loss_where_the_codec_changes_is_marked() -> None:
    _, first = sent(0, "pcm_mulaw", 0.4)
    _, second = sent(9, "g722", 0.4)
    last = first[-1]
    moved = [
        RtpPacket(9, False, last.sequence + 2 + i & 0xFFFF, last.timestamp + 160 * (i + 2) & 0xFFFF_FFFF, 1, p.payload)
        for i, p in enumerate(second)
    ]
    got = sound_of(RtpStream(FORMATS), [(p, i * 0.02) for i, p in enumerate([*first, *moved])])
    assert len(got) == 41 * 320
    assert np.array_equal(np.flatnonzero(got.lost), np.arange(20 * 320, 21 * 320))


@pytest.mark.parametrize("noise", [True, False])
def test_a_pause_of_the_sender_is_silence_and_not_loss(noise: bool) -> None:
    _, sending = sent(0, "pcm_mulaw")
    before, after = sending[:40], sending[70:]
    quiet = RtpPacket(13, False, before[-1].sequence + 1 & 0xFFFF, sending[40].timestamp, 1, b"\x40")
    moved = [
        RtpPacket(0, i == 0, quiet.sequence + noise + i & 0xFFFF, p.timestamp, 1, p.payload)
        for i, p in enumerate(after)
    ]
    arrivals = paced(before) + [(quiet, 0.8)] * noise + [(p, 1.4 + 0.02 * i) for i, p in enumerate(moved)]
    got = heard(RtpStream(FORMATS), arrivals)
    assert len(got) == len(sending) * 320
    assert not np.isnan(got).any()
    assert np.abs(got[40 * 320 + 200 : 70 * 320 - 200]).max() == 0


def test_telephone_events_are_neither_audio_nor_loss() -> None:
    _, sending = sent(0, "pcm_mulaw")
    mixed = [
        RtpPacket(101, False, p.sequence, sending[30].timestamp, 1, b"\x05\x0a\x00\xa0") if 30 <= i < 36 else p
        for i, p in enumerate(sending)
    ]
    stream = RtpStream(FORMATS)
    got = heard(stream, paced(mixed))
    assert len(got) == len(sending) * 320
    assert not np.isnan(got).any()
    assert stream.bad == 0


@pytest.mark.parametrize("jump", [8000 * 3600, -8000 * 3600, 2**31 - 1])
def test_a_timestamp_that_jumps_is_not_believed(jump: int) -> None:
    _, sending = sent(0, "pcm_mulaw")
    jumped = [
        RtpPacket(0, False, p.sequence, p.timestamp + (jump if i >= 50 else 0) & 0xFFFF_FFFF, 1, p.payload)
        for i, p in enumerate(sending)
    ]
    arrivals = [(p, i * 0.02 + 0.01 * (i >= 50)) for i, p in enumerate(jumped)]
    got = sound_of(RtpStream(FORMATS), arrivals)
    assert len(got) == pytest.approx(len(sending) * 320 + 160, abs=2), "which is as late as it came"
    assert not got.lost.any(), "no packet was lost"


def test_no_packet_can_ask_for_hours_of_silence() -> None:
    _, sending = sent(0, "pcm_mulaw")
    late = RtpPacket(0, True, sending[10].sequence, sending[10].timestamp + 8000 * 7200, 1, sending[10].payload)
    got = heard(RtpStream(FORMATS), [*paced(sending[:10]), (late, 7200.0)])
    assert len(got) <= (LONGEST_PAUSE_S + 1) * 16_000


def test_a_clock_that_is_200_ppm_off_neither_loses_nor_makes_audio() -> None:
    _, sending = sent(0, "pcm_mulaw", 20.0)
    got = heard(RtpStream(FORMATS), [(p, i * 0.02 * 1.0002) for i, p in enumerate(sending)])
    assert len(got) == len(sending) * 320
    assert not np.isnan(got).any()


@pytest.mark.parametrize("kind", [0, 9, 96])
def test_timestamps_of_twice_the_rate_make_no_holes(kind: int) -> None:
    _, sending = sent(kind, {0: "pcm_mulaw", 9: "g722", 96: "libopus"}[kind])
    fast = [p._replace(timestamp=2 * p.timestamp & 0xFFFF_FFFF) for p in sending]
    right, got = heard(RtpStream(FORMATS), paced(sending)), heard(RtpStream(FORMATS), paced(fast))
    late = len(got) - len(right)
    assert late <= 6 * 320
    assert np.corrcoef(got[8000 + late :], right[8000:])[0, 1] > 0.99


def test_a_sender_that_pauses_between_all_packets_is_believed() -> None:
    _, sending = sent(0, "pcm_mulaw")
    slow = [p._replace(timestamp=2 * p.timestamp & 0xFFFF_FFFF) for p in sending]
    got = heard(RtpStream(FORMATS), [(p, i * 0.04) for i, p in enumerate(slow)])
    assert len(got) == pytest.approx(2 * len(sending) * 320, abs=320)


def test_the_codec_may_change_in_the_call() -> None:
    _, first = sent(0, "pcm_mulaw")
    _, second = sent(9, "g722")
    moved = [
        RtpPacket(
            9,
            False,
            first[-1].sequence + 1 + i & 0xFFFF,
            first[-1].timestamp + 160 * (i + 1) & 0xFFFF_FFFF,
            1,
            p.payload,
        )
        for i, p in enumerate(second)
    ]
    stream = RtpStream(FORMATS)
    got = heard(stream, paced([*first, *moved]))
    assert len(got) == pytest.approx((len(first) + len(second)) * 320, abs=2)
    assert stream.format == STATIC[9]


@pytest.mark.parametrize(("kind", "encoder"), [case[:2] for case in CASES])
def test_how_long_a_payload_is_can_be_told_without_decoding_it(kind: int, encoder: str) -> None:
    _, sending = sent(kind, encoder)
    assert {round(duration_s(FORMATS[kind], p.payload), 6) for p in sending} == {0.02}


@pytest.mark.parametrize(
    ("first", "milliseconds"),
    [
        (b"\x00", 10),
        (b"\x58", 60),
        (b"\x61", 20),
        (b"\x6a", 40),
        (b"\x82", 5),
        (b"\xfb\x03", 60),
        (b"\xfb", 0),
        (b"", 0),
    ],
)
def test_how_long_a_packet_of_opus_is(first: bytes, milliseconds: float) -> None:
    assert duration_s(FORMATS[96], first) * 1000 == pytest.approx(milliseconds)


def test_payloads_that_nothing_can_be_made_of_are_counted() -> None:
    stream = RtpStream(FORMATS)
    heard(stream, paced([RtpPacket(77, False, i, i * 160, 1, b"?") for i in range(5)]))
    assert stream.bad == 5
    with pytest.raises(PayloadError, match="no decoder for SILK"):
        open_decoder(PayloadFormat("SILK", 8000))


@pytest.mark.parametrize("kind", [0, 8, 9, 96, 97])
def test_any_payload_is_decoded_or_counted(kind: int) -> None:
    rng = np.random.default_rng(kind)
    stream = RtpStream(FORMATS)
    some = [RtpPacket(kind, False, i, i * 160, 1, rng.bytes(int(rng.integers(0, 400)))) for i in range(300)]
    got = heard(stream, paced(some))
    assert np.nanmax(np.abs(got), initial=0) <= 2.0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    ("kind", "encoder", "container"),
    [
        (0, "pcm_mulaw", "mulaw"),
        (8, "pcm_alaw", "alaw"),
        (9, "g722", "g722"),
        (97, "pcm_s16be", "s16be"),
        (96, "libopus", "ogg"),
    ],
)
def test_what_is_decoded_is_what_ffmpeg_decodes_from_the_same_packets(
    kind: int, encoder: str, container: str, tmp_path: Path
) -> None:
    _, sending = sent(kind, encoder)
    form, path = FORMATS[kind], tmp_path / "packets"
    words = ["-f", container]
    if container == "ogg":
        in_ogg([p.payload for p in sending], path)
        words += ["-c:a", "libopus"]
    else:
        path.write_bytes(b"".join(p.payload for p in sending))
        words += ["-ar", str(form.sample_rate), "-ac", "1"] if container != "g722" else []
    decoding = ["ffmpeg", "-loglevel", "error", "-nostdin", *words, "-i", str(path), "-f", "s16le", "-ac", "1", "-"]
    expected = np.frombuffer(subprocess.run(decoding, capture_output=True, check=True).stdout, "<i2") / 32768
    decoder = open_decoder(form)
    got = np.concatenate([decoder.decode(p.payload) for p in sending])
    assert len(got) == len(sending) * form.sample_rate // 50
    got = got[len(got) - len(expected) :]  # in Ogg the beginning is left out, in which the encoder starts up
    assert len(expected) > 1.9 * form.sample_rate
    # Two builds of libopus round some samples to other neighbours.
    assert np.abs(got - expected).max() * 32768 <= (1 if container == "ogg" else 0)


def in_ogg(payloads: list[bytes], path: Path) -> None:
    """Packets of Opus as a file that ffmpeg reads."""
    with av.open(path, "w", format="ogg") as file:
        stream = cast("AudioStream", file.add_stream("libopus", rate=48_000, layout="mono"))
        stream.codec_context.open()
        for number, payload in enumerate(payloads):
            packet = av.Packet(payload)
            packet.stream, packet.time_base = stream, Fraction(1, 48_000)
            packet.pts = packet.dts = number * 960
            packet.duration = 960
            file.mux(packet)
