"""Finds the samples of a Sun or NeXT audio file (.au, .snd), even where its length is wrong."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import IO

from monitor.sources.pcm_reader import SAMPLES, PcmFormat, SampleBytes

MAGIC = b".snd"
_UNKNOWN = 0xFFFFFFFF
_ENCODINGS: Mapping[int, str] = {
    1: "mulaw",
    2: "s8",
    3: "s16be",
    4: "s24be",
    5: "s32be",
    6: "f32be",
    7: "f64be",
    27: "alaw",
}


def read_sun_audio(file: IO[bytes], size: int) -> SampleBytes | None:
    """Read the header of a file of that size in bytes; None for another file, or another encoding."""
    file.seek(0)
    head = file.read(24)
    if head[:4] != MAGIC or len(head) < 24:
        return None
    begin, length, encoding, rate, channels = struct.unpack_from(">5I", head, 4)
    sample = _ENCODINGS.get(encoding)
    if sample is None or not 24 <= begin <= size or not rate or not 1 <= channels <= 64:
        return None
    there, frame = size - begin, SAMPLES[sample][0] * channels
    short = length != _UNKNOWN and there - length >= frame
    known = None if length == _UNKNOWN or short else length
    return SampleBytes(PcmFormat(sample, rate, channels), begin, size, known, short)
