"""UDP datagrams of a capture: pcap, pcapng, also gzipped; Ethernet, VLAN, Linux cooked, raw IP; IPv4 and IPv6."""

from __future__ import annotations

import gzip
import ipaddress
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import dpkt

from monitor.errors import BadInputError

PCAP = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
PCAPNG = b"\x0a\x0d\x0d\x0a"
GZIP = b"\x1f\x8b"
HINT = "save it as pcap or pcapng, for instance with tcpdump -w call.pcap udp"

Endpoint = tuple[str, int]
"""Address and port."""

_RAW, _NULL = (12, 14, 101, 228, 229), (0, 108)
_LINKS: dict[int, Any] = {1: dpkt.ethernet.Ethernet, 113: dpkt.sll.SLL, 276: dpkt.sll2.SLL2}
_LARGEST = 1 << 18
"""Bytes of one captured packet; a record that says more is a broken file."""


class CutOffError(Exception):
    """The file ends, or goes wrong, in the middle of a packet."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram. at: seconds since 1970, by the clock of the capture."""

    at: float
    source: Endpoint
    target: Endpoint
    data: bytes


def is_capture(path: Path) -> bool:
    """Whether a file is a capture by its first bytes. False for what cannot be read."""
    try:
        with _opened(path) as file:
            head = file.read(4)
    except (OSError, EOFError, zlib.error, BadInputError):
        return False
    return head in PCAP or head == PCAPNG


def datagrams(path: Path) -> Iterator[Datagram]:
    """The datagrams of a file in its order; other packets are passed over.

    Raises BadInputError for what is no capture, and CutOffError behind the last whole packet of one that is cut off.
    """
    with _opened(path) as file:
        try:
            reader = _reader(file, path)
            link = reader.datalink()
            if link not in _LINKS and link not in _RAW + _NULL:
                raise BadInputError(f"{path} has link type {link}, which is not supported", HINT)
            for at, frame in reader:
                if len(frame) > _LARGEST:
                    raise CutOffError(f"a packet of {len(frame)} bytes")
                found = _datagram(float(at), bytes(frame), link)
                if found is not None:
                    yield found
        except (dpkt.Error, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError, MemoryError) as error:
            raise CutOffError(str(error) or type(error).__name__) from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        plain = path.open("rb")
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}", "check the name and its permissions") from error
    with plain:
        packed = plain.read(2) == GZIP
        plain.seek(0)
        if not packed:
            yield plain
            return
        with gzip.open(plain) as unpacked:
            yield cast("IO[bytes]", unpacked)


class _Whole:
    """A file whose reads give all or nothing: dpkt takes a record that is cut off for a short one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.name = "capture"
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if 0 < len(data) < size:
            raise CutOffError(f"{size - len(data)} bytes are missing")
        return data

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)


def _reader(file: IO[bytes], path: Path) -> Any:
    head = file.read(4)
    file.seek(0)
    if head in PCAP:
        return dpkt.pcap.Reader(_Whole(file))
    if head == PCAPNG:
        return dpkt.pcapng.Reader(_Whole(file))
    raise BadInputError(f"{path} is no network capture", HINT)


def _datagram(at: float, frame: bytes, link: int) -> Datagram | None:
    """The UDP datagram in a frame, or None. Fragments other than whole datagrams are passed over."""
    try:
        ip = _network_layer(frame, link)
        if not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(ip.data, dpkt.udp.UDP):
            return None
        if isinstance(ip, dpkt.ip.IP) and (ip.mf or ip.offset):
            return None
        udp = ip.data
        data = bytes(udp.data)[: max(0, udp.ulen - 8)]
        source, target = str(ipaddress.ip_address(ip.src)), str(ipaddress.ip_address(ip.dst))
    except (dpkt.Error, ValueError, IndexError, AttributeError, TypeError, KeyError):
        # dpkt is given any bytes at all: what it trips over is not a datagram.
        return None
    return Datagram(at, (source, int(udp.sport)), (target, int(udp.dport)), data)


def _network_layer(frame: bytes, link: int) -> Any:
    if link in _LINKS:
        return _LINKS[link](frame).data
    if link in _NULL:
        frame = frame[4:]
    return dpkt.ip6.IP6(frame) if frame[:1] and frame[0] >> 4 == 6 else dpkt.ip.IP(frame)
