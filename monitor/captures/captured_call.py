"""A call of a capture as values: its parties, and which packets of which streams are theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.captures.ip_packets import Endpoint, endpoints
from monitor.captures.spool import Span, StreamLog
from monitor.rtp.codecs import is_supported
from monitor.rtp.payload import SILENT, PayloadFormat


@dataclass(frozen=True, slots=True)
class LegPart:
    """Packets of a stream from begin to end, seconds since 1970. spans: when there were any. encrypted: SRTP whose key
    is not known. key: the line of a description with the key that decrypts it; "" = it is not encrypted. refused: why
    its payloads cannot be what they are said to be, or "".
    """

    log: StreamLog
    begin: float
    end: float
    spans: tuple[Span, ...]
    formats: Mapping[int, PayloadFormat]
    encrypted: bool = False
    key: str = ""
    refused: str = ""

    @property
    def flow(self) -> tuple[Endpoint, Endpoint]:
        """Return source and target."""
        return endpoints(self.log.ends)

    @property
    def packets(self) -> int:
        return sum(span.packets for span in self.spans)

    @property
    def audible(self) -> bool:
        """Return whether any of its packets can be decoded."""
        formats = [self.formats.get(kind) for kind in self.log.kinds]
        return not (self.encrypted or self.refused) and any(
            f and is_supported(f) and f.encoding not in SILENT for f in formats
        )


@dataclass(frozen=True, slots=True)
class Leg:
    """One party of a call. name: caller or callee, or its address. parts: in order of time."""

    name: str
    parts: tuple[LegPart, ...]

    @property
    def audible(self) -> bool:
        """Return whether anything of it can be decoded."""
        return any(part.audible for part in self.parts)


@dataclass(frozen=True, slots=True)
class CapturedCall:
    """begun, ended: time of the first and the last packet of its audio, seconds since 1970. parties: caller and callee
    as SIP names them, "" where it does not.
    """

    legs: tuple[Leg, ...]
    begun: float
    ended: float
    parties: tuple[str, str] = ("", "")


def cut(part: LegPart, begin: float, end: float) -> list[LegPart]:
    """Return a part between two moments: none, or one."""
    spans = []
    for span in part.spans:
        inside = min(end, span.end) - max(begin, span.begin)
        if inside < 0 or span.begin >= end:
            continue
        whole = span.end - span.begin
        share = inside / whole if whole else 1.0
        if packets := max(1, round(share * span.packets)) if share else 0:
            spans.append(Span(max(begin, span.begin), min(end, span.end), packets, span.first, span.last))
    return [replace(part, begin=begin, end=end, spans=tuple(spans))] if spans else []
