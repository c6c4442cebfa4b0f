"""Protocols over WebSocket, each through the peer that bounds it (monitor/taps/websocket/peer.py).

An input is lines: t, and a message of text; b, and one of bytes; w, and so many tenths of a second as it has bytes.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from fuzz.harness import Harness
from monitor.config.taps import TapsSection, WebsocketSection
from monitor.taps.tap_events import CallAudio, CallStarted, TapEvent
from monitor.taps.websocket.dialects import DIALECTS
from monitor.taps.websocket.handler import Close, Handler, RefusedRequestError, Send, UpgradeRequest
from monitor.taps.websocket.pbx import open_asterisk, open_freeswitch, open_vonage
from monitor.taps.websocket.peer import WebsocketPeer
from monitor.taps.websocket.registry import Make
from monitor.taps.websocket.twilio_media_streams import open_stream

LIMITS, TAPS = WebsocketSection(), TapsSection()
MOST_LINES = 40
IDLE_S = 10.0
FURTHEST = 1 << 53


def deliver(tap_event: TapEvent) -> None:
    """Check that an event of a handler can be scored and written down."""
    if isinstance(tap_event, CallStarted):
        assert tap_event.parties
        json.dumps([tap_event.call, *tap_event.parties, *tap_event.details.items()], ensure_ascii=False).encode()
    elif isinstance(tap_event, CallAudio):
        assert tap_event.samples.dtype == np.float32
        assert tap_event.samples.ndim == 1
        assert abs(tap_event.start) < FURTHEST


def talk(handler: Handler, data: bytes, spell: Callable[[bytes], str]) -> None:
    """Give a handler some lines, until it ends the connection. spell: the text of a t line."""
    now = 0.0
    peer = WebsocketPeer(handler, LIMITS, deliver, IDLE_S, Counter(), now)
    for line in data.split(b"\n")[:MOST_LINES]:
        kind, rest = line[:1], line[1:]
        now += 0.1 * len(rest) if kind == b"w" else 0.02
        answers = peer.tick(now) if kind == b"w" else peer.message(rest if kind == b"b" else spell(rest), now)
        for answer in answers:
            if isinstance(answer, Send) and isinstance(answer.data, str):
                answer.data.encode()
            elif isinstance(answer, Close):
                answer.reason.encode()
        if any(isinstance(answer, Close) for answer in answers):
            break
    peer.end("over", now)


def plain(line: bytes) -> str:
    """Return a line as text. A library for WebSocket lets nothing but UTF-8 through."""
    return line.decode("utf-8", "replace")


def _open(makers: Mapping[str, Make], data: bytes) -> None:
    """Open a stream; the first line is the target of the request."""
    first, _, rest = data.partition(b"\n")
    request = UpgradeRequest(first.decode("latin-1"), id="abc")
    make = makers.get(request.path[0]) if request.path else None
    if make is None:
        return
    try:
        handler = make(request, TAPS)
    except RefusedRequestError:
        return
    talk(handler, rest, plain)


def _stream(name: str) -> bytes:
    """Return a call in that dialect."""
    d = DIALECTS[name]
    form = {"encoding": d.encoding, d.rate: 8000, "channels": 1}
    start = {d.stream: "s", d.call: "c", d.account: "a", "tracks": ["inbound", "outbound"], d.form: form}
    start[d.parameters] = {"caller": "x"}
    media = {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": base64.b64encode(bytes(8)).decode()}
    messages = [
        {"event": "start", d.sequence: "1", d.stream: "s", "start": start},
        {"event": "media", d.sequence: "2", d.stream: "s", "media": media},
        {"event": "media", d.sequence: "4", d.stream: "s", "media": media | {"chunk": "3", "timestamp": "60"}},
        {"event": "stop", d.sequence: "5", d.stream: "s"},
    ]
    lines = [b"t" + json.dumps(message).encode() for message in messages]
    return b"\n".join([f"/{name}?tracks=both".encode(), *lines[:3], b"w12345", *lines[3:]])


MEDIA_STREAMS = Harness(
    partial(_open, dict.fromkeys(DIALECTS, open_stream)),
    tuple(_stream(name) for name in DIALECTS),
    (b'"event":"media"', b'"start":{', b'"payload":"', b'"timestamp":', b'"chunk":', b"\nt{", b"audio/x-l16", b"PCMA"),
    longest=2048,
)
PCM_STREAMS = Harness(
    partial(
        _open,
        {
            "audiofork": open_freeswitch,
            "audiostream": open_freeswitch,
            "vonage": open_vonage,
            "asterisk": open_asterisk,
        },
    ),
    (
        b'/audiofork?rate=16000&channels=2\nt{"uuid":"x"}\nb' + bytes(8),
        b"/audiostream?rate=8000\nb" + bytes(6) + b"\nw1\nb" + bytes(7),
        b'/vonage\nt{"event":"websocket:connected","content-type":"audio/l16;rate=16000","x":"y"}\nb' + bytes(8),
        b"/asterisk?parties=a\ntMEDIA_START connection_id:1 channel:x format:ulaw optimal_frame_size:160\nb" + bytes(8),
        b'/asterisk\nt{"event":"MEDIA_START","format":"slin44","channel_id":"3"}\nb' + bytes(8),
    ),
    (
        b"?rate=",
        b"&channels=2",
        b"&parties=",
        b"MEDIA_START ",
        b"format:slin",
        b"websocket:connected",
        b"audio/l16;rate=",
    ),
)
