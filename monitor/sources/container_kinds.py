"""The kind of a recording by its first bytes, and where in a file another one begins."""

from __future__ import annotations

import re
from typing import IO

ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
W64 = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
WTV = bytes.fromhex("b7d800203749da11a64e0007e95ead8d")
EBML = b"\x1a\x45\xdf\xa3"
HEAD = 64
"""Bytes by which a kind is recognised."""
LARGEST = 1 << 43
"""No file has a byte there, though damaged ones say so; systems refuse to seek to some such places."""
_SEARCHED = 1 << 20
_LOOKS: tuple[tuple[str, bytes, int, bytes], ...] = (
    ("wav", b"WAVE", 8, rb"RIFF....WAVE"),
    ("avi", b"AVI ", 8, rb"RIFF....AVI "),
    ("iff", b"AIFF", 8, rb"FORM....AIFF"),
    ("iff", b"AIFC", 8, rb"FORM....AIFC"),
    ("iff", b"8SVX", 8, rb"FORM....8SVX"),
    ("iff", b"16SV", 8, rb"FORM....16SV"),
    ("iff", b"MAUD", 8, rb"FORM....MAUD"),
    ("mp4", b"ftyp", 4, rb"\0\0..ftyp(?!avi|hei|mif|msf)"),
    ("au", b".snd\0\0", 0, rb"\.snd\0\0.{6}\0\0\0[\x01-\x1f]"),
    ("caf", b"caff\0\x01", 0, rb"caff\0\x01"),
    ("asf", ASF, 0, re.escape(ASF)),
    ("w64", W64, 0, re.escape(W64)),
    ("matroska", EBML, 0, re.escape(EBML) + rb".{1,20}\x42[\x82\x86]"),
    ("flv", b"FLV\x01", 0, rb"FLV\x01.\0\0\0\x09"),
    ("tta", b"TTA1", 0, rb"TTA1[\x01-\x03]\0"),
    ("wavpack", b"wvpk", 0, rb"wvpk.{5}\x04.{6}\0{4}"),
    ("voice", b"Creative Voice File\x1a", 0, rb"Creative Voice File\x1a"),
    ("sphere", b"NIST_1A\n", 0, rb"NIST_1A\n"),
    ("ogg", b"OggS\0\x02", 0, rb"OggS\0\x02\0{8}"),
    ("flac", b"fLaC", 0, rb"fLaC[\0\x80]\0\0\x22"),
    ("amr", b"#!AMR", 0, rb"#!AMR(-WB)?\n"),
    ("nut", b"nut/multimedia container\0", 0, rb"nut/multimedia container\0"),
    ("wtv", WTV, 0, re.escape(WTV)),
    ("swf", b"WS", 1, rb"[CF]WS[\x03-\x32]"),
    ("smjpeg", b"\0\nSMJPEG", 0, rb"\0\nSMJPEG"),
    ("adx", b"\x80\0", 0, rb"\x80\0..\x03\x12\x04[\x01\x02]"),
    ("mmf", b"MMMD", 0, rb"MMMD....CNTI"),
    ("argo", b"ASF\0", 0, rb"ASF\0[\x01\x02]\0[\x01\x02]\0"),
    ("ast", b"STRM", 0, rb"STRM.{4}\0[\0\x01]\0\x10"),
    ("id3", b"ID3", 0, rb"ID3[\x02-\x04]\0.[\0-\x7f]{4}"),
)
"""Kind, bytes to look for and how far behind its beginning they are, and its beginning as a pattern."""
_PATTERNS = tuple((kind, re.compile(pattern, re.DOTALL)) for kind, _, _, pattern in _LOOKS)
_NOT_INSIDE = frozenset(
    {"wav", "avi", "iff", "mp4", "au", "caf", "asf", "w64", "ogg", "flac", "amr", "nut", "matroska"}
)
"""Kinds that are looked for in files of other kinds, too: none of those has bytes like theirs inside."""


def kind_of(head: bytes) -> str | None:
    """Name the kind of recording that begins so; head: HEAD bytes."""
    return next((kind for kind, pattern in _PATTERNS if pattern.match(head)), None)


def read_at(file: IO[bytes], at: int, count: int) -> bytes:
    """Return bytes at a place; none where no file can have any."""
    if not 0 <= at < LARGEST:
        return b""
    file.seek(at)
    return file.read(count)


def next_beginning(file: IO[bytes], at: int, size: int, kind: str | None) -> int | None:
    """Return where another recording begins behind the one of that kind that begins there; None where none does."""
    wanted = [look[1:3] for look in _LOOKS if look[0] == kind or look[0] in _NOT_INSIDE]
    at += 1
    while at < size:
        block = read_at(file, at, _SEARCHED + HEAD)
        found = [place for look in wanted for place in _places(block, *look)]
        if found:
            return at + min(found)
        at += _SEARCHED
    return None


def _places(block: bytes, magic: bytes, skipped: int) -> list[int]:
    """Return the first place in a block where a kind begins, as a list."""
    place = block.find(magic, skipped)
    while place >= 0:
        if kind_of(block[place - skipped : place - skipped + HEAD]) is not None:
            return [place - skipped]
        place = block.find(magic, place + 1)
    return []
