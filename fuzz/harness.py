"""The harnesses, by the names of their parsers. A new one is a Harness in a file here, and one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

NASTY = Path(__file__).parents[1] / "tests" / "nasty"
"""Inputs that found something, in a folder for each parser; tests/tools/test_fuzz.py replays them."""


@dataclass(frozen=True)
class Harness:
    """feed: gives the parser any bytes; it raises nothing, unless the parser raises what it does not declare, or gives
    what it may not. seeds: small inputs that are valid. words: of the grammar. longest: bytes of an input.
    """

    feed: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    longest: int = 1024


HARNESSES: Mapping[str, str] = {
    "rtp-packet": "fuzz.rtp:PACKET",
    "rtp-jitter": "fuzz.rtp:JITTER",
    "rtp-stream": "fuzz.rtp:STREAM",
    "sdp": "fuzz.captures:SDP",
    "sip": "fuzz.captures:SIP",
    "sip-streams": "fuzz.captures:TCP",
    "frames": "fuzz.captures:FRAMES",
    "capture": "fuzz.captures:CAPTURE",
    "payloads": "fuzz.rtp:PAYLOADS",
    "audiohook-signature": "fuzz.audiohook:SIGNATURE",
    "audiohook-session": "fuzz.audiohook:SESSION_TALK",
    "media-streams": "fuzz.streams:MEDIA_STREAMS",
    "pcm-streams": "fuzz.streams:PCM_STREAMS",
    "audiosocket": "fuzz.audiosocket:CONVERSATION",
}
"""By name: "module:harness", loaded when it is asked for, so that atheris can instrument what it imports."""


def load(name: str) -> Harness:
    """Import a harness. Raises KeyError for a name that there is not."""
    module, _, harness = HARNESSES[name].partition(":")
    return cast(Harness, getattr(import_module(module), harness))
