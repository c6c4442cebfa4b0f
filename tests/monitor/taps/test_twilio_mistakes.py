"""What nobody should send as a Twilio message: refused, and named."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from twilio_messages import TWILIO_START, handler, media, result, started

from monitor.config.taps import TapsSection
from monitor.taps.tap_events import CallStarted, TapEvent
from monitor.taps.websocket.handler import BadMessageError, UpgradeRequest
from monitor.taps.websocket.peer import WebsocketPeer
from monitor.taps.websocket.twilio_media_streams import MediaStreams, open_stream

HOSTILE = [
    ("not json", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ('{"event":' * 50_000, "not JSON"),
    ("[]", "not an object"),
    ('"start"', "not an object"),
    ("5" * 5000, "not JSON"),
    (json.dumps(media(0)), "media before start"),
]


@pytest.mark.parametrize(("text", "reason"), HOSTILE)
def test_what_is_no_message_ends_the_connection(text: str, reason: str) -> None:
    with pytest.raises(BadMessageError, match=reason):
        result(handler(), [text])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (TWILIO_START, "a second start"),
        ({"event": "media", "media": {"payload": "@@@@"}}, "not base64"),
        ({"event": "media", "media": {"payload": "\u00e9"}}, "not base64"),
        ({"event": "media", "media": {"payload": 5}}, "without a payload"),
        ({"event": "media", "media": []}, "without a payload"),
        ({"event": "media"}, "without a payload"),
    ],
)
def test_what_breaks_the_protocol_behind_start(message: Any, reason: str) -> None:
    with pytest.raises(BadMessageError, match=reason):
        result(handler(), [TWILIO_START, message])


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"encoding": "AMR-WB"}, "encoding"),
        ({"sampleRate": 4000}, "sample rate"),
        ({"sampleRate": "96000"}, "sample rate"),
        ({"channels": 2}, "several channels"),
        ({"channels": "x"}, "several channels"),
    ],
)
def test_audio_that_cannot_be_heard_is_refused(form: dict[str, Any], reason: str) -> None:
    start = json.loads(TWILIO_START)
    start["start"]["mediaFormat"] |= form
    with pytest.raises(BadMessageError, match=reason) as caught:
        result(handler(), [start])
    assert caught.value.code == 1003


def test_bytes_are_none_of_these_dialects() -> None:
    with pytest.raises(BadMessageError, match="bytes where text is due"):
        list(handler().binary(b"\x00", 0.0))


def test_names_from_outside_are_short_and_printable() -> None:
    start = json.loads(TWILIO_START)
    start["start"]["callSid"] = "\x1b[2J" + "x" * 1000
    start["start"]["customParameters"] = {f"k{n}": "v\n" * 500 for n in range(1000)} | {"deep": {"er": 1}}
    got = started(result(handler(), [start]))
    assert got.call.isprintable()
    assert len(got.call) < 150
    assert len(got.details) < 40
    assert all(text.isprintable() and len(text) <= 128 for pair in got.details.items() for text in pair)


def test_a_signed_dialect_is_opened_only_where_the_signature_is_right() -> None:
    config = TapsSection.model_validate({"websocket": {"listen": []}})
    assert isinstance(open_stream(UpgradeRequest("/telnyx"), config), MediaStreams)


def test_a_call_is_of_the_host_that_connected() -> None:
    told: list[TapEvent] = []
    peer = WebsocketPeer(handler(), TapsSection().websocket, told.append, 10.0, Counter(), 0.0, "192.0.2.1")
    peer.message(TWILIO_START, 0.0)
    assert [h.peer for h in told if isinstance(h, CallStarted)] == ["192.0.2.1"]
