"""Where a recording ends by its own account, and so where one begins that `cat` has put behind it.

Sizes and blocks of RIFF, EA IFF 85, Sun audio, CAF, ISO 14496-12, ASF, Sony Wave64, Matroska (RFC 9559), Flash video,
True Audio, WavPack, Creative Voice and NIST SPHERE, each by its specification. Kinds that do not say end where another
recording begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import IO

from monitor.sources.container_kinds import EBML, HEAD, kind_of, next_beginning, read_at

_MOST_STEPS = 100_000
"""Blocks of one recording that are walked through; of one with more the end is not looked for."""
_SEGMENT = b"\x18\x53\x80\x67"

Step = Callable[[bytes], int]
"""From the first bytes of a block to its length; 0 where that is not known, _NO_BLOCK for what is none."""
_NO_BLOCK = -1
_PADDING = 8
"""Bytes that writers leave out at the very end, though they count them."""
_NO_SIZES = frozenset({"flac", "amr", "id3", "nut", "wtv", "swf", "smjpeg", "adx", "argo", "ast"})
"""Kinds that do not say where they end, or not in a way that is worth reading."""


def end_of(file: IO[bytes], at: int, size: int) -> int | None:
    """Return where the recording ends that begins there in a file of that size; None where it does not say, or with the
    file. Behind the end of the file: it is cut off.
    """
    head = read_at(file, at, 1024)
    kind = kind_of(head)
    if kind == "wav":
        length = int.from_bytes(head[4:8], "little")
        return at + 8 + length + (length & 1)
    if kind == "iff":
        return at + 8 + int.from_bytes(head[4:8])
    if kind == "au":
        return at + int.from_bytes(head[4:8]) + int.from_bytes(head[8:12])
    if kind == "mmf":
        return at + 8 + int.from_bytes(head[4:8])
    if kind == "w64":
        return at + (int.from_bytes(head[16:24], "little") + 7 & ~7)
    if kind == "sphere":
        return _sphere(head, at)
    if kind == "tta":
        return _true_audio(file, head, at)
    if kind is None or kind in _NO_SIZES:
        return next_beginning(file, at, size, kind)
    if kind not in _WALKS:
        return None
    skipped, step = _WALKS[kind]
    return _walk(file, at + skipped(head), size, step)


def _walk(file: IO[bytes], at: int, size: int, step: Step) -> int | None:
    """Return where the blocks of a container end: before something else, or behind the end of a file that is cut off.
    None where the file ends with them.
    """
    begin = at
    for _ in range(_MOST_STEPS):
        head = read_at(file, at, HEAD)
        if at >= size or not head:
            return at if at > size + _PADDING else None
        if at > begin and kind_of(head) is not None:
            return at
        length = step(head)
        if length == _NO_BLOCK and at > begin:
            return at
        if length <= 0:
            return None
        at += length
    return None


def _caf(head: bytes) -> int:
    length = int.from_bytes(head[4:12], signed=True)
    if not _is_name(head[:4]):
        return _NO_BLOCK
    return 12 + length if length >= 0 else 0


def _box(head: bytes) -> int:
    length = int.from_bytes(head[:4])
    length = int.from_bytes(head[8:16]) if length == 1 else length
    return length if length >= 8 and _is_name(head[4:8]) else 0 if length == 0 else _NO_BLOCK


def _is_name(name: bytes) -> bool:
    return all(32 <= byte < 127 or byte == 0xA9 for byte in name)


def _avi(head: bytes) -> int:
    length = int.from_bytes(head[4:8], "little")
    return 8 + length + (length & 1) if head[:4] in (b"RIFF", b"JUNK", b"idx1", b"LIST") else _NO_BLOCK


def _asf(head: bytes) -> int:
    return int.from_bytes(head[16:24], "little")


def _flv(head: bytes) -> int:
    return 11 + int.from_bytes(head[1:4]) + 4 if head[0] & 0x1F in (8, 9, 18) else _NO_BLOCK


def _element(head: bytes) -> int:
    """Return the length of an element of EBML with its name of four bytes; 0 where it is unknown."""
    width = 9 - head[4].bit_length() if len(head) > 4 and head[4] else 9
    length = int.from_bytes(head[4 : 4 + width]) & (1 << 7 * width) - 1
    known = width < 9 and length != (1 << 7 * width) - 1
    if head[:4] not in (EBML, _SEGMENT):
        return _NO_BLOCK
    return 4 + width + length if known else 0


def _wavpack(head: bytes) -> int:
    return 8 + int.from_bytes(head[4:8], "little") if head[:4] == b"wvpk" else _tag(head) or _NO_BLOCK


def _tag(head: bytes) -> int:
    """Return the length of a tag behind a recording: APEv2, which begins with a header, or ID3v1."""
    if head[:8] == b"APETAGEX":
        return 32 + int.from_bytes(head[12:16], "little")
    return 128 if head[:3] == b"TAG" else 0


def _voice(head: bytes) -> int:
    if not head[0]:
        return 1
    return 4 + int.from_bytes(head[1:4], "little") if head[0] <= 9 else _NO_BLOCK


_WALKS: Mapping[str, tuple[Callable[[bytes], int], Step]] = {
    "caf": (lambda _: 8, _caf),
    "mp4": (lambda _: 0, _box),
    "avi": (lambda _: 0, _avi),
    "asf": (lambda _: 0, _asf),
    "flv": (lambda head: int.from_bytes(head[5:9]) + 4, _flv),
    "matroska": (lambda _: 0, _element),
    "wavpack": (lambda _: 0, _wavpack),
    "voice": (lambda head: int.from_bytes(head[20:22], "little"), _voice),
}
"""Bytes before the first block of a container, and the length of a block."""
WALKED = frozenset(_WALKS)
"""Kinds whose blocks are walked through, and so are known to be cut off."""


def _sphere(head: bytes, at: int) -> int | None:
    """Return the end of a file of NIST SPHERE, from its header in plain text."""
    fields = {name: int(value) for name, value in re.findall(rb"(\w+) -i (\d{1,12})\n", head)}
    wanted = [fields.get(name) for name in (b"sample_count", b"channel_count", b"sample_n_bytes")]
    length = re.match(rb"NIST_1A\n *(\d{1,6})\n", head)
    if length is None or any(value is None for value in wanted):
        return None
    samples, channels, width = (value or 0 for value in wanted)
    return at + int(length[1]) + samples * channels * width


def _true_audio(file: IO[bytes], head: bytes, at: int) -> int | None:
    """Return the end of a file of True Audio: its table of frames, and their lengths."""
    rate, samples = int.from_bytes(head[10:14], "little"), int.from_bytes(head[14:18], "little")
    frame = rate * 256 // 245
    count = -(-samples // frame) if frame else 0
    if not 0 < count <= _MOST_STEPS:
        return None
    table = read_at(file, at + 22, 4 * count)
    end = at + 22 + 4 * count + 4 + sum(int.from_bytes(table[i : i + 4], "little") for i in range(0, len(table), 4))
    while length := _tag(read_at(file, end, 32)):
        end += length
    return end
