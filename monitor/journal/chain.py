"""Lines of a journal that vouch for each other: pure.

A line is an event as it stands on standard output, with up to three more fields at its end: `crc`, the CRC-32 of the
event's bytes (of the whole object, without these fields), and `chain`, the SHA-256 over the chain value of the line
before and all bytes of this line before `,"chain"`. The first line of a file that goes on from another has `after`, the
last chain value of that one. An event that is altered, left out, put in or moved breaks the chain at its place.

Where there is a key, lines of the type "journal.sealed" stand among the events: `hmac` is the HMAC-SHA-256 (RFC 2104)
of the chain value before and of the line's own facts. The last one of a run says `"ended":true`.
"""

from __future__ import annotations

import hmac
import json
import re
import zlib
from dataclasses import dataclass
from hashlib import sha256

GENESIS = "0" * 64
"""The chain value before the first line of all."""

SEALED = b'{"type":"journal.sealed",'
"""How a line begins that seals what stands before it."""

_HMAC = re.compile(rb',"hmac":"([0-9a-f]{64})"\}\Z')
_SEAL = re.compile(rb'(?:,"after":"([0-9a-f]{64})")?,"crc":"([0-9a-f]{8})","chain":"([0-9a-f]{64})"\}\Z')
_NUMBER = re.compile(rb'"seq":([0-9]+),"epoch":"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class JournalLine:
    """A line taken apart. event: the bytes that were sealed. after: "" unless the file goes on from another.

    links: the bytes that the chain value covers.
    """

    event: bytes
    after: str
    crc: str
    chain: str
    links: bytes


def seal(event: bytes, before: str, after: str = "") -> tuple[bytes, str]:
    """Return the line of an event, without its end, and its chain value. after: given for the first line of a further
    file."""
    links = event[:-1]
    if after:
        links += b',"after":"%s"' % after.encode()
    links += b',"crc":"%08x"' % zlib.crc32(event)
    chain = link(before, links)
    return links + b',"chain":"%s"}' % chain.encode(), chain


def link(before: str, links: bytes) -> str:
    """Return the chain value of a line."""
    return sha256(before.encode() + links).hexdigest()


def parse(line: bytes) -> JournalLine | None:
    """Take a line apart; None where it is not sealed. Says nothing of whether it is whole."""
    found = _SEAL.search(line)
    if found is None:
        return None
    after, crc, chain = (part.decode() if part else "" for part in found.groups())
    return JournalLine(line[: found.start()] + b"}", after, crc, chain, line[: found.start(3) - len(b',"chain":"')])


def number(line: bytes) -> tuple[str, int] | None:
    """Return (epoch, seq) of a line, without reading all of its JSON: a name cannot hold these bytes unescaped."""
    found = _NUMBER.search(line)
    return (found[2].decode("utf-8", "replace"), int(found[1])) if found else None


def crc_holds(line: JournalLine) -> bool:
    """Return whether the event's bytes are those that were sealed."""
    return f"{zlib.crc32(line.event):08x}" == line.crc


def key_seal(key: bytes, before: str, epoch: str, seq: int, ended: bool) -> bytes:
    """Return the event that seals all before it; epoch, seq: of the newest record. ended: the run is over."""
    facts = {"type": "journal.sealed", "run": epoch, "last": seq, "ended": ended}
    text = json.dumps(facts, separators=(",", ":")).encode()
    return text[:-1] + b',"hmac":"%s"}' % _hmac(key, before, text).encode()


def key_seal_holds(key: bytes, before: str, event: bytes) -> bool:
    """Return whether the holder of the key made this seal behind this chain value."""
    found = _HMAC.search(event)
    if found is None:
        return False
    return hmac.compare_digest(found[1].decode(), _hmac(key, before, event[: found.start()] + b"}"))


def ends_run(event: bytes) -> bool:
    """Return whether a seal is the last line of a run."""
    return event.startswith(SEALED) and b'"ended":true' in event


def _hmac(key: bytes, before: str, text: bytes) -> str:
    return hmac.new(key, before.encode() + text, sha256).hexdigest()
