"""Whatever comes in: no handler raises but BadMessageError, and none gives what the router cannot take."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config.taps import TapsSection
from monitor.taps.tap_events import CallAudio, CallStarted
from monitor.taps.websocket.handler import (
    BadMessageError,
    Close,
    RefusedRequestError,
    Send,
    SkippedMessage,
    Step,
    UpgradeRequest,
)
from monitor.taps.websocket.registry import PROTOCOLS, load_makers

pytestmark = pytest.mark.realtime

NAMES = sorted(PROTOCOLS)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["inbound", "8000"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
FORMS = st.fixed_dictionaries(
    {
        "encoding": VALUES | st.sampled_from(["audio/x-mulaw", "PCMA", "audio/x-l16", "G722", "OPUS", "base64"]),
        "sampleRate": VALUES | st.sampled_from([8000, "16000", 24_000]),
        "sample_rate": VALUES | st.sampled_from([8000, "16000", 24_000]),
    },
    optional={"channels": VALUES},
)
STARTS = st.fixed_dictionaries(
    {"mediaFormat": FORMS | VALUES, "media_format": FORMS | VALUES},
    optional=dict.fromkeys(
        ("callSid", "call_sid", "callId", "tracks", "direction", "customParameters", "custom_parameters"), VALUES
    ),
)
PAYLOADS = st.binary(max_size=400).map(lambda data: base64.b64encode(data).decode())
MEDIA = st.fixed_dictionaries(
    {"payload": PAYLOADS | VALUES},
    optional={"chunk": VALUES, "timestamp": VALUES, "track": VALUES},
)
MESSAGES = st.fixed_dictionaries(
    {"event": st.sampled_from(["start", "media", "stop", "connected", "websocket:connected", "MEDIA_START"]) | VALUES},
    optional={
        "start": STARTS | VALUES,
        "media": MEDIA | VALUES,
        "extra_headers": VALUES,
        "content-type": VALUES | st.sampled_from(["audio/l16;rate=8000", "audio/l16;rate="]),
        "format": VALUES | st.sampled_from(["ulaw", "slin16", "slin192", "opus"]),
        "sequenceNumber": VALUES,
    },
).map(json.dumps)
TEXTS = st.text(max_size=200) | VALUES.map(json.dumps) | MESSAGES | st.from_regex(r"MEDIA_START( \w{1,9}:\w{0,9}){0,4}")
TARGETS = st.from_regex(r"(\?((rate|channels|tracks|parties|call|direction)=[\w,]{0,6}&?){0,4})?", fullmatch=True)
FEEDS = st.lists(TEXTS | st.binary(max_size=700), max_size=25)
START = json.dumps({"event": "start", "start": {"tracks": ["inbound", "outbound"]}})


def check(step: Step, started: list[CallStarted]) -> None:
    """What the router and the screen rely on."""
    if isinstance(step, CallStarted):
        started.append(step)
        assert len(started) == 1
        assert 1 <= len(step.parties) <= 2
        assert len(set(step.parties)) == len(step.parties)
        assert 8000 <= step.rate <= 48_000
        texts = [step.call, *step.parties, *step.details, *step.details.values()]
        assert all(text.isprintable() and len(text) <= 150 for text in texts)
    elif isinstance(step, CallAudio):
        assert step.call == started[0].call
        assert 0 <= step.channel < len(started[0].parties)
        assert 0 <= step.start < 2**40
        assert step.samples.dtype == np.float32
        assert step.samples.ndim == 1
        assert not np.isinf(step.samples).any()
    elif isinstance(step, Close):
        assert 1000 <= step.code < 1100
        assert step.reason.isprintable()
    elif isinstance(step, SkippedMessage):
        assert step.reason.isprintable()
    elif isinstance(step, Send):
        assert isinstance(step.data, str)


def feed(name: str, target: str, messages: list[str | bytes]) -> None:
    try:
        handler = load_makers([name], TapsSection())[name](
            UpgradeRequest(f"/{name}{target}", id="c0ffee"), TapsSection()
        )
    except RefusedRequestError:
        return
    started: list[CallStarted] = []
    steps: list[Any] = []
    try:
        for number, message in enumerate(messages):
            now = number * 0.02
            for step in handler.text(message, now) if isinstance(message, str) else handler.binary(message, now):
                check(step, started)
            for step in handler.tick(now + 0.01):
                check(step, started)
    except BadMessageError as error:
        check(Close(error.code, error.reason), started)
    steps += handler.closed("the peer hung up")
    for step in steps:
        check(step, started)
    assert list(handler.closed("again")) == []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(target=TARGETS, messages=FEEDS)
def test_anything_at_all(name: str, target: str, messages: list[str | bytes]) -> None:
    feed(name, target, messages)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(NAMES), messages=st.lists(MESSAGES | st.binary(max_size=700), max_size=25))
def test_anything_behind_a_start(name: str, messages: list[str | bytes]) -> None:
    first = "MEDIA_START format:slin16 channel_id:1" if name == "asterisk" else START
    feed(name, "", [first, *messages])


@settings(max_examples=80, deadline=None)
@given(
    data=st.lists(st.tuples(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 400)), max_size=20),
    name=st.sampled_from(["twilio", "telnyx"]),
)
def test_any_numbers_and_lengths(data: list[tuple[int, int, int]], name: str) -> None:
    media = [
        json.dumps(
            {
                "event": "media",
                "media": {"chunk": chunk, "timestamp": str(at), "payload": base64.b64encode(bytes(n)).decode()},
            }
        )
        for chunk, at, n in data
    ]
    feed(name, "", [START, *media])
