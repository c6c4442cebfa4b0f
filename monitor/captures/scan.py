"""One pass over a capture: SIP messages, and RTP packets kept by stream. Everything else is counted by its name."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from pathlib import Path

from monitor.captures.dialogues import Dialogues
from monitor.captures.frames import Found, packets
from monitor.captures.ip_packets import CUT_SHORT, Datagram, endpoints
from monitor.captures.records import CutOffError
from monitor.captures.sip import parse_sip
from monitor.captures.sip_streams import SipStreams
from monitor.captures.spool import ENTRY_BYTES, MOST_BUFFERED, PAGE, PacketSpool, StreamLog

LEAST_PACKETS = 10
"""A stream that nothing announces needs so many to count as RTP."""
MOST_CANDIDATES = 20_000
"""Streams of fewer packets that are remembered; beyond it the oldest is forgotten, and counted."""
MOST_ENCRYPTED = 10_000


class Scan:
    """The contents of a capture. logs: by ends and SSRC. counts: packets that are neither RTP nor SIP, by their kind.
    keyed: flows, as ends, on which keys for SRTP were agreed by DTLS. cut_off: why the file ends early, or "".
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.dialogues = Dialogues(self.counts)
        self.spool = PacketSpool()
        self.keyed: set[bytes] = set()
        self.cut_off = ""
        self._logs: dict[bytes, StreamLog] = {}
        self._candidates: OrderedDict[bytes, StreamLog] = OrderedDict()
        self._sip = SipStreams(self.counts)
        self._number = self._buffered = 0

    @property
    def logs(self) -> list[StreamLog]:
        """Return all streams, of however few packets."""
        return [*self._logs.values(), *self._candidates.values()]

    def take(self, found: Iterable[Found]) -> None:
        """Take what frames.packets() gives."""
        logs, rtp = self._logs, self._rtp
        for item in found:
            self._number += 1
            data = item.data
            if isinstance(item, Datagram):
                if len(data) >= 12 and data[0] & 0xC0 == 0x80 and not 192 <= data[1] <= 223:
                    log = logs.get(item.ends + data[8:12])
                    if log is None:
                        rtp(item)
                        continue
                    log.add(item.at, self._number, data, item.missing)
                    self._buffered += len(data) + ENTRY_BYTES
                    if len(log.buffer) >= PAGE:
                        self._buffered -= log.write(self.spool)
                    if self._buffered > MOST_BUFFERED:
                        self._write_all()
                else:
                    self._other(item)
            else:
                for message in self._sip.take(item):
                    self._signalling(message, item.at, item.ends)

    def close(self) -> None:
        """Write what is still held to the spool: there are no more packets."""
        for log in self.logs:
            log.write(self.spool)

    def _rtp(self, item: Datagram) -> None:
        """Add a packet to a stream that has few so far."""
        key = item.ends + item.data[8:12]
        log = self._candidates.get(key)
        if log is None:
            log = self._candidates[key] = StreamLog(item.ends, int.from_bytes(item.data[8:12]))
            if len(self._candidates) > MOST_CANDIDATES:
                self._candidates.popitem(last=False)
                self.counts["UDP datagrams that look like RTP, each of another stream"] += 1
        log.add(item.at, self._number, item.data, item.missing)
        if log.packets < LEAST_PACKETS:
            return
        self._logs[key] = self._candidates.pop(key)
        self._buffered += len(log.buffer)

    def _write_all(self) -> None:
        for log in self._logs.values():
            log.write(self.spool)
        self._buffered = 0

    def _other(self, item: Datagram) -> None:
        data = item.data.lstrip(b"\r\n")  # line ends may stand before a message (RFC 3261, section 7.5)
        message = parse_sip(data) if data[:1].isupper() else None
        if message is not None:
            if item.missing:
                self.counts["SIP messages cut short by the capture"] += 1
            self.dialogues.take(message, item.at, endpoints(item.ends)[0])
            return
        name = CUT_SHORT if item.missing else kind_of(item)
        self.counts[name] += 1
        if name == DTLS and len(self.keyed) < MOST_ENCRYPTED:
            self.keyed |= {item.ends, _reversed(item.ends)}

    def _signalling(self, data: bytes, at: float, ends: bytes) -> None:
        message = parse_sip(data)
        if message is not None:
            self.dialogues.take(message, at, endpoints(ends)[0])


def scan(path: Path) -> Scan:
    """Read a capture once, one that is cut off as far as it goes. Raises BadInputError for what is not a capture."""
    found = Scan()
    try:
        found.take(packets(path, found.counts))
    except CutOffError as error:
        found.cut_off = str(error)
    found.close()
    return found


DTLS = "DTLS (keys of encrypted audio)"


def kind_of(item: Datagram) -> str:
    """Name a datagram that is neither RTP nor SIP, by its look (RFC 7983) or its port."""
    data, ports = item.data, (int.from_bytes(item.ends[-4:-2]), int.from_bytes(item.ends[-2:]))
    first = data[0] if data else 0
    if len(data) >= 8 and first & 0xC0 == 0x80 and 192 <= data[1] <= 223:
        return "RTCP"
    if len(data) >= 20 and first < 4 and data[4:8] == b"\x21\x12\xa4\x42":
        return "STUN"
    if 20 <= first <= 63 and data[1:2] == b"\xfe":
        return DTLS
    if 64 <= first <= 79 and len(data) >= 4 and int.from_bytes(data[2:4]) <= len(data) - 4:
        return "TURN channel data"
    if data[:4] in (b"HEP3", b"HEP2"):
        return "HEP (copies of SIP for Homer)"
    if 4500 in ports and data[:4] != b"\0\0\0\0":
        return "IPsec ESP (encrypted)"
    known = {53: "DNS", 5353: "DNS", 1701: "L2TP", 500: "IKE", 443: "QUIC", 1194: "OpenVPN", 4569: "IAX2"}
    known |= {51820: "WireGuard (encrypted)", 4341: "LISP", 5247: "CAPWAP", 2427: "MGCP", 2727: "MGCP", 2944: "H.248"}
    return next((known[port] for port in ports if port in known), "other UDP")


def _reversed(ends: bytes) -> bytes:
    size = len(ends) // 2 - 2
    return ends[size : 2 * size] + ends[:size] + ends[-2:] + ends[-4:-2]
