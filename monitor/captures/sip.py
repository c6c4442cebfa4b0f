"""SIP messages (RFC 3261), as far as a capture needs them: who calls whom, and where the audio goes."""

from __future__ import annotations

import re
from dataclasses import dataclass

_START = re.compile(rb"(?:SIP/2\.0 \d{3} |[A-Z]{3,9} sips?:[^\r\n]* SIP/2\.0\r?\n)")
_URI = re.compile(r"sips?:(?:([^@;>\s]{1,128})@)?([^;>\s]{1,255})", re.IGNORECASE)
_COMPACT = {"i": "call-id", "f": "from", "t": "to", "c": "content-type"}


@dataclass(frozen=True, slots=True)
class SipMessage:
    """call_id: of the dialogue. caller, callee: user parts of From and To, or their hosts. request: a method, "" for a
    response. body: mostly SDP.
    """

    call_id: str
    caller: str
    callee: str
    request: str
    body: str


def parse_sip(data: bytes) -> SipMessage | None:
    """Read a datagram; None for what is no SIP. Any bytes give a result."""
    if not _START.match(data):
        return None
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = name.strip().lower()
        if colon:
            headers.setdefault(_COMPACT.get(key, key), value.strip())
    request = "" if lines[0].startswith("SIP/") else lines[0].partition(" ")[0]
    people = _party(headers.get("from", "")), _party(headers.get("to", ""))
    return SipMessage(headers.get("call-id", ""), *people, request, body.decode("utf-8", "replace"))


def _party(value: str) -> str:
    match = _URI.search(value)
    return (match[1] or match[2]) if match else ""
