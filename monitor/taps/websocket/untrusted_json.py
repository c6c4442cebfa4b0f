"""Messages in JSON from anybody: read without faith in what is in them. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from monitor.limits.json_text import read_json
from monitor.taps.peer_names import named
from monitor.taps.websocket.handler import INVALID, BadMessageError

MOST_DETAILS = 32
MOST_BYTES = 4096
"""The most of all names and values together, which go into an event, the journal and every outlet."""
LONGEST_NUMBER = 18
"""Digits; what is longer counts nothing that there is."""


def read_object(text: str) -> dict[str, Any]:
    """Return a JSON object. Raises BadMessageError."""
    try:
        read = read_json(text)
    except ValueError as error:
        raise BadMessageError("text that is not JSON", INVALID) from error
    if not isinstance(read, dict):
        raise BadMessageError("JSON that is not an object", INVALID)
    return read


def within(message: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object in an object; {} where there is none."""
    found = message.get(key)
    return found if isinstance(found, dict) else {}


def number(value: object) -> int | None:
    """Return a count, which most vendors write as text; None for whatever is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LONGEST_NUMBER:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 10**LONGEST_NUMBER else None


def payload(value: object) -> bytes:
    """Decode base64. Raises BadMessageError."""
    if not isinstance(value, str):
        raise BadMessageError("media without a payload", INVALID)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadMessageError("a payload that is not base64", INVALID) from error


def details(pairs: Mapping[str, object]) -> dict[str, str]:
    """Return the values that are text or numbers, safe to show."""
    found: dict[str, str] = {}
    room = MOST_BYTES
    for key, value in ((named(key), named(value)) for key, value in list(pairs.items())[:MOST_DETAILS]):
        room -= len(key.encode()) + len(value.encode())
        if key and value and room >= 0:
            found[key] = value
    return found


def parameters(value: object) -> dict[str, str]:
    """Return the custom parameters of a stream: an object, or a=1;b=2, or an object as text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = read_object(value)
        except BadMessageError:
            return {}
    if isinstance(value, str):
        pairs = [pair.partition("=") for pair in value.replace(",", ";").split(";", MOST_DETAILS)]
        value = {key.strip(): text.strip() for key, _, text in pairs}
    return details(value) if isinstance(value, dict) else {}
