"""Start messages as vendors document them, and a handler that takes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from helpers import voice

from model.resample import resample_all
from monitor.audio import Audio
from monitor.rtp.codecs import open_decoder
from monitor.rtp.payload import PayloadFormat
from monitor.taps.tap_events import CallStarted
from monitor.taps.websocket.dialects import DIALECTS
from monitor.taps.websocket.handler import Step, UpgradeRequest
from monitor.taps.websocket.twilio_media_streams import MediaStreams
from monitor.types import SAMPLE_RATE

TWILIO_START = """{
  "event": "start", "sequenceNumber": "1",
  "start": {
    "accountSid": "AC00000000000000000000000000000000",
    "streamSid": "MZ00000000000000000000000000000000",
    "callSid": "CA00000000000000000000000000000000",
    "tracks": ["inbound"],
    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    "customParameters": {"FirstName": "Jane", "LastName": "Doe"}
  },
  "streamSid": "MZ00000000000000000000000000000000"
}"""


def handler(name: str = "twilio", query: str = "") -> MediaStreams:
    return MediaStreams(name, DIALECTS[name], UpgradeRequest(f"/{name}{query}", id="c0ffee", peer="192.0.2.1"))


def result(stream: MediaStreams, messages: Iterable[str | dict[str, Any]], at: float = 0.0) -> list[Step]:
    """All steps of messages, 20 ms apart."""
    out: list[Step] = []
    for number, message in enumerate(messages):
        text = message if isinstance(message, str) else json.dumps(message)
        out += stream.text(text, at + number * 0.02)
    return out


def started(steps: list[Step]) -> CallStarted:
    (found,) = [step for step in steps if isinstance(step, CallStarted)]
    return found


def encoded(form: PayloadFormat, samples: Audio) -> bytes:
    """By the table of the decoder itself; its own tests hold it against libavcodec."""
    if form.encoding == "L16":
        return (np.clip(samples, -1, 0.9999) * 32768).astype("<i2").tobytes()
    table = open_decoder(form).decode(bytes(range(256)))
    return bytes(np.abs(samples[:, None] - table[None]).argmin(axis=1).astype(np.uint8))


SPOKEN = resample_all(voice(1.0), SAMPLE_RATE, 8000)
CHUNKS = [encoded(PayloadFormat("PCMU", 8000), SPOKEN[at : at + 160]) for at in range(0, 8000, 160)]


def media(number: int, payload: bytes | None = None, **more: Any) -> dict[str, Any]:
    """A message of Twilio: counts as text."""
    payload = CHUNKS[number % 50] if payload is None else payload
    inner = {"chunk": str(number + 1), "timestamp": str(number * 20), "payload": base64.b64encode(payload).decode()}
    return {"event": "media", "sequenceNumber": str(number + 2), "media": {"track": "inbound", **inner, **more}}
