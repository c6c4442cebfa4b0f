"""The name of a call as people read it: its numbers or parties where the tap knows them, else the tap and the time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

FROM_KEYS = ("from", "ani", "aniName", "caller", "caller_id", "participant")
TO_KEYS = ("to", "dnis", "called", "callee")
TAP_NAMES = {
    "rtp": "RTP",
    "audiosocket": "AudioSocket",
    "audiohook": "AudioHook",
    "browser": "Browser microphone",
    "websocket": "WebSocket",
    "api": "API stream",
}
_ADDRESS = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[?[0-9a-fA-F]*:[0-9a-fA-F:.]*\]?|localhost)(:\d+)?")
"""An address of a host, with or without a port: IPv4, IPv6, this machine."""


def call_ends(details: Mapping[str, str]) -> tuple[str, str]:
    """Return who calls and who is called, each "" where the tap does not know. An address of a host is neither."""
    return _first(details, FROM_KEYS), _first(details, TO_KEYS)


def call_address(details: Mapping[str, str]) -> str:
    """Return the address of the host that the audio comes from, or ""."""
    found = (details.get(key, "") for key in ("peer", "from"))
    return next((text for text in found if _ADDRESS.fullmatch(text)), "")


def call_name(tap: str, details: Mapping[str, str], started: datetime) -> str:
    """Return "+49 30 1234 → +49 40 5678", the microphone's own name, the file of a recording, or "RTP call, 14:03:22".

    started: in the time zone in which it is to be read.
    """
    caller, called = call_ends(details)
    if caller and called:
        return f"{caller} → {called}"
    if caller or called:
        return f"from {caller}" if caller else f"to {called}"
    if tap == "browser":
        kind = details.get("label") or TAP_NAMES[tap]
    else:
        kind = tap if "." in tap else f"{TAP_NAMES.get(tap, tap)} call" if tap else "Call"
    return f"{kind}, {started:%H:%M:%S}"


def _first(details: Mapping[str, str], keys: tuple[str, ...]) -> str:
    found = (details.get(key, "").strip() for key in keys)
    return next((text for text in found if text and not _ADDRESS.fullmatch(text)), "")
