"""Reads the audio that a session description announces (SDP, RFC 8866): addresses and payload types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from monitor.rtp.codecs import is_supported
from monitor.rtp.payload import STATIC, PayloadFormat, encoding_name

_RTPMAP = re.compile(r"rtpmap:(\d{1,3})\s+([\w.+-]{1,32})/(\d{1,6})(?:/(\d{1,2}))?", re.ASCII)
_FMTP = re.compile(r"fmtp:(\d{1,3})\s+(.{1,200})", re.ASCII)
_CANDIDATE = re.compile(r"candidate:\S{1,32} 1 UDP \d{1,10} ([0-9a-fA-F.:]{2,45}) (\d{1,5}) typ ", re.ASCII | re.I)
_LONGEST, _MOST_CANDIDATES = 65_536, 50


@dataclass(frozen=True, slots=True)
class SdpMedia:
    """One audio description. address: where it is received, "" if not said. encrypted: SRTP. keys: what a=crypto lines
    say (RFC 4568); without encrypted, they are an offer that the other side may take up. line: its place among all
    media of the description, from 0, which is the same in offer and answer (RFC 3264, section 6). candidates: addresses
    and ports at which it may be received instead (ICE, RFC 8839, section 5.1).
    """

    address: str
    port: int
    formats: Mapping[int, PayloadFormat] = field(default_factory=dict)
    encrypted: bool = False
    keys: tuple[str, ...] = ()
    line: int = 0
    candidates: tuple[tuple[str, int], ...] = ()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the names of encodings that no decoder knows."""
        return tuple(form.encoding for form in self.formats.values() if not is_supported(form))


def parse_sdp(text: str) -> tuple[SdpMedia, ...]:
    """Return the audio media of a description. Lines that make no sense are passed over: any text gives a result."""
    session_address, sections = "", []
    for line in text[:_LONGEST].splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or len(key) != 1:
            continue
        if key == "m":
            sections.append([(key, value)])
        elif sections:
            sections[-1].append((key, value))
        elif key == "c":
            session_address = _address(value)
    found = ((i, _media(section, session_address)) for i, section in enumerate(sections))
    return tuple(replace(media, line=i) for i, media in found if media is not None)


def _media(lines: list[tuple[str, str]], address: str) -> SdpMedia | None:
    fields = lines[0][1].split()
    if len(fields) < 4 or fields[0] != "audio" or not fields[1].partition("/")[0].isascii():
        return None
    port = fields[1].partition("/")[0]
    if not port.isdigit() or not 0 < int(port) < 65_536:
        return None
    listed = {int(w) for w in fields[3:] if w.isascii() and w.isdigit() and int(w) < 128}
    formats = {kind: STATIC[kind] for kind in listed if kind in STATIC}
    parameters: dict[int, str] = {}
    keys, candidates = list[str](), list[tuple[str, int]]()
    for key, value in lines[1:]:
        if key == "c":
            address = _address(value)
        elif key == "a" and (match := _RTPMAP.match(value)) and int(match[1]) in listed:
            rate = int(match[3])
            if 4000 <= rate <= 192_000:
                formats[int(match[1])] = PayloadFormat(encoding_name(match[2]), rate, max(1, int(match[4] or 1)))
            else:
                formats.pop(int(match[1]), None)
        elif key == "a" and (match := _FMTP.match(value)):
            parameters[int(match[1])] = match[2].strip()
        elif key == "a" and value.startswith("crypto:"):
            keys.append(value.removeprefix("crypto:"))
        elif key == "a" and (match := _CANDIDATE.match(value)) and len(candidates) < _MOST_CANDIDATES:
            candidates.append((match[1], int(match[2])))
    formats = {kind: replace(form, fmtp=parameters.get(kind, "")) for kind, form in formats.items()}
    encrypted = "SAVP" in fields[2].upper()
    return SdpMedia(address, int(port), formats, encrypted, tuple(keys), candidates=tuple(candidates))


def _address(value: str) -> str:
    """Return the address of a connection line, such as IN IP4 192.0.2.1/127."""
    fields = value.split()
    return fields[2].partition("/")[0] if len(fields) >= 3 else ""
