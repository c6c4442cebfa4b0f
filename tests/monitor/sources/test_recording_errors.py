"""One clear error for each recording that cannot be read."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from recorded_files import play, write

from monitor.errors import BadInputError
from monitor.sources.recording import FileSource


def refused(path: Path | str, **options: object) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        FileSource(path, **options)
    assert str(path) in caught.value.message or Path(path).name in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_missing_file(tmp_path):
    assert "no file" in refused(tmp_path / "none.wav").message


def test_a_directory(tmp_path):
    assert "directory" in refused(tmp_path).message


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "regular" in refused(tmp_path / "fifo").message


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.raw", "notes.txt"])
def test_not_audio(tmp_path, name):
    path = tmp_path / name
    path.write_text("Minutes of the meeting: nothing was said.\n" * 50)
    assert refused(path).message.count("\n") == 0


def test_a_picture_has_no_sound(tmp_path):
    path = tmp_path / "a.png"
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        image = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(image), *stream.encode(None)])
    assert "no sound" in refused(path).message


def test_an_empty_file(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    assert "0 bytes" in refused(tmp_path / "a.wav").message


def test_no_samples(tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(0, np.float32), 16_000)
    assert "no samples" in refused(tmp_path / "a.wav").message


@pytest.mark.parametrize("rate", [3, 3_999, 800_000])
def test_an_impossible_sample_rate(tmp_path, rate):
    path = write(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", rate)
    path.write_bytes(content)
    assert f"{rate} Hz" in refused(path).message


def test_a_sample_rate_of_zero(tmp_path):
    path = write(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 0)
    path.write_bytes(content)
    refused(path)


def test_too_many_channels(tmp_path):
    path = write(tmp_path / "a.wav", channels=3)
    error = refused(path, max_channels=2)
    assert "max_channels" in error.message
    assert play(FileSource(path, channels=["ch1", "ch3"], max_channels=2))[0].shape[0] == 2


@pytest.mark.parametrize("wanted", [("middle",), ("3",), ()])
def test_unknown_channels(tmp_path, wanted):
    error = refused(write(tmp_path / "a.wav", channels=2), channels=wanted)
    assert "left, right" in error.hint


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_speed(tmp_path, speed):
    with pytest.raises(BadInputError, match="speed"):
        FileSource(write(tmp_path / "a.wav"), speed=speed)


def test_no_permission(tmp_path):
    path = write(tmp_path / "a.wav")
    path.chmod(0)
    for folder in [tmp_path, *tmp_path.parents[:2]]:
        folder.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        error = refused(path)
    finally:
        if root:
            os.seteuid(0)
    assert "may not be read" in error.message
