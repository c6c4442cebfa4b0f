"""The name of a call as people read it: its numbers or parties where the tap knows them, else the tap and the time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

FROM_KEYS = ("from", "ani", "aniName", "caller", "caller_id", "participant")
TO_KEYS = ("to", "dnis", "called", "callee")
TAP_NAMES = {
    "rtp": "RTP call",
    "audiosocket": "AudioSocket call",
    "audiohook": "AudioHook call",
    "browser": "Browser microphone",
    "websocket": "WebSocket call",
    "api": "API stream",
}
LONGEST_OWN_NAME = 12
_ADDRESS = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[?[0-9a-fA-F]*:[0-9a-fA-F:.]*\]?|localhost)(:\d+)?")
"""An address of a host, with or without a port: IPv4, IPv6, this machine."""


def call_ends(details: Mapping[str, str]) -> tuple[str, str]:
    """Return who calls and who is called, each "" where the tap does not know. An address of a host is neither."""
    return _first(details, FROM_KEYS), _first(details, TO_KEYS)


def call_address(details: Mapping[str, str]) -> str:
    """Return the address of the host that the audio comes from, or ""."""
    found = (details.get(key, "") for key in ("peer", "from"))
    return next((text for text in found if _ADDRESS.fullmatch(text)), "")


def call_name(tap: str, details: Mapping[str, str], started: datetime, call: str) -> str:
    """Return "+49 30 1234 → +49 40 5678", the name of the device or the file, or "RTP call 7, 14:03:22".

    started: in the time zone in which it is to be read. call: its name in events, whose end tells it from others.
    """
    caller, called = call_ends(details)
    if caller and called:
        return f"{caller} → {called}"
    if caller or called:
        return f"from {caller}" if caller else f"to {called}"
    if tap == "browser" and details.get("label"):
        kind = details["label"]
    elif tap in TAP_NAMES or (tap and call.startswith(f"{tap}-")):
        kind = f"{TAP_NAMES.get(tap, f'{tap} call')} {_short(tap, call)}"
    else:
        kind = tap or "Call"
    return f"{kind}, {started:%H:%M:%S}"


def _short(tap: str, call: str) -> str:
    """Return the call's own name without that of the tap, or the end of a long one."""
    own = call.removeprefix(f"{tap}-")
    last = own if len(own) <= LONGEST_OWN_NAME else own.rpartition("-")[2]
    return last if len(last) <= LONGEST_OWN_NAME else f"…{last[-4:]}"


def _first(details: Mapping[str, str], keys: tuple[str, ...]) -> str:
    found = (details.get(key, "").strip() for key in keys)
    return next((text for text in found if text and not _ADDRESS.fullmatch(text)), "")
