"""Recordings as programs leave them: headers that lie, wrong names, several tracks, joined files, no header at all.

Lengths are compared with what ffmpeg decodes of the same files, where it is installed.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from monitor.audio import Audio, Chunk
from monitor.errors import BadInputError
from monitor.sources.raw_formats import SUGGESTED, CodecFormat, read_raw_format
from monitor.sources.recording import FileSource
from monitor.types import Condition

RATE, SECONDS = 8000, 12.0


def voice(rate: int = RATE, seconds: float = SECONDS, pitch: float = 300.0) -> Audio:
    t = np.arange(round(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * pitch * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 2.7 * t))).astype(np.float32)


def play(path: Path, **options: object) -> tuple[FileSource, Audio, list[Condition]]:
    source = FileSource(path, **options)
    items = list(source.chunks())
    samples = [item.samples for item in items if isinstance(item, Chunk)]
    return source, np.concatenate(samples, axis=1), [item for item in items if isinstance(item, Condition)]


def pitches(samples: Audio) -> list[int]:
    """The strongest frequency of each channel, Hz, in the last second but one."""
    piece = samples[:, -32_000:-16_000]
    return [int(np.argmax(np.abs(np.fft.rfft(row)))) for row in piece]


def ffmpeg(*words: str | Path, data: bytes = b"", cat: Path | None = None) -> None:
    """Run ffmpeg; cat: take what it writes to its standard output, which is a pipe."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    command = ["ffmpeg", "-v", "error", "-nostdin" if not data else "-y", "-y", *map(str, words)]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)
    if done.returncode:
        pytest.skip(f"ffmpeg cannot: {done.stderr.decode().strip()[-200:]}")
    if cat is not None:
        cat.write_bytes(done.stdout)


def decoded_s(path: Path) -> float:
    """Seconds that ffmpeg decodes of the first sound track, by the samples that come out."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    words = ["-i", str(path), "-map", "0:a:0", "-af", "aresample=48000,ashowinfo", "-f", "null", "-"]
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "info", *words], capture_output=True, text=True, check=False)
    return sum(int(n) for n in re.findall(r"nb_samples:(\d+)", done.stderr)) / 48_000


def wav(path: Path, rate: int = RATE, seconds: float = SECONDS) -> Path:
    sf.write(path, voice(rate, seconds), rate, subtype="PCM_16")
    return path


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


def test_comments_in_another_encoding_cost_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.flv"
    ffmpeg("-i", wav(tmp_path / "a.wav", 22_050, 2.0), "-metadata", "title=xxGesprxch", path)
    path.write_bytes(path.read_bytes().replace(b"xxGesprxch", b"xxGespr\xe4ch"))
    assert play(path)[1].shape[1] == pytest.approx(2.0 * 16_000, abs=1500)


def test_a_part_without_sound_is_named(tmp_path: Path) -> None:
    one, silent, path = tmp_path / "one.mp4", tmp_path / "silent.mp4", tmp_path / "both.mp4"
    ffmpeg("-i", wav(tmp_path / "a.wav", 16_000, 2.0), one)
    ffmpeg("-f", "lavfi", "-i", "color=c=red:s=64x64:d=1", silent)
    path.write_bytes(one.read_bytes() + silent.read_bytes())
    _, samples, (condition,) = play(path)
    assert samples.shape[1] == play(one)[1].shape[1]
    assert condition.detail == "part 2 has 0 of 1 tracks"


def test_a_recording_that_is_cut_inside_a_fragment_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg("-i", wav(tmp_path / "a.wav"), "-movflags", "frag_keyframe+empty_moov", "-frag_duration", "1000000", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert "ended early" in [c.code for c in play(path)[2]]


@pytest.mark.parametrize("form", ["WAV", "AU", "AIFF", "FLAC"])
def test_a_tag_before_a_recording_is_passed_over(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    sf.write(path, voice(), RATE, format=form, subtype="PCM_16")
    path.write_bytes(b"ID3\x03\0\0\0\0\x01\x0a" + bytes(138) + path.read_bytes())
    _, samples, conditions = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000, abs=10)
    assert not conditions


@pytest.mark.parametrize("form", ["WAV", "AU", "AIFF", "CAF", "FLAC"])
def test_files_joined_end_to_end_are_all_heard(tmp_path: Path, form: str) -> None:
    parts = [tmp_path / name for name in ("a", "b")]
    for path, rate, pitch in zip(parts, (RATE, 16_000), (300.0, 500.0), strict=True):
        sf.write(path, voice(rate, 3.0, pitch), rate, format=form, subtype="PCM_16")
    joined = tmp_path / "joined"
    joined.write_bytes(b"".join(path.read_bytes() for path in parts))
    _, samples, conditions = play(joined)
    assert samples.shape[1] == pytest.approx(6.0 * 16_000, abs=100)
    assert pitches(samples) == [500]
    assert [c.code for c in conditions] == ["format changed"]


JOINED = {"avi": "pcm_s16le", "asf": "wmav2", "w64": "pcm_s16le", "mkv": "pcm_s16le", "flv": "pcm_s16le", "tta": "tta"}
JOINED |= {"wv": "wavpack", "voc": "pcm_s16le", "8svx": "", "sph": "", "maud": "", "nut": "pcm_s16le", "swf": "mp3"}
JOINED |= {"wtv": "mp2", "adx": "adpcm_adx", "ast": "pcm_s16be_planar", "flac": "flac"}


@pytest.mark.parametrize("name", JOINED)
def test_what_cat_joined_is_all_heard(tmp_path: Path, name: str) -> None:
    path = wav(tmp_path / "a.wav", 22_050, 3.0)
    program = ["ffmpeg", "-v", "error", "-i", str(path), "-c:a", JOINED[name]] if JOINED[name] else ["sox", str(path)]
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    one, joined = tmp_path / f"one.{name}", tmp_path / "joined"
    subprocess.run([*program, str(one)], check=True, timeout=60, capture_output=True)
    joined.write_bytes(2 * one.read_bytes())
    alone, twice = play(one), play(joined)
    assert twice[1].shape[1] == pytest.approx(2 * alone[1].shape[1], abs=40)
    assert twice[0].total_s is None
    assert not twice[2]


@pytest.mark.parametrize(
    ("first", "second"),
    [("wav", "mp3"), ("wav", "ogg"), ("mp3", "wav"), ("flac", "m4a"), ("ogg", "wav"), ("m4a", "flac"), ("mkv", "aiff")],
)
def test_recordings_of_different_kinds_that_cat_joined_are_all_heard(tmp_path: Path, first: str, second: str) -> None:
    one, other = tmp_path / f"one.{first}", tmp_path / f"other.{second}"
    ffmpeg("-i", wav(tmp_path / "a.wav", 16_000, 3.0), one)
    sf.write(tmp_path / "b.wav", voice(16_000, 3.0, 500.0), 16_000)
    ffmpeg("-i", tmp_path / "b.wav", other)
    joined = tmp_path / "joined"
    joined.write_bytes(one.read_bytes() + other.read_bytes())
    source, samples, _ = play(joined)
    assert source.total_s is None
    assert samples.shape[1] == pytest.approx(6.0 * 16_000, abs=3200)
    assert pitches(samples) == [500]


@pytest.mark.parametrize("form", ["wma", "m4a", "caf", "avi", "ogg", "mkv", "w64", "voc", "flv", "wv"])
def test_bytes_behind_a_recording_that_are_none_are_named(tmp_path: Path, form: str) -> None:
    whole, path = tmp_path / f"whole.{form}", tmp_path / "longer"
    ffmpeg("-i", wav(tmp_path / "a.wav", 22_050, 3.0), whole)
    path.write_bytes(whole.read_bytes() + bytes.fromhex("fff15080") * 1000)
    alone, longer = play(whole), play(path)
    assert longer[1].shape == alone[1].shape
    if form != "wma":  # whose objects may have any name: a length that cannot be is believed to be one
        assert [(c.code, c.detail) for c in longer[2]] == [
            ("not scored", "4000 bytes behind the end of the recording, of which nothing can be made")
        ]


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


def test_the_length_of_tracks_that_begin_later_counts_from_the_first(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    one, path = wav(tmp_path / "a.wav", 16_000, 6.0), tmp_path / "a.mp4"
    words = ["-i", str(one), "-itsoffset", "2", "-i", str(one), "-map", "0", "-map", "1", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *words, str(path)], check=True, timeout=60)
    source, samples, _ = play(path)
    assert source.total_s == pytest.approx(samples.shape[1] / 16_000, abs=0.1)


def test_further_samples_of_a_codec_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, voice(), RATE, format="WAV", subtype="GSM610")
    path.write_bytes(path.read_bytes() + chunk(b"data", bytes(650)))
    _, samples, (condition,) = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000, abs=1000)
    assert (condition.code, condition.detail.split()[0]) == ("not scored", "650")


SOX = ["wav", "aiff", "au", "flac", "ogg", "sph", "8svx"]
GSTREAMER = {
    "wav": "wavenc",
    "aiff": "audio/x-raw,format=S16BE ! aiffmux",
    "flac": "flacenc",
    "ogg": "vorbisenc ! oggmux",
    "webm": "audioresample ! audio/x-raw,rate=48000 ! opusenc ! webmmux streamable=true",
}


def piped(words: list[str], path: Path) -> None:
    """Run a program and write what comes through its pipe to a file."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run(words, capture_output=True, check=False, timeout=60)
    if not done.stdout:
        pytest.skip(f"{words[0]} cannot: {done.stderr.decode()[-200:]}")
    path.write_bytes(done.stdout)


@pytest.mark.parametrize("form", SOX)
def test_what_sox_writes_to_a_pipe(tmp_path: Path, form: str) -> None:
    path = tmp_path / "piped"
    piped(["sox", str(wav(tmp_path / "voice.wav")), "-t", form, "-"], path)
    _, samples, conditions = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000, abs=100)
    assert [c.code for c in conditions] in ([], ["length unknown"])
    assert pitches(samples) == [300]


@pytest.mark.parametrize("form", GSTREAMER)
def test_what_gstreamer_writes_to_a_pipe(tmp_path: Path, form: str) -> None:
    path, source = tmp_path / "piped", wav(tmp_path / "voice.wav")
    line = f"gst-launch-1.0 -q filesrc location={source} ! wavparse ! audioconvert ! {GSTREAMER[form]} ! fdsink fd=1"
    piped(line.split(), path)
    _, samples, conditions = play(path)
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000, abs=1200)
    assert [c.code for c in conditions] in ([], ["length unknown"])
    assert pitches(samples) == [300]


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_samples_of_wav_are_those_of_libsndfile(tmp_path: Path, subtype: str, form: str) -> None:
    path = tmp_path / "a.wav"
    samples = np.random.default_rng(1).uniform(-1, 1, (5000, 2))
    sf.write(path, samples, 16_000, subtype=subtype, format=form)
    heard = play(path)[1]
    assert heard == pytest.approx(sf.read(path, dtype="float32", always_2d=True)[0].T, abs=1e-6)


KINDS: dict[str, list[str]] = {
    "a.mp3": ["-c:a", "libmp3lame", "-q:a", "5"],
    "no-index.mp3": ["-c:a", "libmp3lame", "-q:a", "5", "-write_xing", "0"],
    "a.flac": ["-c:a", "flac"],
    "a.ogg": ["-c:a", "libvorbis"],
    "a.opus": ["-c:a", "libopus", "-b:a", "24k"],
    "a.m4a": ["-c:a", "aac"],
    "a.aac": ["-c:a", "aac", "-f", "adts"],
    "a.webm": ["-c:a", "libopus"],
    "a.mka": ["-c:a", "pcm_s16le"],
    "a.amr": ["-c:a", "libopencore_amrnb", "-ar", "8000", "-b:a", "12.2k"],
    "a.aiff": [],
    "a.au": [],
    "a.caf": [],
    "a.w64": [],
    "adpcm.wav": ["-c:a", "adpcm_ima_wav"],
    "ms.wav": ["-c:a", "adpcm_ms"],
    "gsm.wav": ["-c:a", "libgsm_ms"],
    "mp3-in.wav": ["-c:a", "libmp3lame", "-f", "wav"],
    "g726.wav": ["-c:a", "g726", "-f", "wav"],
    "a.ts": ["-c:a", "mp2"],
    "a.avi": ["-c:a", "libmp3lame"],
    "a.wma": ["-c:a", "wmav2"],
    "speex.ogg": ["-c:a", "libspeex"],
    "a.ac3": ["-c:a", "ac3", "-ar", "48000"],
}


@pytest.mark.parametrize("name", KINDS)
def test_lengths_agree_with_a_full_decode(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    ffmpeg("-i", wav(tmp_path / "voice.wav"), *KINDS[name], path)
    source, samples, conditions = play(path)
    assert samples.shape[1] / 16_000 == pytest.approx(decoded_s(path), abs=0.03)
    assert not conditions
    assert source.total_s is None or source.total_s == pytest.approx(SECONDS, abs=0.3)
    assert pitches(samples) == [300]


PIPED = {
    "wav": ["-f", "wav"],
    "flac": ["-f", "flac"],
    "mp3": ["-f", "mp3"],
    "ogg": ["-c:a", "libopus", "-f", "ogg"],
    "webm": ["-c:a", "libopus", "-f", "webm"],
    "au": ["-f", "au"],
    "adts": ["-f", "adts"],
    "mpegts": ["-f", "mpegts"],
    "mp4": ["-c:a", "aac", "-f", "mp4", "-movflags", "frag_keyframe+empty_moov"],
    "w64": ["-f", "w64"],
    "caf": ["-f", "caf"],
}


@pytest.mark.parametrize("form", PIPED)
def test_what_came_through_a_pipe_is_heard_to_its_end_without_complaint(tmp_path: Path, form: str) -> None:
    path = tmp_path / "piped"
    ffmpeg("-i", wav(tmp_path / "voice.wav"), *PIPED[form], "-", cat=path)
    _, samples, conditions = play(path)
    # ffmpeg reads nothing of a w64 file that came through a pipe; libsndfile does.
    assert samples.shape[1] / 16_000 == pytest.approx(decoded_s(path) or SECONDS, abs=0.03)
    assert [c.code for c in conditions] in ([], ["length unknown"])
    assert pitches(samples) == [300]


@pytest.mark.parametrize(
    ("made", "named"), [("a.mp3", "a.wav"), ("a.flac", "a.mp3"), ("a.opus", "a.ul"), ("a.wav", "a.mp3")]
)
def test_a_wrong_name_changes_nothing(tmp_path: Path, made: str, named: str) -> None:
    path = tmp_path / "made" / made
    path.parent.mkdir()
    ffmpeg("-i", wav(tmp_path / "voice.wav"), *KINDS.get(made, []), path)
    plain = play(path)[1]
    renamed = path.rename(tmp_path / named)
    assert np.array_equal(play(renamed)[1], plain)


def test_ogg_streams_one_after_the_other_are_all_heard(tmp_path: Path) -> None:
    for i, pitch in enumerate((300.0, 500.0)):
        sf.write(tmp_path / f"{i}.wav", voice(pitch=pitch), RATE)
        ffmpeg("-i", tmp_path / f"{i}.wav", "-c:a", "libopus", tmp_path / f"{i}.opus")
    path = tmp_path / "both.opus"
    path.write_bytes((tmp_path / "0.opus").read_bytes() + (tmp_path / "1.opus").read_bytes())
    _, samples, conditions = play(path)
    assert samples.shape[1] == pytest.approx(2 * SECONDS * 16_000, abs=600)
    assert pitches(samples[:, : round(SECONDS * 16_000)]) == [300]
    assert pitches(samples) == [500]
    assert not conditions


@pytest.mark.parametrize(
    ("magic", "speech", "noise"), [(b"#!AMR\n", (7, 31), (8, 5)), (b"#!AMR-WB\n", (2, 32), (9, 5))], ids=["nb", "wb"]
)
def test_pauses_of_amr_keep_their_length(
    tmp_path: Path, magic: bytes, speech: tuple[int, int], noise: tuple[int, int]
) -> None:
    """Comfort noise each 160 ms, and frames of no data between (3GPP TS 26.101, 26.201)."""

    def frame(kind: int, size: int) -> bytes:
        return bytes([kind << 3 | 4]) + bytes(size)

    pause = [frame(*noise)] + [frame(15, 0)] * 7
    spoken = [frame(*speech)] * 50
    path = tmp_path / "x.amr"
    path.write_bytes(magic + b"".join([*spoken, *pause * 5, *spoken]))
    _, heard, result = play(path)
    assert heard.shape[1] == 140 * 320
    assert not result


def tracks(tmp_path: Path, *extra: str) -> Path:
    """A silent track of 12 s at 8 kHz, and one of speech, later given more words."""
    sf.write(tmp_path / "silent.wav", np.zeros(round(RATE * SECONDS)), RATE)
    path = tmp_path / "a.mkv"
    inputs = ["-i", str(tmp_path / "silent.wav"), "-i", str(wav(tmp_path / "voice.wav"))]
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c:a", "libopus", *extra, path)
    return path


OGG = {
    "vorbis": ("libvorbis", 16_000, 1),
    "another rate": ("libvorbis", 44_100, 1),
    "opus": ("libopus", 48_000, 1),
    "stereo opus": ("libopus", 48_000, 2),
    "flac": ("flac", 8000, 1),
}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vorbis", "another rate"),
        ("opus", "stereo opus"),
        ("stereo opus", "opus"),
        ("opus", "vorbis"),
        ("flac", "opus"),
    ],
)
def test_ogg_streams_of_another_rate_layout_or_codec_are_heard_behind_the_first(
    tmp_path: Path, one: str, other: str
) -> None:
    source = wav(tmp_path / "x.wav", seconds=3.0)
    for name in (one, other):
        codec, rate, channels = OGG[name]
        ffmpeg("-i", source, "-ar", str(rate), "-ac", str(channels), "-c:a", codec, "-f", "ogg", tmp_path / name)
    path = tmp_path / "chained.ogg"
    path.write_bytes((tmp_path / one).read_bytes() + (tmp_path / other).read_bytes() + (tmp_path / one).read_bytes())
    _, heard, result = play(path)
    assert len(heard) == OGG[one][2]
    assert heard.shape[1] / 16_000 == pytest.approx(9.0, abs=0.05)
    assert pitches(heard) == [300] * OGG[one][2]
    assert {c.code for c in result} <= {"format changed"}


def test_an_ogg_file_that_ends_inside_a_page_says_so(tmp_path: Path) -> None:
    ffmpeg("-i", wav(tmp_path / "x.wav"), "-c:a", "libopus", tmp_path / "x.opus")
    whole = (tmp_path / "x.opus").read_bytes()
    (tmp_path / "x.opus").write_bytes(whole[: len(whole) // 2])
    _, heard, result = play(tmp_path / "x.opus")
    assert [c.code for c in result] == ["ended early"]
    assert "in the middle of a page" in result[0].detail
    assert heard.shape[1] > 0


def test_several_tracks_are_a_channel_each_and_can_be_chosen(tmp_path: Path) -> None:
    path = tracks(tmp_path)
    source, samples, conditions = play(path)
    assert source.channels == ("track1", "track2")
    assert [c.code for c in conditions] == ["tracks"]
    assert "--track N chooses one" in conditions[0].detail
    assert np.abs(samples[0]).max() < 1e-3
    assert pitches(samples)[1] == 300
    chosen, alone, _ = play(path, track=2)
    assert chosen.channels == ("mono",)
    assert np.array_equal(alone[0], samples[1, : alone.shape[1]])
    with pytest.raises(BadInputError, match="no track 3") as caught:
        FileSource(path, track=3)
    assert caught.value.hint == "--track 1 to 2"


def test_a_track_that_begins_later_stays_in_its_place(tmp_path: Path) -> None:
    first, second = wav(tmp_path / "a.wav", seconds=4.0), wav(tmp_path / "b.wav", seconds=4.0)
    path = tmp_path / "two.mka"
    ffmpeg("-i", first, "-itsoffset", "2", "-i", second, "-map", "0", "-map", "1", "-c:a", "libopus", path)
    source, samples, conditions = play(path)
    assert source.total_s == pytest.approx(6.0, abs=0.05)
    assert samples.shape[1] == pytest.approx(6.0 * 16_000, abs=500)
    assert np.abs(samples[1, :31_000]).max() < 1e-3 < 0.1 < np.abs(samples[1, 33_000:40_000]).max()
    assert [c.code for c in conditions] == ["tracks"]


def test_a_recording_whose_clock_does_not_begin_at_zero_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    ffmpeg("-itsoffset", "5", "-i", wav(tmp_path / "a.wav", seconds=4.0), "-c:a", "libopus", path)
    source, samples, conditions = play(path)
    assert (source.total_s, samples.shape[1]) == (pytest.approx(4.0, abs=0.05), pytest.approx(64_000, abs=500))
    assert not conditions


def test_tracks_of_different_rates_stay_side_by_side(tmp_path: Path) -> None:
    source, samples, _ = play(tracks(tmp_path, "-c:a:1", "pcm_s16le", "-ar:a:1", "22050", "-ac:a:1", "2"))
    assert source.channels == ("track1", "track2-left", "track2-right")
    assert pitches(samples)[1:] == [300, 300]
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000, abs=700)


def test_a_rate_and_layout_that_change_inside_a_file(tmp_path: Path) -> None:
    for i, (rate, channels) in enumerate(((16_000, 1), (24_000, 2))):
        words = ["-c:a", "libmp3lame", "-ar", str(rate), "-ac", str(channels)]
        ffmpeg("-i", wav(tmp_path / "voice.wav"), *words, tmp_path / f"{i}.mp3")
    path = tmp_path / "both.mp3"
    path.write_bytes((tmp_path / "0.mp3").read_bytes() + (tmp_path / "1.mp3").read_bytes())
    source, samples, conditions = play(path)
    assert source.total_s is None
    assert samples.shape[1] == pytest.approx(2 * SECONDS * 16_000, abs=3000)
    assert pitches(samples) == [300]
    assert any(c.code == "format changed" and "24000 Hz, 2 channels from 12." in c.detail for c in conditions)


@pytest.mark.parametrize("suffix", SUGGESTED)
def test_audio_without_a_header_is_refused_with_what_to_say(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(np.random.default_rng(1).integers(0, 255, 8000, np.uint8).tobytes())
    with pytest.raises(BadInputError) as caught:
        FileSource(path)
    assert f"--format {SUGGESTED[suffix]}" in caught.value.hint
    read_raw_format(SUGGESTED[suffix])


RAW: dict[str, Callable[[Audio], bytes]] = {
    "s16le,8000": lambda x: (x * 32767).astype("<i2").tobytes(),
    "slin,8000": lambda x: (x * 32767).astype("<i2").tobytes(),
    "s16be,8000": lambda x: (x * 32767).astype(">i2").tobytes(),
    "f32le,8000": lambda x: x.astype("<f4").tobytes(),
    "u8,8000": lambda x: (x * 127 + 128).astype(np.uint8).tobytes(),
    "s16le,4000,2": lambda x: (x * 32767).astype("<i2").tobytes(),
}


@pytest.mark.parametrize("text", RAW)
def test_audio_without_a_header_is_heard_as_what_it_is_said_to_be(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(RAW[text](voice()))
    _, samples, conditions = play(path, raw=read_raw_format(text))
    assert samples.shape[1] == SECONDS * 16_000
    assert not conditions
    if not text.endswith(",2"):
        assert pitches(samples) == [300]


@pytest.mark.parametrize(("name", "words"), [("mulaw,8000", ["-f", "mulaw"]), ("alaw,8000", ["-f", "alaw"])])
def test_g711_without_a_header(tmp_path: Path, name: str, words: list[str]) -> None:
    path = tmp_path / "a.ul"
    ffmpeg("-i", wav(tmp_path / "voice.wav"), *words, path)
    samples = play(path, raw=read_raw_format(name))[1]
    assert samples.shape[1] == SECONDS * 16_000
    assert pitches(samples) == [300]


@pytest.mark.parametrize(
    ("name", "words"), [("g722", ["-ar", "16000", "-f", "g722"]), ("gsm", ["-c:a", "libgsm", "-f", "gsm"])]
)
def test_codecs_without_a_header(tmp_path: Path, name: str, words: list[str]) -> None:
    path = tmp_path / "a.bin"
    ffmpeg("-i", wav(tmp_path / "voice.wav"), *words, path)
    assert read_raw_format(name) == CodecFormat(name)
    samples = play(path, raw=read_raw_format(name))[1]
    assert samples.shape[1] == pytest.approx(SECONDS * 16_000, abs=400)
    assert pitches(samples) == [300]


@pytest.mark.parametrize("text", ["", "mulaw", "mulaw,0", "opus,8000", "s16le,8000,0", "g722,16000,2"])
def test_formats_that_make_no_sense(text: str) -> None:
    with pytest.raises(BadInputError, match="is not a format"):
        read_raw_format(text)


def test_a_file_that_lists_others_opens_none(tmp_path: Path) -> None:
    wav(tmp_path / "secret.wav")
    for name, text in (
        ("a.m3u8", "#EXTM3U\n#EXTINF:1,\nsecret.wav\n"),
        ("a.txt", "ffconcat version 1.0\nfile secret.wav\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadInputError):
            FileSource(tmp_path / name)
