"""Asterisk's AudioSocket: a connection in pieces of any size, from the first byte to the end of the call."""

from __future__ import annotations

import struct
import uuid
from collections import Counter

import numpy as np

from fuzz.harness import Harness
from fuzz.streams import deliver
from monitor.taps.audiosocket.connection import AudioSocketCall, AudioSocketRules
from monitor.taps.audiosocket.frame_parser import DTMF, ERROR, HANGUP, HEADER, RATES, UUID, pack
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted, TapEvent

HELLO = pack(UUID, uuid.UUID(int=7).bytes)
SPEECH = pack(0x10, np.arange(8, dtype="<i2").tobytes())
MOST_SAMPLES = 192_000 * 4
"""At 16 kHz no input of a few kilobytes is longer than it says; this only catches a runaway."""


def _conversation(data: bytes) -> None:
    """Feed pieces, each behind a byte: its length, and through its highest bit a pause of a second."""
    begun, ended, received, now = 0, 0, 0, 0.0

    def accept(started: CallStarted) -> str:
        nonlocal begun
        deliver(started)
        begun += 1
        return ""

    def take(tap_event: TapEvent) -> None:
        nonlocal ended, received
        deliver(tap_event)
        ended += isinstance(tap_event, CallEnded)
        received += len(tap_event.samples) if isinstance(tap_event, CallAudio) else 0

    rules = AudioSocketRules(accept, allow=frozenset(), hello_s=5.0, idle_s=10.0)
    conversation = AudioSocketCall(("192.0.2.1", 9), rules, Counter(), 0.0)
    at = 0
    while at < len(data) and not conversation.over:
        size, now = 1 + (data[at] & 0x7F), now + (1.0 if data[at] & 0x80 else 0.01)
        for tap_event in [*conversation.feed(data[at + 1 : at + 1 + size], now), *conversation.tick(now)]:
            take(tap_event)
        assert conversation.wait_s(now) >= 0.0
        at += 1 + size
    for tap_event in conversation.gone("over"):
        take(tap_event)
    assert begun == ended <= 1
    assert received <= MOST_SAMPLES


def _pieces(*frames: bytes) -> bytes:
    """Return frames as an input: cut into pieces of 100 bytes."""
    whole = b"".join(frames)
    parts = [whole[at : at + 100] for at in range(0, len(whole), 100)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


SEEDS = [
    _pieces(HELLO, SPEECH, SPEECH, pack(DTMF, b"5"), SPEECH, pack(HANGUP)),
    _pieces(HELLO, *(pack(kind, bytes(8)) for kind in RATES), pack(ERROR, b"\x01")),
    _pieces(SPEECH),
    _pieces(HELLO, HELLO),
    _pieces(HELLO, struct.pack("!BH", 0x10, 65_535) + bytes(40)),
]
CONVERSATION = Harness(_conversation, SEEDS, [HELLO, SPEECH, *(HEADER.pack(kind, 16) for kind in RATES)], 256)
