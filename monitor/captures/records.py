"""Packets of a capture file: pcap and pcapng, plain or compressed.

Formats: pcap (draft-ietf-opsawg-pcap), pcapng (draft-ietf-opsawg-pcapng). Each interface of a pcapng section has a link
type, a time resolution and a time offset of its own.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

from monitor.errors import BadInputError

HINT = "save it as pcap or pcapng, for instance with tcpdump -w call.pcap udp, or convert it with editcap"
PCAP: dict[bytes, tuple[str, float, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1e-6, 24),
    b"\xa1\xb2\xcd\x34": (">", 1e-6, 24),
}
"""Magic number to byte order, seconds of a unit of time, and bytes before each packet (24: a patched libpcap)."""
VERSION = (2, 4)
PCAPNG = b"\x0a\x0d\x0d\x0a"
_MAGIC = frozenset({*PCAP, PCAPNG})
FOREIGN: dict[bytes, str] = {
    b"snoop\0\0\0": "a snoop capture (Solaris)",
    b"RTSS": "a capture of Network Monitor",
    b"GMBU": "a capture of Network Monitor",
    b"TRSNIFF ": "a capture of Sniffer",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\x04\x22\x4d\x18": "compressed with lz4",
}
"""Beginnings of files that hold captures, too, and are not read."""
_COMPRESSED: dict[bytes, Callable[[IO[bytes]], object]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, struct.error, OverflowError, MemoryError)
_LARGEST = 1 << 18
"""Bytes of one captured packet; a record that says more is a broken file."""
_LARGEST_BLOCK = 1 << 24
_MOST_INTERFACES = 10_000
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_RESOLUTION, _OFFSET = 9, 14


class CutOffError(Exception):
    """The file ends, or goes wrong, in the middle of a packet."""


class CapturedPacket(NamedTuple):
    """One captured packet. at: seconds since 1970, by the clock of the capture. link: the link type (LINKTYPE_...)."""

    at: float
    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Interface:
    """unit: seconds of one tick. offset: seconds that are added. snap: bytes that are kept of a packet, 0 = all."""

    link: int
    snap: int
    unit: float = 1e-6
    offset: int = 0


def is_capture(path: Path) -> bool:
    """Return whether a file is a capture by its first bytes, be it one that is not read. False for what cannot be
    read."""
    try:
        with _opened(path) as file:
            head = file.read(8)
    except (OSError, *_BROKEN, BadInputError):
        return False
    return _begins(head) or any(head.startswith(magic) for magic in FOREIGN)


def _begins(head: bytes) -> bool:
    """Return whether a capture begins with these bytes."""
    return head[:4] in PCAP or head[:4] == PCAPNG


def _begins_anew(head: bytes) -> bool:
    """Return whether these bytes of a capture are the beginning of another, which `cat` has put behind it."""
    order = PCAP[head[:4]][0] if head[:4] in PCAP else ""
    return head[:4] == PCAPNG or (bool(order) and struct.unpack_from(order + "HH", head, 4) == VERSION)


class _Source:
    """A file, before whose next bytes others may be held."""

    def __init__(self, file: IO[bytes]) -> None:
        self._read = file.read
        self.held = b""

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        if not self.held:
            return self._read(size)
        data, self.held = self.held[:size], self.held[size:]
        return data if len(data) == size else data + self._read(size - len(data))


def records(path: Path) -> Iterator[CapturedPacket]:
    """Yield the packets of a file in its order.

    Raises BadInputError for what is not a capture, and CutOffError behind the last whole packet of one that is cut off.
    """
    with _opened(path) as file:
        try:
            source = _Source(file)
            head = source.read(8)
            if not _begins(head):
                kind = next((text for magic, text in FOREIGN.items() if head.startswith(magic)), "no network capture")
                raise BadInputError(f"{path} is {kind}", HINT)
            while head:
                reader = _pcapng if head[:4] == PCAPNG else _pcap
                source.held = yield from reader(source, head)
                head = source.read(8)
        except _BROKEN as error:
            raise CutOffError(str(error) or type(error).__name__) from error
        except OSError as error:
            raise CutOffError(f"it cannot be read on: {error.strerror or error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        plain = path.open("rb", buffering=1 << 20)
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}", "check the name and its permissions") from error
    with plain:
        head = plain.read(8)
        plain.seek(0)
        unpack = next((opener for magic, opener in _COMPRESSED.items() if head.startswith(magic)), None)
        yield plain if unpack is None else cast("IO[bytes]", unpack(plain))


def _exactly(file: _Source, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise CutOffError(f"{size - len(data)} bytes are missing")
    return data


def _pcap(file: _Source, head: bytes) -> Generator[CapturedPacket, None, bytes]:
    """Yield the packets of a file that begins so. Returns the bytes with which another one begins behind it, or b""."""
    order, unit, size = PCAP[head[:4]]
    *_, link = struct.unpack(order + "4xIII", _exactly(file, 16))
    link &= 0xFFFF  # the upper bits say how long the frame check sequence is
    read, unpack = file.read, struct.Struct(order + "IIII").unpack_from
    while header := read(size):
        if len(header) < size:
            raise CutOffError(f"{size - len(header)} bytes are missing")
        if header[:4] in _MAGIC and _begins_anew(header):
            return header
        seconds, fraction, length, _ = unpack(header)
        if length > _LARGEST:
            raise CutOffError(f"a packet of {length} bytes")
        data = read(length)
        if len(data) < length:
            raise CutOffError(f"{length - len(data)} bytes are missing")
        yield CapturedPacket(seconds + fraction * unit, link, data)
    return b""


def _pcapng(file: _Source, head: bytes) -> Generator[CapturedPacket, None, bytes]:
    """Yield the records of a pcapng file, as _pcap() does."""
    order, interfaces, newest = "<", list[_Interface](), 0.0
    while head:
        if len(head) < 8:
            raise CutOffError(f"{8 - len(head)} bytes are missing")
        if head[:4] in PCAP and _begins_anew(head):
            return head
        body = b""
        if head[:4] == PCAPNG:
            body = _exactly(file, 4)
            order, interfaces = (">" if body == b"\x1a\x2b\x3c\x4d" else "<"), []
        kind, length = struct.unpack(order + "II", head)
        if not 12 <= length <= _LARGEST_BLOCK:
            raise CutOffError(f"a block of {length} bytes")
        body += _exactly(file, length - 8 - len(body))
        if kind == _INTERFACE and len(interfaces) < _MOST_INTERFACES:
            interfaces.append(_interface(body[:-4], order))
        elif kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
            record = _packet(kind, body[:-4], order, interfaces, newest)
            newest = record.at
            yield record
        head = file.read(8)
    return b""


def _interface(body: bytes, order: str) -> _Interface:
    link, snap = struct.unpack_from(order + "HxxI", body)
    unit, offset, at = 1e-6, 0, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == _RESOLUTION and len(value) == 1:
            unit = 2.0 ** -(value[0] & 0x7F) if value[0] & 0x80 else 10.0 ** -value[0]
        elif code == _OFFSET and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0]
        at += 4 + (length + 3 & ~3)
    return _Interface(link, snap, unit, offset)


def _packet(kind: int, body: bytes, order: str, interfaces: list[_Interface], newest: float) -> CapturedPacket:
    """Return a packet of any of the three blocks. One of the simplest kind has no time: it gets that of the one
    before."""
    if kind == _SIMPLE_PACKET:
        number, begin = 0, 4
    elif kind == _OLD_PACKET:
        number, high, low, length = struct.unpack_from(order + "HxxIII", body)
        begin = 20
    else:
        number, high, low, length = struct.unpack_from(order + "IIII", body)
        begin = 20
    if number >= len(interfaces):
        raise CutOffError(f"a packet of interface {number}, which is not described")
    interface = interfaces[number]
    if kind == _SIMPLE_PACKET:
        (length,) = struct.unpack_from(order + "I", body)
        length = min(length, interface.snap or length, len(body) - begin)
        return CapturedPacket(newest, interface.link, body[begin : begin + length])
    if begin + length > len(body):
        raise CutOffError(f"a packet of {length} bytes in a block of {len(body)}")
    return CapturedPacket(
        (high << 32 | low) * interface.unit + interface.offset, interface.link, body[begin : begin + length]
    )
