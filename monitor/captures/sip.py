"""SIP messages (RFC 3261), as far as a capture needs them: who calls whom, and where the audio goes."""

from __future__ import annotations

import re
from dataclasses import dataclass

START = re.compile(rb"(?:SIP/2\.0 \d{3} |[A-Z]{3,9} (?:sips?|tel):[^\r\n]* SIP/2\.0\r?\n)")
_URI = re.compile(r"(?:sips?|tel):(?:([^@;>\s]{1,128})@)?([^;>\s]{1,255})", re.IGNORECASE)
_FOLD = re.compile(r"\n[ \t]+")
"""A header goes on in the next line (RFC 3261, section 7.3.1)."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A display name, which may hold anything."""
_TAG = re.compile(r";\s*tag=([^;>\s]{1,128})", re.IGNORECASE)
_COMPACT = {"i": "call-id", "f": "from", "t": "to", "c": "content-type", "l": "content-length"}


@dataclass(frozen=True, slots=True)
class SipMessage:
    """call_id: of the dialogue. caller, callee: user parts of From and To, or their hosts. request: a method, "" for a
    response. status: of a response, 0 for a request. method: the request that it is or answers. from_tag, to_tag: of
    the two ends; "" where there is none yet. body: mostly SDP.
    """

    call_id: str
    caller: str
    callee: str
    request: str
    body: str
    status: int = 0
    method: str = ""
    from_tag: str = ""
    to_tag: str = ""


def parse_sip(data: bytes) -> SipMessage | None:
    """Read a message; None for what is no SIP. Any bytes give a result."""
    if not START.match(data):
        return None
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = _FOLD.sub(" ", head.decode("utf-8", "replace")).split("\n")
    headers = read_headers(lines[1:])
    response = lines[0].startswith("SIP/")
    request = "" if response else lines[0].partition(" ")[0]
    sender, receiver = headers.get("from", ""), headers.get("to", "")
    return SipMessage(
        headers.get("call-id", ""),
        _party(sender),
        _party(receiver),
        request,
        body.decode("utf-8", "replace"),
        int(lines[0][8:11]) if response else 0,
        request or headers.get("cseq", "").rpartition(" ")[2],
        _tag(sender),
        _tag(receiver),
    )


def read_headers(lines: list[str]) -> dict[str, str]:
    """Return header fields by their long names in lower case; of several with one name the first."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        key = name.strip().lower()
        if colon:
            headers.setdefault(_COMPACT.get(key, key), value.strip())
    return headers


def _party(value: str) -> str:
    match = _URI.search(_QUOTED.sub("", value))
    return (match[1] or match[2]) if match else ""


def _tag(value: str) -> str:
    match = _TAG.search(value)
    return match[1] if match else ""
