"""Streams of bytes as FreeSWITCH, Vonage and Asterisk begin them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from helpers import voice

from monitor.audio import Audio
from monitor.config.taps import TapsSection
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted
from monitor.taps.websocket.handler import (
    BadMessageError,
    Handler,
    RefusedRequestError,
    SkippedMessage,
    Step,
    UpgradeRequest,
)
from monitor.taps.websocket.pbx import open_asterisk, open_freeswitch, open_vonage
from monitor.taps.websocket.registry import PROTOCOLS, load_makers

NOTHING = TapsSection()
MEDIA_START = (
    "MEDIA_START connection_id:media_connection1 channel:WebSocket/media_connection1/0x7f8 channel_id:1747251.3 "
    "format:{} optimal_frame_size:160 ptime:20"
)


def request(target: str) -> UpgradeRequest:
    return UpgradeRequest(target, id="c0ffee", peer="192.0.2.1")


def linear(samples: Audio) -> bytes:
    return (np.clip(samples, -1, 0.9999) * 32768).astype("<i2").tobytes()


def result(stream: Handler, messages: Sequence[str | bytes], at: float = 0.0, every_s: float = 0.02) -> list[Step]:
    out: list[Step] = []
    for number, message in enumerate(messages):
        now = at + number * every_s
        out += stream.text(message, now) if isinstance(message, str) else stream.binary(message, now)
    return out


def started(steps: list[Step]) -> CallStarted:
    (found,) = [step for step in steps if isinstance(step, CallStarted)]
    return found


def heard(steps: list[Step], channel: int = 0) -> Audio:
    return np.concatenate([s.samples for s in steps if isinstance(s, CallAudio) and s.channel == channel])


def pieces(rows: Audio, size: int) -> list[bytes]:
    """Messages of (channels, n), interleaved."""
    return [linear(rows[:, at : at + size].T.reshape(-1)) for at in range(0, rows.shape[1], size)]


def test_freeswitch_forks_both_parties_with_metadata_first() -> None:
    rows = np.stack([voice(1.0), voice(1.0, seed=5)])
    stream = open_freeswitch(request("/audiofork?rate=16000&channels=2"), NOTHING)
    metadata = json.dumps({"callId": "ab-12", "from": "2061236666", "nested": {"no": 1}})
    steps = result(stream, [metadata, *pieces(rows, 320), '{"dtmf": "5"}'])
    start = started(steps)
    assert (start.call, start.tap, start.parties, start.rate) == (
        "audiofork-ab-12",
        "audiofork",
        ("caller", "callee"),
        16_000,
    )
    assert start.details == {"callId": "ab-12", "from": "2061236666", "peer": "192.0.2.1"}
    for channel in (0, 1):
        assert heard(steps, channel) == pytest.approx(rows[channel], abs=1e-4)
    assert list(stream.closed("the peer hung up")) == [CallEnded("audiofork-ab-12", "the peer hung up")]
    assert list(stream.closed("again")) == []


def test_freeswitch_without_metadata_begins_with_the_audio() -> None:
    stream = open_freeswitch(request("/audiostream?parties=agent"), NOTHING)
    steps = result(stream, pieces(voice(0.1)[None], 160))
    start = started(steps)
    assert (start.call, start.parties, start.rate) == ("audiostream-c0ffee", ("agent",), 8000)
    assert [step.start for step in steps if isinstance(step, CallAudio)] == list(range(0, 1600, 160))


def test_metadata_that_is_plain_text_is_kept() -> None:
    steps = result(open_freeswitch(request("/audiostream"), NOTHING), ["queue 7"])
    assert started(steps).details["metadata"] == "queue 7"


@pytest.mark.parametrize("query", ["rate=0", "rate=x", "rate=-8000", "rate=96000", "channels=3", "rate=" + "9" * 50])
def test_a_url_that_describes_no_audio_is_refused(query: str) -> None:
    with pytest.raises(RefusedRequestError) as caught:
        open_freeswitch(request(f"/audiofork?{query}"), NOTHING)
    assert caught.value.status == 400


def test_a_pause_of_the_sender_is_no_loss_and_jitter_is_none() -> None:
    stream = open_freeswitch(request("/audiofork?rate=16000"), NOTHING)
    audio = pieces(voice(1.0)[None], 320)
    steps = result(stream, audio[:20])
    steps += result(stream, audio[20:30], at=0.7)
    assert not [step for step in steps if isinstance(step, CallAudio) and step.quiet]
    steps = [s for s in result(stream, audio[30:], at=3.0) if isinstance(s, CallAudio)]
    assert [step.quiet for step in steps] == [True, *[False] * 19]
    assert steps[0].start == 3 * 16_000 - 320
    assert [b.start - a.start for a, b in pairwise(steps)] == [320] * 19


@pytest.mark.parametrize(("channels", "data"), [(1, b"\x00"), (2, b"\x00\x00"), (2, bytes(639))])
def test_audio_that_ends_within_a_sample_ends_the_call(channels: int, data: bytes) -> None:
    stream = open_freeswitch(request(f"/audiofork?channels={channels}"), NOTHING)
    with pytest.raises(BadMessageError, match="within a sample"):
        result(stream, ["{}", data])


def connected(**more: Any) -> str:
    """As Vonage documents it, with the headers of the NCCO beside."""
    return json.dumps({"event": "websocket:connected", "content-type": "audio/l16;rate=16000", **more})


def test_vonage_says_what_the_audio_is() -> None:
    stream = open_vonage(request("/vonage"), NOTHING)
    spoken = voice(0.5)
    steps = result(stream, [connected(call_uuid="63f61863", app="bank"), *pieces(spoken[None], 320)])
    start = started(steps)
    assert (start.call, start.rate, start.parties) == ("vonage-63f61863", 16_000, ("party",))
    assert start.details == {"call_uuid": "63f61863", "app": "bank", "peer": "192.0.2.1"}
    assert heard(steps) == pytest.approx(spoken, abs=1e-4)


@pytest.mark.parametrize(
    ("content", "rate"), [("audio/l16;rate=8000", 8000), ("audio/l16; rate=24000", 24_000), ("audio/l16", 16_000)]
)
def test_rates_of_vonage(content: str, rate: int) -> None:
    first = json.dumps({"event": "websocket:connected", "content-type": content})
    assert started(result(open_vonage(request("/vonage"), NOTHING), [first])).rate == rate


@pytest.mark.parametrize("first", [b"\x00\x00", '{"event": "websocket:dtmf", "digit": "5"}'])
def test_vonage_without_its_first_message(first: str | bytes) -> None:
    with pytest.raises(BadMessageError, match="media before start"):
        result(open_vonage(request("/vonage"), NOTHING), [first, b"\x00\x00"])


@pytest.mark.parametrize(
    ("form", "rate", "frame", "samples"),
    [
        ("ulaw", 8000, bytes(160), 160),
        ("alaw", 8000, bytes(160), 160),
        ("slin", 8000, bytes(320), 160),
        ("slin16", 16_000, bytes(640), 320),
        ("slin48", 48_000, bytes(1920), 960),
        ("g722", 16_000, bytes(160), 320),
    ],
)
def test_asterisk_names_its_codec(form: str, rate: int, frame: bytes, samples: int) -> None:
    stream = open_asterisk(request("/asterisk?parties=caller"), NOTHING)
    steps = result(stream, [MEDIA_START.format(form), frame, "DTMF_END digit:1 channel_id:1747251.3", frame])
    start = started(steps)
    assert (start.call, start.rate, start.parties) == ("asterisk-1747251.3", rate, ("caller",))
    assert len(heard(steps)) == 2 * samples


def test_asterisk_writes_json_where_it_is_told_to() -> None:
    first = json.dumps(
        {
            "event": "MEDIA_START",
            "connection_id": "media_connection1",
            "channel": "WebSocket/media_connection1/0x7f8",
            "channel_id": "1747251.3",
            "format": "slin16",
            "optimal_frame_size": 640,
            "ptime": 20,
            "channel_variables": {"SECRET": "x"},
        }
    )
    start = started(result(open_asterisk(request("/asterisk?call=ab"), NOTHING), [first]))
    assert start.call == "asterisk-ab"
    assert start.details == {
        "channel": "WebSocket/media_connection1/0x7f8",
        "channel_id": "1747251.3",
        "connection_id": "media_connection1",
        "peer": "192.0.2.1",
    }


@pytest.mark.parametrize("form", ["h264", "", "slinx", "slin-1", "slin999", "silk16", "format"])
def test_a_codec_that_cannot_be_heard(form: str) -> None:
    with pytest.raises(BadMessageError):
        result(open_asterisk(request("/asterisk"), NOTHING), [MEDIA_START.format(form)])


def test_frames_that_a_codec_refuses_are_counted_and_the_call_goes_on() -> None:
    stream = open_asterisk(request("/asterisk"), NOTHING)
    steps = result(stream, [MEDIA_START.format("opus"), b"\xff" * 50, b"\xff" * 50])
    assert [type(step) for step in steps] == [CallStarted, SkippedMessage, SkippedMessage]


def test_every_protocol_makes_its_handler() -> None:
    makers = load_makers(PROTOCOLS, NOTHING)
    for name in [name for name, served in PROTOCOLS.items() if not served.own_secret(NOTHING)]:
        assert makers[name](request(f"/{name}"), NOTHING) is not None
    with pytest.raises(RefusedRequestError, match="no signature"):
        makers["audiohook"](request("/audiohook"), NOTHING)
