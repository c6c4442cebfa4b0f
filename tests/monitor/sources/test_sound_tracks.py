"""Several sound tracks, and streams that follow each other in Ogg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from wild_files import RATE, SECONDS, ffmpeg, pitches, play, voice, wav

from monitor.errors import BadInputError
from monitor.sources.recording import FileSource


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


def test_a_file_that_lists_others_opens_none(tmp_path: Path) -> None:
    wav(tmp_path / "secret.wav")
    for name, text in (
        ("a.m3u8", "#EXTM3U\n#EXTINF:1,\nsecret.wav\n"),
        ("a.txt", "ffconcat version 1.0\nfile secret.wav\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadInputError):
            FileSource(tmp_path / name)
