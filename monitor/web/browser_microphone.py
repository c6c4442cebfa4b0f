"""A browser's microphone as a call: what its messages mean. A function of messages and times.

The first message is text, {"rate": 48000, "label": "USB microphone"}. Then come binary ones: the place of the first
sample since the beginning (uint32, little-endian, it wraps) and PCM, 16 bits, little-endian, mono. A place that jumps
is audio that the browser lost. In between text may come: {"paused": "why"} and {"resumed": true}.
"""

from __future__ import annotations

import struct

import numpy as np

from monitor.limits.json_text import read_json
from monitor.taps.peer_names import named
from monitor.taps.tap_events import CallAudio, CallPaused, CallResumed, CallStarted, TapEvent

RATES = range(8000, 192_001)
"""Hz; what the Web Audio API has to support is 8 to 96 kHz, and some sound cards have more."""
MOST_SAMPLES = 32_000
AHEAD_S = 2.0
"""So much more audio than time has passed is what a late network brings at once; more is no microphone."""
LONGEST_TEXT = 80
PLACE = struct.Struct("<I")
PARTY = "microphone"


class BadBrowserMessageError(Exception):
    """A message of the browser that cannot be read; the text says why. value: what the browser sent there."""

    def __init__(self, reason: str, value: object = "") -> None:
        super().__init__(f"{reason}: {value}" if value != "" else reason)
        self.reason, self.value = reason, value


class BrowserCall:
    """The call of one connection. now: monotonic seconds, at which it was opened."""

    def __init__(self, name: str, peer: str, now: float) -> None:
        self._name, self._peer, self._begun = name, peer, now
        self._rate = 0
        self._next: int | None = None

    @property
    def name(self) -> str:
        return self._name

    def start(self, text: str) -> CallStarted:
        """Return the first message. Raises BadBrowserMessageError."""
        message = _object(text)
        rate = message.get("rate")
        if not isinstance(rate, int) or isinstance(rate, bool) or rate not in RATES:
            raise BadBrowserMessageError("a rate that no microphone has", named(rate)[:20])
        self._rate = rate
        details = {"from": self._peer, "rate": str(rate), "label": named(message.get("label"))[:LONGEST_TEXT]}
        return CallStarted(self._name, "browser", (PARTY,), rate, "", details)

    def note(self, text: str) -> TapEvent:
        """Return a later message of text. Raises BadBrowserMessageError."""
        message = _object(text)
        if "paused" in message:
            return CallPaused(self._name, (named(message["paused"]) or "paused")[:LONGEST_TEXT])
        if "resumed" in message:
            return CallResumed(self._name)
        raise BadBrowserMessageError("text of an unknown kind")

    def frame(self, data: bytes, now: float) -> CallAudio:
        """Return a message of audio. Raises BadBrowserMessageError."""
        count, odd = divmod(len(data) - PLACE.size, 2)
        if odd or not 1 <= count <= MOST_SAMPLES:
            raise BadBrowserMessageError("a frame of an odd or impossible length", len(data))
        start = self._unwrapped(PLACE.unpack_from(data)[0])
        if self._next is not None and start < self._next:
            raise BadBrowserMessageError("a frame out of order")
        if start + count > (now - self._begun + AHEAD_S) * self._rate:
            raise BadBrowserMessageError("audio that comes faster than real time")
        self._next = start + count
        samples = np.frombuffer(data, "<i2", offset=PLACE.size).astype(np.float32) / np.float32(32_768)
        return CallAudio(self._name, 0, start, samples)

    def _unwrapped(self, place: int) -> int:
        """Unwrap the counter: a jump of more than half of the range is one back."""
        if self._next is None:
            return place
        step = (place - self._next) & 0xFFFF_FFFF
        return self._next + (step if step < 0x8000_0000 else step - 0x1_0000_0000)


def _object(text: str) -> dict[str, object]:
    try:
        message = read_json(text)
    except ValueError as error:
        raise BadBrowserMessageError("text that is not JSON") from error
    if not isinstance(message, dict):
        raise BadBrowserMessageError("text that is not a JSON object")
    return message
