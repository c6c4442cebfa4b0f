"""Recordings as sources: formats, channels, chunking, pacing, and one clear error for each wrong file."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from recorded_files import play, tone, write

from model.resample import resample_all
from monitor.audio import Chunk
from monitor.sources import recording
from monitor.sources.recording import FileSource


def encode(path: Path, codec: str, rate: int, seconds: float, options: dict[str, str] | None = None) -> Path:
    """A recording by PyAV; skips the test where its FFmpeg lacks the encoder."""
    if codec not in av.codecs_available:
        pytest.skip(f"no encoder {codec}")
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        for frame in frames(rate, seconds):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frames(rate: int, seconds: float) -> Iterator[av.AudioFrame]:
    samples = tone(rate, seconds).T
    for at in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(samples[:, at : at + 1024].copy(), format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, at
        yield frame


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "a.au", "a.w64"])
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_formats_of_libsndfile(tmp_path, name, rate):
    source = FileSource(write(tmp_path / name, rate, 2.0))
    samples, conditions = play(source)
    assert conditions == []
    assert source.channels == ("mono",)
    assert not source.live
    assert source.total_s == pytest.approx(2.0, abs=0.1)
    assert samples.shape[1] == pytest.approx(32_000, abs=1600)
    inner = samples[0, 8000:24_000]
    assert np.corrcoef(inner, tone(16_000, 2.0)[8000:24_000, 0])[0, 1] > 0.98


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.m4a", "aac", 44_100),
        ("a.mp4", "aac", 48_000),
        ("a.webm", "libopus", 48_000),
        ("a.opus", "libopus", 48_000),
        ("a.mka", "flac", 22_050),
        ("a.amr", "libopencore_amrnb", 8_000),
    ],
)
def test_formats_of_ffmpeg(tmp_path, name, codec, rate):
    samples, conditions = play(FileSource(encode(tmp_path / name, codec, rate, 2.0)))
    assert conditions == []
    assert samples.shape[1] == pytest.approx(32_000, abs=3200)
    spectrum = np.abs(np.fft.rfft(samples[0, 8000:24_000]))
    assert np.argmax(spectrum) == 300


def test_the_sound_of_a_video(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=16_000, layout="mono")
        for _ in range(10):
            image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(video.encode(image))
        container.mux(video.encode(None))
        for frame in frames(16_000, 1.0):
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    samples, _ = play(FileSource(path))
    assert np.abs(samples[0, 4000:12_000]).max() > 0.2


@pytest.mark.parametrize(
    ("channels", "names"),
    [(1, ("mono",)), (2, ("left", "right")), (3, ("ch1", "ch2", "ch3")), (8, tuple(f"ch{i + 1}" for i in range(8)))],
)
def test_channels_are_parties(tmp_path, channels, names):
    path = tmp_path / "a.wav"
    written = tone(16_000, 0.5, channels)
    sf.write(path, written, 16_000, subtype="FLOAT")
    source = FileSource(path)
    assert source.channels == names
    assert np.array_equal(play(source)[0], written.T)


@pytest.mark.parametrize(("wanted", "names"), [(("right",), ("right",)), (("2", "left"), ("left", "right"))])
def test_channels_can_be_chosen(tmp_path, wanted, names):
    path = write(tmp_path / "a.wav", channels=2)
    source = FileSource(path, channels=wanted)
    assert source.channels == names
    everything = play(FileSource(path))[0]
    assert np.array_equal(play(source)[0], everything[[("left", "right").index(n) for n in names]])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 384_000])
def test_chunking_changes_nothing(tmp_path, rate):
    path = write(tmp_path / "a.wav", rate, 0.7, 2)
    expected = resample_all(np.ascontiguousarray(sf.read(path, dtype="float32")[0].T), rate)
    for read_ms in (1, 7, 20, 5000):
        assert np.array_equal(play(FileSource(path, read_ms=read_ms))[0], expected)


def test_chunks_have_the_size_that_was_asked_for(tmp_path):
    source = FileSource(write(tmp_path / "a.wav", 44_100, 0.5), read_ms=30)
    sizes = [item.samples.shape[1] for item in source.chunks() if isinstance(item, Chunk)]
    assert set(sizes[:-1]) == {480}
    assert sum(sizes) == 8000


def test_bad_samples_reach_the_ring(tmp_path):
    samples = tone(48_000, 1.0)
    samples[24_000] = np.nan
    samples[36_000] = np.inf
    sf.write(tmp_path / "a.wav", samples, 48_000, subtype="FLOAT")
    heard = play(FileSource(tmp_path / "a.wav"))[0][0]
    bad = np.flatnonzero(~np.isfinite(heard))
    assert 8000 in bad
    assert 12_000 in bad
    assert bad.size < 300


class Clock(threading.Event):
    """Time that passes where a source waits, and where a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.now += timeout
        return self.is_set()


def audio(source: FileSource) -> Iterator[Chunk]:
    return (item for item in source.chunks() if isinstance(item, Chunk))


def paced(path: Path, speed: float, monkeypatch: pytest.MonkeyPatch) -> tuple[Iterator[Chunk], Clock]:
    """Chunks of a recording, and the clock that paces them from 1000 s on."""
    clock, source = Clock(), FileSource(path, speed=speed)
    monkeypatch.setattr(recording, "time", clock)
    monkeypatch.setattr(source, "_closed", clock)
    return audio(source), clock


def test_pacing_follows_the_clock(tmp_path, monkeypatch):
    chunks, clock = paced(write(tmp_path / "a.wav", seconds=0.6), 1.0, monkeypatch)
    came = [(chunk.start + chunk.samples.shape[1], clock.now) for chunk in chunks]
    assert len(came) == 30
    assert [now for _, now in came] == pytest.approx([1000.0 + end / 16_000 for end, _ in came])


def test_pacing_makes_up_for_a_slow_reader(tmp_path, monkeypatch):
    chunks, clock = paced(write(tmp_path / "a.wav", seconds=0.6), 1.0, monkeypatch)
    came = []
    for i, _ in enumerate(chunks):
        came.append(clock.now - 1000.0)
        if i == 0:
            clock.now += 0.5
    assert came[1:26] == pytest.approx([0.52] * 25)  # due while the reader was busy
    assert came[26:] == pytest.approx([0.54, 0.56, 0.58, 0.6])


def test_speed_shortens_the_wait(tmp_path, monkeypatch):
    chunks, clock = paced(write(tmp_path / "a.wav", seconds=4.0), 40.0, monkeypatch)
    list(chunks)
    assert clock.now == pytest.approx(1000.1)


def test_close_ends_a_paced_recording(tmp_path):
    source = FileSource(write(tmp_path / "a.wav", seconds=30.0), speed=0.01)
    ended = threading.Event()

    def read() -> None:
        list(source.chunks())
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    time.sleep(0.1)
    source.close()
    assert ended.wait(2.0)
    source.close()


def test_close_before_the_first_chunk(tmp_path):
    source = FileSource(write(tmp_path / "a.wav"))
    source.close()
    assert list(source.chunks()) == []


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "long.wav"
    with sf.SoundFile(path, "w", 8_000, 1) as file:
        for _ in range(30):
            file.write(np.zeros(8_000 * 60, np.float32))
    sizes = [item.samples.nbytes for item, _ in zip(audio(FileSource(path)), range(500), strict=False)]
    assert max(sizes) == 320 * 4
    source = FileSource(path)
    assert source.total_s == 1800.0
    source.close()


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.wav", "", None),
        ("a.flac", "", None),
        ("a.mp3", "", None),
        ("a.m4a", "aac", {"movflags": "faststart"}),
        ("a.webm", "libopus", None),
    ],
)
def test_a_truncated_recording_gives_what_is_there(tmp_path, name, codec, options):
    path = tmp_path / name
    if codec:
        encode(path, codec, 48_000, 8.0, options)
    else:
        write(path, 16_000, 8.0)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    samples, conditions = play(FileSource(path))
    assert 3.0 < samples.shape[1] / 16_000 < 6.5
    assert [(c.code, c.usable) for c in conditions] == [("ended early", True)]
    assert "of the 8" in conditions[0].detail


def test_a_wav_from_a_pipe_is_not_truncated(tmp_path):
    path = write(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    samples, conditions = play(FileSource(path))
    assert samples.shape[1] == 16_000
    assert conditions == []


def test_damage_in_the_middle_is_told(tmp_path):
    path = encode(tmp_path / "a.m4a", "aac", 48_000, 8.0)
    content = bytearray(path.read_bytes())
    at = content.index(b"mdat") + 4000
    content[at : at + 3000] = np.random.default_rng(0).integers(0, 256, 3000).astype(np.uint8).tobytes()
    path.write_bytes(content)
    samples, conditions = play(FileSource(path))
    assert samples.shape[1] > 16_000 * 6
    assert [c.usable for c in conditions] == [True]
