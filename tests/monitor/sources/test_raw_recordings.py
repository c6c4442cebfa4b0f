"""Audio without a header: refused with what to say, and read as what it is said to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from wild_files import SECONDS, ffmpeg, pitches, play, voice, wav

from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.sources.raw_formats import SUGGESTED, CodecFormat, read_raw_format
from monitor.sources.recording import FileSource


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
