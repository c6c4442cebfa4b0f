"""Every codec from a real encoder, where one is installed, to samples; and what payloads look like on the wire."""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import numpy as np
import pytest
from codec_files import SECONDS, encoded
from rtp_senders import voice

from monitor.audio import Audio
from monitor.rtp.amr import amr_frames
from monitor.rtp.codecs import DECODERS, is_supported, open_decoder
from monitor.rtp.framing import g723_frames, g729_frames, ilbc_frame_bytes
from monitor.rtp.payload import G726, STATIC, PayloadError, PayloadFormat, duration_s, read_format
from monitor.rtp.sdp import parse_sdp


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
