"""The parts of AvReader that FFmpeg works with: parts of a file without its name, tracks and their decoders."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, cast

from monitor.sources.container_kinds import LARGEST

if TYPE_CHECKING:
    from av import AudioCodecContext, AudioStream
    from av.container import InputContainer
    from av.stream import Stream


class FilePart:
    """A part of a file, from begin to end, without its name, by whose end FFmpeg would guess. patch: a place, and bytes
    that are read there instead of those of the file.
    """

    def __init__(self, file: IO[bytes], begin: int, end: int, patch: tuple[int, bytes] = (0, b"")) -> None:
        self._file, self._begin, self._end, self._patch = file, begin, end, patch
        file.seek(begin)

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes, none behind the end of the part."""
        at = self._file.tell()
        left = max(0, self._end - at)
        data = self._file.read(left if count < 0 else min(count, left))
        place, patch = self._patch
        first, last = max(at, place), min(at + len(data), place + len(patch))
        if first < last:
            data = data[: first - at] + patch[first - place : last - place] + data[last - at :]
        return data

    def tell(self) -> int:
        """Return the place within the part."""
        return self._file.tell() - self._begin

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek as a file does. Negative for a place that cannot be, where damaged files lead."""
        start = {os.SEEK_SET: self._begin, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._end}.get(whence)
        if start is None or not self._begin <= start + offset < LARGEST:
            return -1
        return self._file.seek(start + offset) - self._begin


def sound_tracks(container: InputContainer) -> list[AudioStream]:
    """Return the sound tracks; one of a codec without a name has no decoder at all."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def decoder_of(stream: Stream) -> AudioCodecContext:
    """Return the stream's own decoder, but of AMR the other one: FFmpeg's refuses comfort noise, so that every pause
    would be left out.
    """
    from av import CodecContext
    from av.codec.codec import UnknownCodecError

    own = cast("AudioCodecContext", stream.codec_context)
    if own.name not in ("amrnb", "amrwb"):
        return own
    try:
        found = cast("AudioCodecContext", CodecContext.create(f"libopencore_{own.name}", "r"))
    except UnknownCodecError:
        return own
    found.sample_rate, found.layout = own.sample_rate, "mono"
    return found


def begin_s(stream: Stream) -> float:
    """Return when a track begins, in s."""
    return max(0.0, float((stream.start_time or 0) * (stream.time_base or 0)))
