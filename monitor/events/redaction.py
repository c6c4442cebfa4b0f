"""Telephone numbers in what leaves the program, replaced by pseudonyms. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address

from monitor.types import Event

_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:\+|00)?[(]?\d(?:[ ().-]{0,2}\d){6,14}(?![0-9A-Za-z])")
"""7 to 15 digits (ITU-T E.164: at most 15), with what people put between them."""
_ADDRESS = re.compile(
    r"(?<![0-9A-Za-z.])((?:\d{1,3}\.){3}\d{1,3}(?![0-9A-Za-z]|\.\d)(?:[:-]\d{1,5}(?![0-9A-Za-z]))?"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![0-9A-Za-z]))",
    re.IGNORECASE,
)
"""What looks like an IPv4 address, perhaps with a port, or is a UUID (RFC 9562) with its version and variant: one that
is made of padded digits has neither.
"""
UUID_LENGTH = 36
_KEPT_DIGITS = 2
_PLAIN = frozenset(("model",))
"""Fields that are no names: twelve hexadecimal digits may all be decimal."""


def redact(text: str, key: bytes) -> str:
    """Return each number as `tel-kfmdbc-x67`: the last two digits stay; equal numbers have equal names under one key.

    The key must be secret: there are so few numbers that anybody could try them all. A long run of digits that is no
    telephone number is replaced too; an IP address or a UUID is not, whatever stands beside it.
    """
    out, done = [], 0
    for found in _ADDRESS.finditer(text):
        if _is_address(re.split("[:-]", found[0])[0]) or len(found[0]) == UUID_LENGTH:
            out += [_numbers_redacted(text[done : found.start()], key), found[0]]
            done = found.end()
    return "".join(out) + _numbers_redacted(text[done:], key)


def _numbers_redacted(text: str, key: bytes) -> str:
    return _NUMBER.sub(lambda found: _pseudonym(found[0], key), text)


def _pseudonym(number: str, key: bytes) -> str:
    digits = re.sub(r"\D", "", number)
    digest = hmac.new(key, re.sub(r"^00", "", digits).encode(), hashlib.sha256).digest()
    # Letters, and an x before the digits, so that a pseudonym is never taken for a number itself.
    return f"tel-{''.join(chr(97 + byte % 26) for byte in digest[:6])}-x{digits[-_KEPT_DIGITS:]}"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def redacted(event: Event, clean: Callable[[str], str]) -> Event:
    """Return an event with every text in it cleaned: call, channel, and data, names of fields included."""

    def walk(value: object) -> object:
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, Mapping):
            return {clean(name): item if name in _PLAIN else walk(item) for name, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, (list, tuple)) else value

    data = walk(event.data)
    assert isinstance(data, dict)
    return replace(event, call=clean(event.call), channel=clean(event.channel), data=data)


def redactor(wanted: bool) -> Callable[[Event], Event]:
    """Return the redaction of one run, with a key made for it; without `wanted` it changes nothing."""
    if not wanted:
        return lambda event: event
    key = secrets.token_bytes(16)
    clean = lru_cache(maxsize=4096)(lambda text: redact(text, key))
    return lambda event: redacted(event, clean)
