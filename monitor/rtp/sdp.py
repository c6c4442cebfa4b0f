"""Which audio a session description announces (SDP, RFC 8866): where it is received, and its payload types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.rtp.payload import COMFORT_NOISE, DECODERS, EVENTS, STATIC, Format

_RTPMAP = re.compile(r"rtpmap:(\d{1,3})\s+([\w.+-]{1,32})/(\d{1,6})(?:/(\d{1,2}))?", re.ASCII)
_KNOWN = frozenset({*DECODERS, COMFORT_NOISE, EVENTS})
_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Media:
    """One audio description. address: where it is received, "" if not said. encrypted: SRTP. unknown: names that no
    decoder knows.
    """

    address: str
    port: int
    formats: Mapping[int, Format] = field(default_factory=dict)
    encrypted: bool = False
    unknown: tuple[str, ...] = ()


def parse_sdp(text: str) -> tuple[Media, ...]:
    """The audio media of a description. Lines that make no sense are passed over: any text gives a result."""
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
    found = (_media(section, session_address) for section in sections)
    return tuple(media for media in found if media is not None)


def _media(lines: list[tuple[str, str]], address: str) -> Media | None:
    words = lines[0][1].split()
    if len(words) < 4 or words[0] != "audio" or not words[1].partition("/")[0].isascii():
        return None
    port = words[1].partition("/")[0]
    if not port.isdigit() or not 0 < int(port) < 65_536:
        return None
    listed = {int(w) for w in words[3:] if w.isascii() and w.isdigit() and int(w) < 128}
    formats = {kind: STATIC[kind] for kind in listed if kind in STATIC}
    unknown: list[str] = []
    for key, value in lines[1:]:
        if key == "c":
            address = _address(value)
        match = _RTPMAP.match(value) if key == "a" else None
        if match is None or int(match[1]) not in listed:
            continue
        name, rate = match[2].upper(), int(match[3])
        if name in _KNOWN and 4000 <= rate <= 192_000:
            formats[int(match[1])] = Format(name, rate, min(2, max(1, int(match[4] or 1))))
        else:
            formats.pop(int(match[1]), None)
            unknown.append(match[2])
    return Media(address, int(port), formats, "SAVP" in words[2].upper(), tuple(unknown))


def _address(value: str) -> str:
    """Of a connection line: IN IP4 192.0.2.1/127."""
    words = value.split()
    return words[2].partition("/")[0] if len(words) >= 3 else ""
