"""Recordings as programs leave them: headers that lie, wrong names, several tracks, joined files, no header at all.

Lengths are compared with what ffmpeg decodes of the same files, where it is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from wild_files import RATE, SECONDS, ffmpeg, pitches, play, voice, wav


def decoded_s(path: Path) -> float:
    """Seconds that ffmpeg decodes of the first sound track, by the samples that come out."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    words = ["-i", str(path), "-map", "0:a:0", "-af", "aresample=48000,ashowinfo", "-f", "null", "-"]
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "info", *words], capture_output=True, text=True, check=False)
    return sum(int(n) for n in re.findall(r"nb_samples:(\d+)", done.stderr)) / 48_000


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


def test_the_length_of_tracks_that_begin_later_counts_from_the_first(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    one, path = wav(tmp_path / "a.wav", 16_000, 6.0), tmp_path / "a.mp4"
    words = ["-i", str(one), "-itsoffset", "2", "-i", str(one), "-map", "0", "-map", "1", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *words, str(path)], check=True, timeout=60)
    source, samples, _ = play(path)
    assert source.total_s == pytest.approx(samples.shape[1] / 16_000, abs=0.1)


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
