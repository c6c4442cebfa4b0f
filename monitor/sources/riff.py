"""Finds the samples of a WAV file, even where its lengths are wrong (RIFF, RF64 and BW64: EBU Tech 3306)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

from monitor.sources.container_kinds import read_at

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
UNKNOWN_SIZE = 0x7F000000
"""Bytes. Programs that write to a pipe cannot know the size, and put about 2 or 4 GB into the header."""
_LAST_CHUNKS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ")
_TAIL = 64 << 10
_MOST_CHUNKS = 1000
_HEADS = (b"RIFF", b"RF64", b"BW64", b"RIFX")
_NAMES = (b"fmt ", b"data", b"fact", b"LIST", b"JUNK", b"bext", b"cue ", b"id3 ", b"ds64", b"slnt")


@dataclass(frozen=True, slots=True)
class WaveHeader:
    """tag: WAVE_FORMAT_... align: bytes of a frame. parts: bytes of the file between which its samples are; more than
    one where a recorder has added a chunk of samples. announced: bytes of samples by the header, None where it does not
    say. ignored: the header says less than there is. big: samples are big-endian (RIFX). left: bytes of further samples
    in another format, which are not read. silent: frames of silence between the parts, which a list of samples (wavl)
    counts instead of holding them.
    """

    tag: int
    channels: int
    rate: int
    bits: int
    align: int
    parts: tuple[tuple[int, int], ...]
    announced: int | None
    ignored: bool = False
    big: bool = False
    left: int = 0
    silent: int = 0


def read_wave(file: IO[bytes], size: int) -> WaveHeader | None:
    """Read the header of a file of that size in bytes; None for what is not a WAV, or has no samples at all."""
    file.seek(0)
    head = file.read(12)
    if head[:4] not in _HEADS or head[8:12] != b"WAVE":
        return None
    big = head[:4] == b"RIFX"
    form, at, long_size = b"", 12, 0
    for _ in range(_MOST_CHUNKS):
        chunk = read_at(file, at, 8)
        if len(chunk) < 8:
            return None
        name, length = chunk[:4], int.from_bytes(chunk[4:], "big" if big else "little")
        if name == b"ds64":
            long_size = int.from_bytes(file.read(24)[8:16], "little")
        elif name == b"fmt ":
            form = file.read(min(length, 40))
        elif name == b"LIST" and file.read(4) == b"wavl":
            at += 12
            continue
        elif name == b"data":
            length = long_size if length == 0xFFFFFFFF and long_size else length
            return _wave(form, big, at + 8, length, file, size) if len(form) >= 16 else None
        at += 8 + length
        at += 0 if read_at(file, at, 4) in _NAMES else length & 1  # some writers leave the padding out
    return None


@dataclass(frozen=True, slots=True)
class _Form:
    tag: int
    channels: int
    rate: int
    bits: int
    align: int
    big: bool

    @classmethod
    def read(cls, data: bytes, big: bool) -> _Form:
        tag, channels, rate, a_second, align, bits = struct.unpack_from((">" if big else "<") + "HHIIHH", data)
        if tag == EXTENSIBLE and len(data) >= 26:
            tag = int.from_bytes(data[24:26], "big" if big else "little")
        packed = channels * -(-bits // 8)
        if packed and packed != align and (not align or a_second == rate * packed):
            align = packed
        return cls(tag, channels, rate, bits, align, big)


def _wave(head: bytes, big: bool, begin: int, length: int, file: IO[bytes], size: int) -> WaveHeader:
    """Return what stands in a file whose first samples begin there. head: its format."""
    there = size - begin
    unknown = length >= UNKNOWN_SIZE and length > there
    behind = begin + length + (length & 1)
    more, left, silent = _further(file, behind, size, head, big)
    empty = length == 0 and not more
    ignored, announced = empty and there > 0, None if unknown or empty else length
    end = min(size, begin + length)
    if unknown or empty:
        end = _last_chunk(file, begin, size)
    elif length < there and not more and not chunk_follows(file, behind, size, big):
        end, announced, ignored = size, None, True
    if announced is not None:
        announced += sum(end - begin for begin, end in more)
    parts = ((begin, end), *((first, min(last, size)) for first, last in more))
    form = _Form.read(head, big)
    of_form = form.tag, form.channels, form.rate, form.bits, form.align
    return WaveHeader(*of_form, parts, announced, ignored, big, left, silent)


def _further(file: IO[bytes], at: int, size: int, head: bytes, big: bool) -> tuple[list[tuple[int, int]], int, int]:
    """Return the samples in chunks behind the first, by the first byte and the one behind the last; how many bytes of
    such chunks have another format; and how many frames of silence there are between.
    """
    found, left, silent, form = list[tuple[int, int]](), 0, 0, head
    for _ in range(_MOST_CHUNKS):
        chunk = read_at(file, at, 8)
        name, length = chunk[:4], int.from_bytes(chunk[4:], "big" if big else "little")
        if name not in _NAMES or (at + 8 + length > size + 1 and name != b"data"):
            break
        if name == b"fmt ":
            form = file.read(min(length, 40))
        elif name == b"data" and form == head:
            found.append((at + 8, at + 8 + length))
        elif name == b"data":
            left += min(length, size - at - 8)
        elif name == b"slnt":
            silent += int.from_bytes(file.read(4), "big" if big else "little")
        at += 8 + length + (length & 1)
    return found, left, silent


def _last_chunk(file: IO[bytes], begin: int, size: int) -> int:
    """Return where samples of unknown length end: at a chunk that ends with the file, else with it."""
    first = max(begin, size - _TAIL)
    file.seek(first)
    tail = file.read()
    for name in _LAST_CHUNKS:
        at = tail.find(name)
        while at >= 0:
            length = int.from_bytes(tail[at + 4 : at + 8], "little")
            if length and first + at + 8 + length in (size, size - 1, size + 1):
                return first + at
            at = tail.find(name, at + 1)
    return size


def chunk_follows(file: IO[bytes], at: int, size: int, big: bool) -> bool:
    """Return whether the bytes behind the samples are another chunk, or too few to be samples that were written
    later."""
    if size - at < 8:
        return True
    chunk = read_at(file, at, 8)
    name, length = chunk[:4], int.from_bytes(chunk[4:], "big" if big else "little")
    return (all(32 <= byte < 127 for byte in name) and at + 8 + length <= size + 1) or not any(chunk)
