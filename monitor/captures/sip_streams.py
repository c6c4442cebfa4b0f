"""SIP over TCP (RFC 3261, section 18.3) and over WebSocket (RFC 7118, RFC 6455): from segments to messages.

Only connections that begin with SIP, or with the handshake of a WebSocket, are followed. A hole in a stream costs the
message that it is in.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterator

from monitor.captures.ip_packets import TcpSegment
from monitor.captures.sip import START, read_headers

MOST_STREAMS = 4096
"""Directions of connections that are followed at once; beyond it the one that was silent longest is forgotten."""
MOST_HELD, MOST_BYTES = 64, 1 << 18
"""Segments of one direction that wait for one before them, and bytes of a message that is not whole."""
FIRST_LINE = 2048
"""Bytes; a longer first line is none of SIP."""
SYN = 0x02
_HANDSHAKE = re.compile(rb"(?:GET \S+ HTTP/1\.1|HTTP/1\.1 101 )")
_LENGTH = re.compile(rb"\n(?:content-length|l)\s*:\s*(\d{1,7})\s*\r?\n", re.IGNORECASE)
_SIP_INSIDE = re.compile(rb"(?:^|\n)(?=" + START.pattern + rb")")
_TLS = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
_SIP_TLS = 5061

_RTSP = re.compile(rb"RTSP/1\.0 \d{3} |[A-Z_]{4,14} rtsps?://")
"""A message of RTSP (RFC 2326), which may carry RTP in frames that begin with a dollar sign."""


class SipStreams:
    """Takes TCP segments, gives SIP messages. counts: TCP segments that carry no SIP, and what was not understood."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._streams: OrderedDict[bytes, _Stream] = OrderedDict()

    def take(self, segment: TcpSegment) -> Iterator[bytes]:
        """Yield the messages that a segment makes whole."""
        stream = self._streams.get(segment.ends)
        if stream is None:
            inside = _is_inside(segment.data)
            if not segment.flags & SYN and not inside and not _begins(segment.data):
                self._pass_over(segment)
                return
            stream = _Stream((segment.sequence + (segment.flags & SYN == SYN)) & 0xFFFFFFFF, inside)
            self._streams[segment.ends] = stream
            if len(self._streams) > MOST_STREAMS:
                self._streams.popitem(last=False)
        self._streams.move_to_end(segment.ends)
        if not segment.data and not segment.missing:
            return
        yield from stream.take(segment, self._counts)
        if stream.other:
            del self._streams[segment.ends]
            self._pass_over(segment)

    def _pass_over(self, segment: TcpSegment) -> None:
        tls = int.from_bytes(segment.ends[-4:-2]) == _SIP_TLS or int.from_bytes(segment.ends[-2:]) == _SIP_TLS
        if segment.data and tls and _TLS.match(segment.data):
            self._counts["SIP over TLS (encrypted)"] += 1
        elif segment.data[:2] in (b"$\0", b"$\1") or _RTSP.match(segment.data):
            self._counts["RTSP, whose audio inside TCP is not read"] += 1
        else:
            self._counts["other TCP"] += 1


def _begins(data: bytes) -> bool:
    return bool(START.match(data) or _HANDSHAKE.match(data))


def _is_inside(data: bytes) -> bool:
    """Return whether a message of SIP begins behind the end of another: the capture began after the connection."""
    return (b"SIP/2.0" in data) and not _begins(data) and _SIP_INSIDE.search(data) is not None


class _Stream:
    """One direction of a connection. turn: the sequence number that is due. inside: what comes first is the rest of a
    message. other: it is neither SIP nor WebSocket.
    """

    def __init__(self, turn: int, inside: bool) -> None:
        self.other = False
        self._turn = turn
        self._held: dict[int, TcpSegment] = {}
        self._bytes = bytearray()
        self._begun, self._websocket = inside, False
        self._message, self._compressed = bytearray(), False
        """The frames so far of a WebSocket message."""
        self._inflate: zlib._Decompress | None = None

    def take(self, segment: TcpSegment, counts: Counter[str]) -> Iterator[bytes]:
        ahead = (segment.sequence - self._turn + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        if ahead > 0:
            self._held.setdefault(segment.sequence, segment)
            if len(self._held) <= MOST_HELD:
                return
            self._lose(counts)
            self._turn = min(self._held, key=lambda number: number - self._turn & 0xFFFF_FFFF)
        elif -ahead < len(segment.data) + segment.missing:
            self._append(segment, -ahead, counts)
        while (follows := self._held.pop(self._turn, None)) is not None:
            self._append(follows, 0, counts)
        yield from self._messages(counts)

    def _append(self, segment: TcpSegment, known: int, counts: Counter[str]) -> None:
        self._bytes += segment.data[known:]
        self._turn = segment.sequence + len(segment.data) + segment.missing & 0xFFFF_FFFF
        if segment.missing:
            self._lose(counts)

    def _lose(self, counts: Counter[str]) -> None:
        """Discard unfinished messages: bytes are missing from here on."""
        if self._bytes:
            counts["SIP messages with a part missing"] += 1
        self._bytes.clear()
        self._message.clear()
        self._begun = True  # as SIP: what follows shows whether it is

    def _messages(self, counts: Counter[str]) -> Iterator[bytes]:
        if not self._begun and self._bytes and not self._is_short():
            self._begun = True
            self.other = not _begins(bytes(self._bytes[:2048]))
            self._websocket = bool(_HANDSHAKE.match(self._bytes))
            if self._websocket:
                self._shake_hands()
        if self.other or not self._begun:
            return
        yield from self._frames(counts) if self._websocket else self._plain(counts)
        if len(self._bytes) + len(self._message) > MOST_BYTES:
            self._lose(counts)

    def _shake_hands(self) -> None:
        """Read the head of the request for a WebSocket, or of its answer, once it is whole."""
        head, there, rest = bytes(self._bytes).partition(b"\r\n\r\n")
        self._begun = bool(there)
        if there:
            fields = read_headers(head.decode("latin-1").split("\r\n")[1:])
            self.other = "websocket" not in fields.get("upgrade", "").lower()
            self._bytes = bytearray(rest)
        elif len(self._bytes) > MOST_BYTES:
            self.other = True

    def _is_short(self) -> bool:
        """Return whether the first line is not there yet, by which a connection is recognised."""
        return b"\n" not in self._bytes and len(self._bytes) < FIRST_LINE and self._bytes[:1].isupper()

    def _plain(self, counts: Counter[str]) -> Iterator[bytes]:
        while True:
            start = _SIP_INSIDE.search(self._bytes)
            if start is None:
                del self._bytes[:-FIRST_LINE]
                return
            del self._bytes[: start.end()]
            head = re.search(rb"\r?\n\r?\n", self._bytes)
            if head is None:
                return
            length = _LENGTH.search(self._bytes, 0, head.end())
            end = head.end() + (int(length[1]) if length else 0)
            if end > MOST_BYTES:
                counts["SIP messages with a part missing"] += 1
                del self._bytes[: head.end()]
            elif len(self._bytes) < end:
                return
            else:
                yield bytes(self._bytes[:end])
                del self._bytes[:end]

    def _frames(self, counts: Counter[str]) -> Iterator[bytes]:
        while len(self._bytes) >= 2:
            first, second = self._bytes[0], self._bytes[1]
            size, at = second & 0x7F, 2
            if size > 125:
                at = 4 if size == 126 else 10
                size = int.from_bytes(self._bytes[2:at])
            end = at + (4 if second & 0x80 else 0) + size
            if size > MOST_BYTES:
                self.other = True
                return
            if len(self._bytes) < end:
                return
            data = bytes(self._bytes[end - size : end])
            if second & 0x80:
                mask = bytes(self._bytes[at : at + 4]) * (size // 4 + 1)
                data = (int.from_bytes(data) ^ int.from_bytes(mask[:size])).to_bytes(size)
            del self._bytes[:end]
            if first & 0x0F <= 2:
                self._compressed = bool(first & 0x40) if first & 0x0F else self._compressed
                self._message += data
                if first & 0x80:
                    message = self._whole()
                    if START.match(message):
                        yield message
                    else:
                        counts["WebSocket messages that hold no SIP"] += 1

    def _whole(self) -> bytes:
        """Return the message whose frames have come; b"" for a compressed one (RFC 7692) that builds upon one lost."""
        message = bytes(self._message)
        self._message.clear()
        if not self._compressed:
            return message
        if self._inflate is None or self._inflate.eof:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._inflate.decompress(message + b"\0\0\xff\xff", MOST_BYTES)
        except zlib.error:
            self._inflate = None
            return b""
