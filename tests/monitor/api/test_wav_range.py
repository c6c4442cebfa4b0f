"""Evidence as a WAV file, in parts."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import voice

from monitor.api.wav_range import WavRange, read_range


@pytest.fixture(scope="module")
def flac(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flac") / "a.flac"
    soundfile.write(path, voice(5.0), 16_000, subtype="PCM_16")
    return path


def test_the_whole_is_a_wav_file_of_the_same_samples(flac: Path) -> None:
    wav = WavRange(flac)
    data = b"".join(wav.read(0, wav.size))
    assert len(data) == wav.size
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 16_000
    assert np.array_equal(samples, soundfile.read(flac, dtype="int16")[0])


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (40, 50), (43, 44), (44, 45), (101, 140_001), (159_000, 160_044)])
def test_a_part_is_that_part(flac: Path, start: int, stop: int) -> None:
    wav = WavRange(flac)
    whole = b"".join(wav.read(0, wav.size))
    assert b"".join(wav.read(start, stop)) == whole[start:stop]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-", (10, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=10-5000", (10, 100)),
        ("bytes=5-4", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=-", None),
    ],
)
def test_what_a_range_header_asks_for(text: str | None, part: tuple[int, int] | None) -> None:
    assert read_range(text, 100) == part


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_a_part_that_is_not_there(text: str) -> None:
    with pytest.raises(ValueError, match="no such part"):
        read_range(text, 100)


def test_what_is_no_flac_file(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(RuntimeError):
        WavRange(tmp_path / "a.flac")
