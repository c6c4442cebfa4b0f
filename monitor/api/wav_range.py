"""A FLAC file of evidence as a WAV file, any part of which can be asked for (RFC 9110, section 14)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
"""RIFF, one channel of PCM (Microsoft, Multimedia Programming Interface and Data Specifications 1.0)."""
WIDTH = 2
"""Bytes of a sample."""
PIECE = 1 << 16
"""Samples that are decoded at once."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class WavRange:
    """The bytes of the WAV file that a FLAC file would be. Raises OSError, RuntimeError for a file that is none."""

    def __init__(self, path: Path) -> None:
        import soundfile

        with soundfile.SoundFile(path) as file:
            self._path, self._rate, self._frames, channels = path, file.samplerate, file.frames, file.channels
        if channels != 1:
            raise RuntimeError("more than one channel")
        self.size = HEADER.size + WIDTH * self._frames

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from start up to stop."""
        header = self._header()
        if start < len(header):
            yield header[start:stop]
        first, last = max(0, start - len(header)), stop - len(header)
        if last > first:
            yield from self._samples(first, last)

    def _samples(self, start: int, stop: int) -> Iterator[bytes]:
        import soundfile

        with soundfile.SoundFile(self._path) as file:
            at = start // WIDTH
            file.seek(at)
            while at * WIDTH < stop:
                data = file.read(min(PIECE, -(-stop // WIDTH) - at), dtype="int16").astype("<i2").tobytes()
                if not data:
                    return
                yield data[max(0, start - at * WIDTH) : stop - at * WIDTH]
                at += len(data) // WIDTH

    def _header(self) -> bytes:
        size, rate = self.size - HEADER.size, self._rate
        wave = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, WIDTH * rate, WIDTH, 8 * WIDTH, b"data", size)
        return HEADER.pack(*wave)


def read_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return (start, stop) that a Range header asks for; None for the whole, also where it asks for several parts or
    in other units, which a server may pass over. Raises ValueError for a part that is not there.
    """
    found = _RANGE.fullmatch(text.strip()) if text else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or start == stop:
        raise ValueError("there is no such part")
    return start, stop
