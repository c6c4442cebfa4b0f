"""Readers of recordings: soundfile for what it reads, PyAV (FFmpeg) for mp3, m4a, webm, amr and the sound of videos.

Both give float32 (channels, n) blocks at the recording's own rate and never hold more than one block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.types import Condition

FRAMES = 4096
"""Frames of one block; fixed, so that what a damaged file yields does not depend on the reader."""

HINT = "use a recording such as wav, flac, ogg, mp3, m4a, webm or a video with sound"
_SIZE_BY_HEADER = re.compile(r"(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)")
_SIZE_UNKNOWN = 0x7FFFFF00
"""Bytes. Programs that write to a pipe cannot know the size and put 2 or 4 GB into the header."""


class Reader(Protocol):
    """rate: Hz. total_s: None where the file does not say. complaint: set once blocks() ended, if all was not well."""

    rate: int
    channels: int
    total_s: float | None
    complaint: Condition | None

    def blocks(self) -> Iterator[Audio]: ...

    def close(self) -> None: ...


def ended_early(heard_s: float, announced_s: float) -> Condition:
    """What a truncated recording leaves to say."""
    detail = f"the file ends after {heard_s:.1f} s of the {announced_s:.1f} s that it announces"
    return Condition("ended early", detail, usable=True)


def open_recording(path: Path) -> Reader:
    """Open any recording. Raises BadInputError where it is not one."""
    import soundfile

    # libsndfile's mp3 decoder writes complaints to stderr, even about good files.
    if path.suffix.lower() != ".mp3":
        try:
            return SoundFileReader(path)
        except (soundfile.LibsndfileError, TypeError):  # TypeError: headerless .raw
            pass
    return AvReader(path)


class SoundFileReader:
    """wav, flac, ogg, opus, aiff, au, w64 and more."""

    def __init__(self, path: Path) -> None:
        import soundfile

        self._file = soundfile.SoundFile(path)
        self.rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self._frames = int(self._file.frames)
        self.total_s: float | None = self._frames / self.rate
        self.complaint: Condition | None = None
        if self._frames == 0:
            self._file.close()
            raise BadInputError(f"{path} holds no samples", "record it again, or name another file")

    def blocks(self) -> Iterator[Audio]:
        import soundfile

        heard = 0
        try:
            while len(block := self._file.read(FRAMES, dtype="float32", always_2d=True)):
                heard += len(block)
                yield np.ascontiguousarray(block.T)
        except soundfile.LibsndfileError:
            pass  # a damaged stream ends here; the count below tells
        announced = self._announced()
        if heard < announced:
            self.complaint = ended_early(heard / self.rate, announced / self.rate)

    def _announced(self) -> float:
        """Frames by the header; libsndfile itself counts what the file is long enough for."""
        found = _SIZE_BY_HEADER.search(self._file.extra_info)
        if found is None or not 0 < int(found[2]) < int(found[1]) < _SIZE_UNKNOWN:
            return self._frames
        return self._frames * int(found[1]) / int(found[2])

    def close(self) -> None:
        self._file.close()


class AvReader:
    """Whatever FFmpeg demuxes and decodes; of several sound tracks the first."""

    def __init__(self, path: Path) -> None:
        import av

        try:
            # Only this file: playlists and the like must not lead to others, or to the network.
            self._container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
        except av.FFmpegError as error:
            raise BadInputError(f"{path} is not audio: {error.strerror or error}", HINT) from error
        self.complaint: Condition | None = None
        self._damaged = 0
        if not self._container.streams.audio:
            self._container.close()
            raise BadInputError(f"{path} has no sound in it", HINT)
        self._decoded = self._decode()
        self._first = next(self._decoded, None)
        if self._first is None:
            self._container.close()
            raise BadInputError(f"{path} holds no samples that can be decoded", "the file is damaged or empty; " + HINT)
        self.channels = self._first.shape[0]
        self.total_s = self._duration()

    def _duration(self) -> float | None:
        import av

        stream = self._container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return None if self._container.duration is None else self._container.duration / av.time_base

    def _decode(self) -> Iterator[Audio]:
        import av

        to_float = av.AudioResampler(format="fltp")
        packets = self._container.demux(self._container.streams.audio[0])
        while True:
            try:
                packet = next(packets)
                for frame in packet.decode():
                    self.rate = frame.sample_rate
                    for piece in to_float.resample(frame):
                        yield piece.to_ndarray().astype(np.float32, copy=False)
            except StopIteration:
                return
            except av.EOFError:
                return
            except (av.FFmpegError, ValueError):
                self._damaged += 1

    def blocks(self) -> Iterator[Audio]:
        heard = 0
        block = self._first
        while block is not None:
            for at in range(0, block.shape[1], FRAMES):
                yield block[:, at : at + FRAMES]
            heard += block.shape[1]
            block = next(self._decoded, None)
        heard_s = heard / self.rate
        # Some containers count encoder padding, or round: half a second is no sign of truncation.
        if self.total_s is not None and self.total_s - heard_s > max(0.5, 0.02 * self.total_s):
            self.complaint = ended_early(heard_s, self.total_s)
        elif self._damaged:
            self.complaint = Condition("damaged", f"{self._damaged} packets could not be decoded", usable=True)

    def close(self) -> None:
        self._container.close()
