"""Finds the samples of an AIFF or AIFF-C file (Apple, 1989 and 1991), even where its lengths are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

from monitor.sources.container_kinds import read_at
from monitor.sources.pcm_reader import SAMPLES, PcmFormat, SampleBytes
from monitor.sources.riff import UNKNOWN_SIZE, chunk_follows

_PCM: Mapping[int, str] = {1: "s8", 2: "s16be", 3: "s24be", 4: "s32be"}
"""Formats by the bytes of a sample, where nothing else is said."""
_COMPRESSIONS: Mapping[bytes, str] = {
    b"sowt": "s16le",
    b"fl32": "f32be",
    b"FL32": "f32be",
    b"fl64": "f64be",
    b"FL64": "f64be",
    b"ulaw": "mulaw",
    b"ULAW": "mulaw",
    b"alaw": "alaw",
    b"ALAW": "alaw",
}
_BIG_ENDIAN = (b"", b"NONE", b"twos", b"in24", b"in32")
_MOST_CHUNKS = 1000


def read_aiff(file: IO[bytes], size: int) -> SampleBytes | None:
    """Read the header of a file of that size in bytes; None for another file, or another encoding."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"FORM" or head[8:] not in (b"AIFF", b"AIFC"):
        return None
    at, form, samples = 12, None, (0, 0)
    for _ in range(_MOST_CHUNKS):
        chunk = read_at(file, at, 8)
        name, length = chunk[:4], int.from_bytes(chunk[4:])
        if name == b"COMM":
            form = _format(file.read(min(length, 22)))
        elif name == b"SSND":
            offset = int.from_bytes(file.read(4))
            samples = at + 16 + offset, length - 8 - offset
        if len(chunk) < 8 or (form is not None and samples[0]):
            break
        at += 8 + length + (length & 1)
    begin, announced = samples
    return None if form is None or not 0 < begin <= size else _bounds(file, form, begin, announced, size)


def _bounds(file: IO[bytes], form: PcmFormat, begin: int, announced: int, size: int) -> SampleBytes:
    """Return where samples are that begin there. announced: bytes of them by the header."""
    there, frame = size - begin, SAMPLES[form.sample][0] * form.channels
    unknown = announced <= 0 or (announced >= UNKNOWN_SIZE - 8 and announced > there)
    behind = begin + announced + (announced & 1)
    ignored = not unknown and announced + frame <= there and not chunk_follows(file, behind, size, big=True)
    if unknown or ignored:
        return SampleBytes(form, begin, size, None, ignored)
    return SampleBytes(form, begin, min(size, begin + announced), announced)


def _format(data: bytes) -> PcmFormat | None:
    """Return the samples that a common chunk describes; None for a codec, and for what makes no sense."""
    if len(data) < 18:
        return None
    channels, bits = int.from_bytes(data[:2]), int.from_bytes(data[6:8])
    exponent, mantissa = int.from_bytes(data[8:10]) & 0x7FFF, int.from_bytes(data[10:18])
    rate = mantissa >> 16446 - exponent if 16446 - 64 <= exponent <= 16446 else 0
    kind = data[18:22]
    sample = _PCM.get(-(-bits // 8)) if kind in _BIG_ENDIAN else _COMPRESSIONS.get(kind)
    sample = {1: "s8"}.get(-(-bits // 8), sample) if kind == b"sowt" else sample
    return PcmFormat(sample, rate, channels) if sample is not None and rate and 1 <= channels <= 64 else None
