"""Every codec from a real encoder, where one is installed, to samples; and what payloads look like on the wire."""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av import AudioFrame, CodecContext
from rtp_senders import voice

from monitor.audio import Audio
from monitor.rtp.amr import amr_frames
from monitor.rtp.codecs import DECODERS, is_supported, open_decoder
from monitor.rtp.framing import g723_frames, g729_frames, ilbc_frame_bytes, speex_frames
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import G726, STATIC, PayloadError, PayloadFormat, duration_s, read_format
from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.sdp import parse_sdp

SECONDS = 2.0


def encoded(
    codec: str, rate: int, frame: int, options: Mapping[str, str] | None = None, channels: int = 1
) -> list[bytes]:
    """The voice through an encoder of FFmpeg, a packet for each frame."""
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no encoder {codec}")
    context = CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = rate, "mono" if channels == 1 else "stereo", "s16"
    context.time_base, context.options = Fraction(1, rate), dict(options or {})
    whole = (voice(rate, SECONDS) * 32767).astype(np.int16)
    out: list[bytes] = []
    for i in range(0, len(whole) - frame + 1, frame):
        piece = np.repeat(whole[i : i + frame], channels)[None]
        made = AudioFrame.from_ndarray(piece, format="s16", layout=context.layout.name)
        made.sample_rate, made.pts = rate, i
        out += [bytes(p) for p in context.encode(made)]
    return out + [bytes(p) for p in context.encode(None)]


def stored(tmp_path: Path, words: list[str], name: str, rate: int) -> list[bytes]:
    """The voice through the ffmpeg program, whose packets are read back from a file."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    source, path = tmp_path / "voice.s16", tmp_path / name
    source.write_bytes((voice(rate, SECONDS) * 32767).astype("<i2").tobytes())
    given = ["-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", str(source)]
    command = ["ffmpeg", "-v", "error", "-y", *given, *words, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"ffmpeg cannot: {done.stderr.strip().splitlines()[-1]}")
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def g729(_: Path, *, annex_b: bool = False) -> list[bytes]:
    found = ctypes.util.find_library("bcg729")
    if found is None:
        pytest.skip("libbcg729 is not installed")
    library = ctypes.CDLL(found)
    library.initBcg729EncoderChannel.restype = ctypes.c_void_p
    library.bcg729Encoder.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    encoder, out = library.initBcg729EncoderChannel(ctypes.c_uint8(annex_b)), list[bytes]()
    samples = (voice(8000, SECONDS) * 32767).astype(np.int16)
    if annex_b:
        samples[8000:] = np.random.default_rng(1).integers(-3, 3, 8000)
    for at in range(0, len(samples), 80):
        frame, size = (ctypes.c_uint8 * 10)(), ctypes.c_uint8()
        library.bcg729Encoder(
            encoder, np.ascontiguousarray(samples[at : at + 80]).ctypes.data, frame, ctypes.byref(size)
        )
        out.append(bytes(frame)[: size.value])
    return out


def ilbc(milliseconds: int) -> list[bytes]:
    """Frames of libilbc 2."""
    found = ctypes.util.find_library("ilbc")
    if found is None:
        pytest.skip("libilbc is not installed")
    library, encoder, out = ctypes.CDLL(found), ctypes.c_void_p(), list[bytes]()
    library.WebRtcIlbcfix_EncoderCreate(ctypes.byref(encoder))
    library.WebRtcIlbcfix_EncoderInit(encoder, ctypes.c_int16(milliseconds))
    size, samples = 8 * milliseconds, (voice(8000, SECONDS) * 32767).astype(np.int16)
    for at in range(0, len(samples) - size + 1, size):
        piece, frame = np.ascontiguousarray(samples[at : at + size]), (ctypes.c_uint8 * 64)()
        pointer = piece.ctypes.data_as(ctypes.c_void_p)
        length = library.WebRtcIlbcfix_Encode(encoder, pointer, ctypes.c_int16(size), frame)
        out.append(bytes(frame)[:length])
    return out


def amr_wb(_: Path) -> list[bytes]:
    """Frames as in files."""
    found = ctypes.util.find_library("vo-amrwbenc")
    if found is None:
        pytest.skip("libvo-amrwbenc is not installed")
    library = ctypes.CDLL(found)
    library.E_IF_init.restype = ctypes.c_void_p
    library.E_IF_encode.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    encoder, out = library.E_IF_init(), list[bytes]()
    samples = (voice(16_000, SECONDS) * 32767).astype(np.int16)
    for at in range(0, len(samples), 320):
        frame = (ctypes.c_uint8 * 64)()
        size = library.E_IF_encode(encoder, 8, np.ascontiguousarray(samples[at : at + 320]).ctypes.data, frame, 0)
        out.append(bytes(frame)[:size])
    return out


def length_and_correlation(form: PayloadFormat, payloads: list[bytes]) -> tuple[float, float]:
    """Seconds that came out, and how alike they are to the voice."""
    decoder = open_decoder(form)
    samples = np.concatenate([decoder.decode(payload) for payload in payloads])
    spoken = voice(form.sample_rate, SECONDS)
    return len(samples) / form.sample_rate, alike(samples, spoken, form.sample_rate)


def alike(samples: Audio, spoken: Audio, rate: int) -> float:
    """The highest correlation of the spectrograms at a delay of up to 60 ms: codecs of speech keep no waveform."""
    n = min(len(samples), len(spoken)) - rate // 10
    plain = spectrogram(spoken[:n], rate)
    delays = range(0, rate * 60 // 1000, rate // 400)
    return max(float(np.corrcoef(spectrogram(samples[d : d + n], rate), plain)[0, 1]) for d in delays)


def spectrogram(samples: Audio, rate: int) -> Audio:
    """Magnitudes up to 3.4 kHz of windows of 32 ms, one after the other."""
    size = rate * 32 // 1000
    windows = samples[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
    return np.abs(np.fft.rfft(windows, axis=1))[:, : 3400 * size // rate].ravel()


def ffmpeg_amr(_: Path) -> list[bytes]:
    return encoded("libopencore_amrnb", 8000, 160, {"b": "12200"})


def speex(rate: int, frames: int) -> Callable[[Path], list[bytes]]:
    """What makes payloads of so many frames."""
    words = ["-c:a", "libspeex", "-frames_per_packet", str(frames)]
    return lambda folder: stored(folder, words, "a.ogg", rate)


MADE: Mapping[str, tuple[PayloadFormat, Callable[[Path], list[bytes]], float]] = {
    "g729": (PayloadFormat("G729", 8000), g729, 0.7),
    "ilbc 20": (PayloadFormat("ILBC", 8000), lambda _: ilbc(20), 0.8),
    "ilbc 30": (PayloadFormat("ILBC", 8000), lambda _: ilbc(30), 0.8),
    "gsm": (PayloadFormat("GSM", 8000), lambda t: stored(t, ["-c:a", "libgsm", "-f", "gsm"], "a.gsm", 8000), 0.8),
    "g723": (PayloadFormat("G723", 8000), lambda _: encoded("g723_1", 8000, 240, {"b": "6300"}), 0.7),
    **{
        f"speex {rate // 1000}, {frames} frames": (PayloadFormat("SPEEX", rate), speex(rate, frames), 0.7)
        for rate in (8000, 16_000)
        for frames in (1, 2, 3)
    },
    "opus stereo": (
        PayloadFormat("OPUS", 48_000, 2),
        lambda _: encoded("libopus", 48_000, 960, {"b": "48000"}, channels=2),
        0.95,
    ),
    "opus fec": (
        PayloadFormat("OPUS", 48_000, 2),
        lambda _: encoded(
            "libopus", 48_000, 960, {"b": "24000", "fec": "1", "packet_loss": "20", "application": "voip"}
        ),
        0.9,
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_codecs_decode_what_their_encoders_made(tmp_path: Path, name: str) -> None:
    form, make, least = MADE[name]
    payloads = make(tmp_path)
    seconds, correlation = length_and_correlation(form, payloads)
    assert seconds == pytest.approx(SECONDS, abs=0.12)
    assert correlation > least
    assert sum(duration_s(form, payload) for payload in payloads) == pytest.approx(seconds, abs=0.05)


@pytest.mark.parametrize("encoding", G726)
def test_g726_at_each_rate_and_in_both_bit_orders(encoding: str) -> None:
    bits = G726[encoding]
    codec = "g726" if encoding.startswith("AAL2-") else "g726le"
    whole = b"".join(encoded(codec, 8000, 160, {"code_size": str(bits)}))
    size = 20 * bits  # 160 samples
    payloads = [whole[at : at + size] for at in range(0, len(whole) // size * size, size)]
    seconds, correlation = length_and_correlation(PayloadFormat(encoding, 8000), payloads)
    assert seconds == pytest.approx(SECONDS, abs=0.25)
    assert correlation > 0.8
    wrong = encoding.removeprefix("AAL2-") if encoding.startswith("AAL2-") else f"AAL2-{encoding}"
    assert length_and_correlation(PayloadFormat(wrong, 8000), payloads)[1] < correlation - 0.1
    assert duration_s(PayloadFormat(encoding, 8000), payloads[0]) == 0.02


def on_the_wire(frames: list[bytes], bits: int, octet_aligned: bool, several: int = 1) -> list[bytes]:
    """Frames of files as payloads of RFC 4867, written bit by bit."""
    out = []
    for at in range(0, len(frames), several):
        some = frames[at : at + several]
        heads = [(1 if i < len(some) - 1 else 0) << 5 | (frame[0] >> 2 & 0x1F) for i, frame in enumerate(some)]
        if octet_aligned:
            out.append(bytes([0xF0, *(head << 2 for head in heads)]) + b"".join(frame[1:] for frame in some))
            continue
        text = "1111" + "".join(f"{head:06b}" for head in heads)
        text += "".join("".join(f"{byte:08b}" for byte in frame[1:])[:bits] for frame in some)
        text += "0" * (-len(text) % 8)
        out.append(bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)))
    return out


@pytest.mark.parametrize("several", [1, 3])
@pytest.mark.parametrize("octet_aligned", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_amr_in_both_shapes(tmp_path: Path, wide: bool, octet_aligned: bool, several: int) -> None:
    frames = amr_wb(tmp_path) if wide else ffmpeg_amr(tmp_path)
    payloads = on_the_wire(frames, 477 if wide else 244, octet_aligned, several)
    form = PayloadFormat(
        "AMR-WB" if wide else "AMR", 16_000 if wide else 8000, fmtp=f"octet-align={int(octet_aligned)}"
    )
    assert [f for p in payloads for f in amr_frames(p, wide, octet_aligned) or []] == frames
    seconds, correlation = length_and_correlation(form, payloads)
    assert seconds == pytest.approx(SECONDS, abs=0.05)
    assert correlation > 0.8
    assert duration_s(form, payloads[0]) == pytest.approx(0.02 * several)
    other = PayloadFormat(form.encoding, form.clock_rate, fmtp=f"octet-align={int(not octet_aligned)}")
    assert length_and_correlation(other, payloads)[1] > 0.8, "a description that is wrong about the shape"


def test_amr_pauses_and_what_is_not_amr() -> None:
    decoder = open_decoder(PayloadFormat("AMR", 8000))
    assert len(decoder.decode(bytes([0xF7, 0xC0]))) in (160, 0)
    assert amr_frames(bytes(3), False, True) is None
    assert amr_frames(b"", True, False) is None
    for refused in ("crc=1", "interleaving=4", "robust-sorting=1"):
        with pytest.raises(PayloadError, match="is not decoded"):
            open_decoder(PayloadFormat("AMR", 8000, fmtp=f"octet-align=1; {refused}"))


@pytest.mark.parametrize(("size", "frames", "milliseconds"), [(38, 1, 20), (50, 1, 30), (76, 2, 20), (100, 2, 30)])
def test_ilbc_in_both_modes_told_by_the_size(size: int, frames: int, milliseconds: int) -> None:
    for fmtp in ("", "mode=20", "mode=30"):
        form = PayloadFormat("ILBC", 8000, fmtp=fmtp)
        assert len(open_decoder(form).decode(bytes(size))) == frames * milliseconds * 8
        assert duration_s(form, bytes(size)) == pytest.approx(frames * milliseconds / 1000)
    assert ilbc_frame_bytes(1900, "20") == 38
    assert ilbc_frame_bytes(1900, "30") == 50
    assert ilbc_frame_bytes(40, "") == 0


def test_g729_with_comfort_noise(tmp_path: Path) -> None:
    frames = g729(tmp_path, annex_b=True)
    assert {len(frame) for frame in frames} == {10, 2, 0}
    payloads = [a + b for a, b in zip(frames[::2], frames[1::2], strict=True)]
    heard = [p for p in payloads if p and g729_frames(p) is not None]
    assert 1.0 <= sum(duration_s(PayloadFormat("G729", 8000), p) for p in heard) < 1.4
    decoder = open_decoder(PayloadFormat("G729", 8000))
    assert np.abs(decoder.decode(heard[40])).max() > 0.01
    assert np.abs(decoder.decode(bytes(2))).max() == 0


def test_frames_in_payloads() -> None:
    assert g729_frames(bytes(22)) == [bytes(10), bytes(10), bytes(2)]
    assert g729_frames(bytes(15)) is None
    assert [len(f) for f in g723_frames(bytes(24) + b"\x01" + bytes(19) + b"\x02" + bytes(3)) or []] == [24, 20, 4]
    assert g723_frames(bytes(10)) is None


@pytest.mark.parametrize("width", [1, 2, 3])
def test_linear_samples_of_every_width(width: int) -> None:
    top = 1 << 8 * width - 1
    whole = [0, top // 2, -top // 2, top - 1, -top]
    data = b"".join((n + top).to_bytes(1) if width == 1 else n.to_bytes(width, "big", signed=True) for n in whole)
    assert open_decoder(PayloadFormat(f"L{8 * width}", 16_000)).decode(data) == pytest.approx(
        [n / top for n in whole], abs=1e-6
    )
    assert duration_s(PayloadFormat(f"L{8 * width}", 16_000), data) == pytest.approx(5 / 16_000)


def test_formats_as_users_and_descriptions_write_them() -> None:
    assert read_format("opus/48000/2") == PayloadFormat("OPUS", 48_000, 2)
    assert read_format("AMR/8000; octet-align=1") == PayloadFormat("AMR", 8000, 1, "octet-align=1")
    assert read_format("AMR/8000; octet-align=1; mode-set=7").parameter("mode-set") == "7"
    assert [read_format(text) for text in ("opus", "opus/", "opus/1", "opus/48000/9", "")] == [None] * 5
    (media,) = parse_sdp(
        "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 18 97 98\na=rtpmap:97 AMR-WB/16000\n"
        "a=fmtp:97 octet-align=1;mode-set=2\na=rtpmap:98 SILK/24000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n"
    )
    assert media.formats[97] == PayloadFormat("AMR-WB", 16_000, 1, "octet-align=1;mode-set=2")
    assert media.formats[18].encoding == "G729"
    assert media.unknown == ("SILK",)
    assert media.keys == ("1 AES_CM_128_HMAC_SHA1_80 inline:x",)
    assert {
        name for name in ("DVI4", "LPC", "G728") if is_supported(STATIC[{"DVI4": 5, "LPC": 7, "G728": 15}[name]])
    } == set()
    assert all(is_supported(PayloadFormat(name, 8000)) for name in DECODERS)


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


def heard(packets: list[RtpPacket], formats: Mapping[int, PayloadFormat]) -> tuple[Audio, RtpStream]:
    stream = RtpStream(formats)
    sounds = [stream.push(p, p.sequence * 0.02) for p in packets] + [stream.finish()]
    lost = [np.where(s.lost, np.float32(np.nan), s.samples) for s in sounds]
    return np.concatenate(lost), stream


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
