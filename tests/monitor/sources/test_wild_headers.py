"""Headers of WAV, AU and AIFF that lie, or that few programs write."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from wild_files import RATE, SECONDS, ffmpeg, play, voice, wav

from monitor.errors import BadInputError
from monitor.sources.recording import FileSource


def with_sizes(path: Path, riff: int, data: int) -> Path:
    """A WAV file whose header says these sizes."""
    whole = bytearray(wav(path).read_bytes())
    at = whole.index(b"data")
    whole[4:8], whole[at + 4 : at + 8] = riff.to_bytes(4, "little"), data.to_bytes(4, "little")
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (36, 0),
        (0, 0),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x7FFFFFFF, 0x7FFFFFDB),
        (0x80000024, 0x80000000),
        (36 + 32_000, 32_000),
    ],
    ids=["never finished", "zeros", "ffmpeg's pipe", "sox' pipe", "gstreamer's pipe", "it grows"],
)
def test_wav_headers_that_lie_are_read_to_the_real_end(tmp_path: Path, riff: int, data: int) -> None:
    path = with_sizes(tmp_path / "a.wav", riff, data)
    source, samples, conditions = play(path)
    assert samples.shape == (1, round(SECONDS * 16_000))
    assert source.total_s == SECONDS
    assert [c.code for c in conditions] in ([], ["length unknown"])
    assert all(c.usable for c in conditions)


@pytest.mark.parametrize("missing", [2, 5000, 100_000])
def test_a_wav_that_ends_too_soon_says_so(tmp_path: Path, missing: int) -> None:
    path = wav(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-missing])
    _, samples, conditions = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000 - missing, abs=4)
    assert [c.code for c in conditions] == (["ended early"] if missing > 200 else [])


def test_chunks_behind_the_samples_are_no_samples(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes() + b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + bytes(18))
    assert play(path)[1].shape[1] == SECONDS * 16_000


def test_a_chunk_behind_samples_of_unknown_length_is_no_sound(tmp_path: Path) -> None:
    path = with_sizes(tmp_path / "a.wav", 0x7FFF0024, 0x7FFF0000)
    path.write_bytes(path.read_bytes() + b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + bytes(18))
    assert play(path)[1].shape[1] == SECONDS * 16_000


def wave(form: tuple[int, ...], data: bytes, order: str = "<", before: bytes = b"", after: bytes = b"") -> bytes:
    """A WAV file; form: the six fields of its format."""
    size = struct.Struct(order + "I")
    described = b"fmt " + size.pack(16) + struct.pack(order + "HHIIHH", *form)
    body = b"WAVE" + before + described + b"data" + size.pack(len(data)) + data + after
    return (b"RIFF" if order == "<" else b"RIFX") + size.pack(len(body)) + body


SAMPLES16 = (voice() * 32767).astype("<i2")
MONO16 = (1, 1, RATE, 2 * RATE, 2, 16)


@pytest.mark.parametrize(
    "data",
    [
        wave((1, 1, RATE, 2 * RATE, 4, 16), SAMPLES16.tobytes()),
        wave((1, 1, RATE, 2 * RATE, 0, 16), SAMPLES16.tobytes()),
        wave(MONO16, SAMPLES16.tobytes(), before=b"bext\5\0\0\0abcde"),
        wave(MONO16, SAMPLES16.astype(">i2").tobytes(), order=">"),
    ],
    ids=["frames twice as long as they are", "frames of no length", "no padding", "big-endian"],
)
def test_wav_headers_that_few_programs_write(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    _, samples, conditions = play(path)
    assert not conditions
    assert samples.shape == (1, round(SECONDS * 16_000))
    assert np.corrcoef(samples[0], play(wav(tmp_path / "b.wav"))[1][0])[0, 1] > 0.999


def chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) & 1)


FMT16 = chunk(b"fmt ", struct.pack("<HHIIHH", *MONO16))


@pytest.mark.parametrize("between", [b"", chunk(b"LIST", b"INFOISFT\2\0\0\0ab"), FMT16])
@pytest.mark.parametrize("first", [0, len(SAMPLES16) // 2])
def test_samples_in_several_chunks_are_all_heard(tmp_path: Path, between: bytes, first: int) -> None:
    one, other = SAMPLES16[:first].tobytes(), SAMPLES16[first:].tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(wave(MONO16, one, after=between + chunk(b"data", other)))
    source, samples, conditions = play(path)
    assert source.total_s == SECONDS
    path.write_bytes(wave(MONO16, SAMPLES16.tobytes()))
    assert np.array_equal(samples, play(path)[1])
    assert [c.code for c in conditions] == ["parts"]
    path.write_bytes(wave(MONO16, one, after=between + chunk(b"data", other)[:-8000]))
    _, samples, conditions = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000 - 8000, abs=4)
    assert [c.code for c in conditions] == ["parts", "ended early"]


def test_further_samples_in_another_format_are_named(tmp_path: Path) -> None:
    other = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 2 * RATE, 4 * RATE, 2, 16))
    path = tmp_path / "a.wav"
    path.write_bytes(wave(MONO16, SAMPLES16.tobytes(), after=other + chunk(b"data", bytes(4000))))
    _, samples, (condition,) = play(path)
    assert samples.shape[1] == SECONDS * 16_000
    assert (condition.code, condition.detail.split()[0]) == ("not scored", "4000")


def test_a_wav_of_a_codec_without_a_name_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wave((0, 1, RATE, 2 * RATE, 2, 16), SAMPLES16.tobytes()))
    with pytest.raises(BadInputError, match="no sound in a codec that is known"):
        FileSource(path)


@pytest.mark.parametrize(("length", "code"), [(0, "length unknown"), (1000, "length unknown"), (0xFFFFFFFF, "")])
def test_au_headers_that_lie_are_read_to_the_real_end(tmp_path: Path, length: int, code: str) -> None:
    path = tmp_path / "a.au"
    head = b".snd" + struct.pack(">5I", 24, length, 3, RATE, 1)
    path.write_bytes(head + SAMPLES16.astype(">i2").tobytes())
    _, samples, conditions = play(path)
    assert samples.shape[1] == round(SECONDS * 16_000)
    assert [c.code for c in conditions] == [code] * bool(code)


@pytest.mark.parametrize("form", ["AU", "AIFF", "CAF", "W64"])
def test_what_ends_too_soon_says_so_in_every_container(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    sf.write(path, voice(), RATE, format=form, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _, samples, conditions = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 8000, abs=3000)
    assert [c.code for c in conditions] == ["ended early"]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "PCM_S8"])
@pytest.mark.parametrize("length", [0, 8, 8 + 4800, 0x7F000008, 0xFFFFFFFF])
def test_aiff_headers_that_lie_are_read_to_the_real_end(tmp_path: Path, subtype: str, length: int) -> None:
    path = tmp_path / "a.aiff"
    sf.write(path, voice(), RATE, format="AIFF", subtype=subtype)
    plain = play(path)
    whole = bytearray(path.read_bytes())
    for name in (b"FORM", b"SSND"):
        at = whole.index(name) + 4
        whole[at : at + 4] = length.to_bytes(4)
    path.write_bytes(whole)
    source, samples, conditions = play(path)
    assert np.array_equal(samples, plain[1])
    assert source.total_s == SECONDS
    assert [c.code for c in conditions] == (["length unknown"] if length == 8 + 4800 else [])


@pytest.mark.parametrize(("form", "code"), [("mp3", "Xing"), ("flac", "fLaC")])
def test_a_header_that_says_less_than_there_is_is_not_believed(tmp_path: Path, form: str, code: str) -> None:
    path = tmp_path / f"a.{form}"
    ffmpeg("-i", wav(tmp_path / "a.wav"), *(["-q:a", "5"] if form == "mp3" else []), path)
    whole, plain = bytearray(path.read_bytes()), play(path)[1]
    at = whole.index(code.encode()) + (8 if form == "mp3" else 22)
    whole[at : at + 4] = (int.from_bytes(whole[at : at + 4]) // 3).to_bytes(4)
    path.write_bytes(whole)
    _, samples, (condition,) = play(path)
    assert samples.shape[1] == pytest.approx(plain.shape[1], abs=1500)
    assert condition.code == "length unknown"
    assert condition.detail.startswith("it goes on for 12.")


def test_samples_in_a_list_are_read_and_its_silence_is_named(tmp_path: Path) -> None:
    whole = wav(tmp_path / "a.wav", seconds=3.0).read_bytes()
    at = whole.index(b"data")
    pieces = (whole[at + 8 : at + 8 + 16_000], whole[at + 8 + 16_000 :])
    first, second = (b"data" + len(piece).to_bytes(4, "little") + piece for piece in pieces)
    listed = b"wavl" + first + b"slnt" + (4).to_bytes(4, "little") + (16_000).to_bytes(4, "little") + second
    body = whole[8:at] + b"LIST" + len(listed).to_bytes(4, "little") + listed
    path = tmp_path / "listed.wav"
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    _, samples, conditions = play(path)
    assert samples.shape == (1, 3 * 16_000)
    (condition,) = conditions
    assert condition.code == "parts"
    assert "2 parts" in condition.detail
    assert "without the 2.0 s of silence" in condition.detail


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
@pytest.mark.parametrize("length", [0, 2000, 0xFFFFFFFF])
def test_a_wav_of_a_codec_whose_header_lies_is_read_to_the_real_end(tmp_path: Path, subtype: str, length: int) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, voice(), RATE, format="WAV", subtype=subtype)
    whole, plain = bytearray(path.read_bytes()), play(path)[1]
    at = whole.index(b"data")
    whole[at + 4 : at + 8] = length.to_bytes(4, "little")
    path.write_bytes(whole)
    _, samples, conditions = play(path)
    assert np.array_equal(samples, plain)
    assert [c.code for c in conditions] in ([], ["length unknown"])


def test_further_samples_of_a_codec_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, voice(), RATE, format="WAV", subtype="GSM610")
    path.write_bytes(path.read_bytes() + chunk(b"data", bytes(650)))
    _, samples, (condition,) = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000, abs=1000)
    assert (condition.code, condition.detail.split()[0]) == ("not scored", "650")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_samples_of_wav_are_those_of_libsndfile(tmp_path: Path, subtype: str, form: str) -> None:
    path = tmp_path / "a.wav"
    samples = np.random.default_rng(1).uniform(-1, 1, (5000, 2))
    sf.write(path, samples, 16_000, subtype=subtype, format=form)
    heard = play(path)[1]
    assert heard == pytest.approx(sf.read(path, dtype="float32", always_2d=True)[0].T, abs=1e-6)
