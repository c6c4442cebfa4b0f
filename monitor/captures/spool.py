"""The RTP packets of a capture, kept by stream while its calls are looked for: small ones in memory, else on disk.

The packets of a call lie scattered over its capture. Read once and kept by stream, each call can be read by itself,
however many there are.
"""

from __future__ import annotations

import struct
import tempfile
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from monitor.rtp.packet import MalformedPacketError, RtpPacket, parse_rtp

IN_MEMORY = 32 << 20
"""Bytes of packets beyond which they go to a temporary file, which no other program can open."""
PAGE, MOST_BUFFERED = 16 << 10, 32 << 20
"""Bytes of one stream that are written at once, and of all streams that wait to be."""
_READ_AHEAD = 64 << 10
_ENTRY = struct.Struct("<dQHH")
"""Time, number within the capture, length, bytes cut off."""
ENTRY_BYTES = _ENTRY.size


class PacketSpool:
    """Bytes that are appended, and read at their place. For one thread at a time."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._end = 0

    def append(self, data: bytes | bytearray) -> int:
        """Append data, and return its place. Raises OSError, such as for a disk that is full."""
        place, self._end = self._end, self._end + len(data)
        if self._file is None and self._end > IN_MEMORY:
            self._file = cast("IO[bytes]", tempfile.TemporaryFile(prefix="monitor-capture-"))  # noqa: SIM115
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += data
        else:
            self._file.seek(place)
            self._file.write(data)
        return place

    def read(self, place: int, size: int) -> bytes:
        """Return this many bytes from that place on, fewer at the end."""
        if self._file is None:
            return bytes(self._memory[place : place + size])
        self._file.seek(place)
        return self._file.read(size)

    def close(self) -> None:
        """Let go of everything."""
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()


@dataclass(slots=True)
class Span:
    """Packets of a stream without a pause longer than SPLIT_S. first, last: sequence numbers at both ends."""

    begin: float
    end: float
    packets: int
    first: int
    last: int


SPLIT_S = 10.0
_MOST_SPANS = 10_000


class StreamLog:
    """The packets of one SSRC of a flow. ends: see Datagram. kinds: packets by payload type. cut: packets that the
    capture holds in part. spans: see Span, by their beginning.
    """

    __slots__ = ("buffer", "cut", "ends", "kinds", "packets", "pages", "spans", "ssrc")

    def __init__(self, ends: bytes, ssrc: int) -> None:
        self.ends, self.ssrc = ends, ssrc
        self.packets = self.cut = 0
        self.kinds: dict[int, int] = {}
        self.spans: list[Span] = []
        self.buffer = bytearray()
        self.pages = array("Q")
        """Place and size of each page, by turns."""

    def add(self, at: float, number: int, data: bytes, missing: int) -> None:
        """Keep a packet."""
        self.packets += 1
        kind, sequence = data[1] & 0x7F, data[2] << 8 | data[3]
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if missing:
            self.cut += 1
        span = self.spans[-1] if self.spans else None
        if span is not None and span.end <= at <= span.end + SPLIT_S:
            span.end, span.last = at, sequence
            span.packets += 1
        else:
            self._span(at, sequence)
        self.buffer += _ENTRY.pack(at, number, len(data), min(missing, 0xFFFF))
        self.buffer += data

    def _span(self, at: float, sequence: int) -> None:
        """Begin a span with a packet that does not continue the newest one."""
        for span in reversed(self.spans[-64:]):
            if span.begin - SPLIT_S <= at <= span.end + SPLIT_S:
                if at < span.begin:
                    span.begin, span.first = at, sequence
                elif at > span.end:
                    span.end, span.last = at, sequence
                span.packets += 1
                return
        if len(self.spans) < _MOST_SPANS:
            self.spans.append(Span(at, at, 1, sequence, sequence))

    def write(self, spool: PacketSpool) -> int:
        """Move what is buffered to the spool. Returns the number of bytes."""
        size = len(self.buffer)
        if size:
            self.pages.extend((spool.append(self.buffer), size))
            self.buffer = bytearray()
        return size

    def read(self, spool: PacketSpool, most: int | None = None) -> Iterator[tuple[float, int, int, bytes, int]]:
        """Time, number, place, bytes and bytes cut off of each packet, in the order of the file."""
        given = 0
        for i in range(0, len(self.pages), 2):
            place, size = self.pages[i], self.pages[i + 1]
            page, at = spool.read(place, size), 0
            while at < len(page):
                time, number, length, missing = _ENTRY.unpack_from(page, at)
                at += _ENTRY.size
                yield time, number, place + at, page[at : at + length], missing
                at += length
                given += 1
                if most is not None and given >= most:
                    return


@dataclass(frozen=True)
class PacketIndex:
    """The packets of a stream, each array (n,): time in seconds, number within the capture, sequence number, timestamp,
    place in the spool, length and bytes cut off.
    """

    at: NDArray[np.float64]
    number: NDArray[np.int64]
    sequence: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    place: NDArray[np.int64]
    length: NDArray[np.int64]
    missing: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> PacketIndex:
        """Return some of them, or all in another order."""
        return PacketIndex(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def index(log: StreamLog, spool: PacketSpool) -> PacketIndex:
    """Return where the packets of a stream are, in the order of the file."""
    times, rows = array("d"), array("q")
    for at, number, place, data, missing in log.read(spool):
        times.append(at)
        rows.extend((number, data[2] << 8 | data[3], int.from_bytes(data[4:8]), place, len(data), missing))
    table = np.array(rows, np.int64).reshape(-1, 6)
    return PacketIndex(np.array(times, np.float64), *(table[:, i] for i in range(6)))


class PacketReader:
    """Reads packets one after the other; those that lie together cost one read. decrypt: what is to be done to each
    first; it gives None for a packet that cannot be decrypted, whose audio is then missing.
    """

    def __init__(self, spool: PacketSpool, decrypt: Callable[[bytes], bytes | None] | None = None) -> None:
        self._spool, self._decrypt = spool, decrypt
        self._begin, self._held = 0, b""

    def read(self, place: int, length: int, missing: int) -> RtpPacket | None:
        """Return a packet; None for one that is no RTP after all. missing: bytes cut off."""
        at = place - self._begin
        if at < 0 or at + length > len(self._held):
            self._begin, self._held = place, self._spool.read(place, max(length, _READ_AHEAD))
            at = 0
        data = self._held[at : at + length]
        if self._decrypt is not None and not missing:
            plain = self._decrypt(data)
            data, missing = (data, 1) if plain is None else (plain, 0)
        try:
            return parse_rtp(data, missing)
        except MalformedPacketError:
            return None
