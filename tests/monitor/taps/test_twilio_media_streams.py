"""Twilio Media Streams and its dialects: messages as the vendors' documentation has them, and as nobody should send."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from helpers import voice
from twilio_messages import SPOKEN, TWILIO_START, encoded, handler, media, result, started

from monitor.audio import Audio
from monitor.rtp.payload import PayloadFormat
from monitor.rtp.sound import DecodedAudio
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted
from monitor.taps.websocket.handler import Close, SkippedMessage, Step
from monitor.taps.websocket.twilio_media_streams import UNANNOUNCED
from monitor.types import SAMPLE_RATE

TELNYX_START = """{
  "event": "start", "sequence_number": "1", "stream_id": "32DE0DEA-53CB-4B21-89A4-9E1819C043BC",
  "start": {
    "user_id": "3E6F995F-85F7-4705-9741-53B116D28237", "call_control_id": "v2:T02llQxIyaRkhfRKxgAP8nY511EhFL",
    "from": "+13122010094", "to": "+13122123456",
    "custom_parameters": {"customer_id": "customer_123"},
    "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
  }
}"""
PLIVO_START = """{
  "event": "start", "sequenceNumber": 1,
  "start": {
    "callId": "12345678-1234-1234-1234-123456789abc", "streamId": "87654321-4321-4321-4321-cba987654321",
    "accountId": "MAXXXXXXXXXXXXXXXXXX", "tracks": ["inbound", "outbound"],
    "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000}
  },
  "extra_headers": "userId=12345;sessionId=abc-xyz"
}"""
EXOTEL_START = """{
  "event": "start", "sequence_number": "1", "stream_sid": "MZxxxxxxxxxxxxxxxxxxxxxxxx",
  "start": {
    "stream_sid": "MZxxxxxxxxxxxxxxxxxxxxxxxx", "call_sid": "CAxxxxxxxxxxxxxxxxxxxxxxxx",
    "account_sid": "ACxxxxxxxxxxxxxxxxxxxxxxxx", "from": "+919876543210", "to": "+918047491899",
    "custom_parameters": {"key1": "value1"},
    "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"}
  }
}"""


def heard(steps: list[Step], channel: int = 0) -> Audio:
    """Audio of a channel by its clock; what never came is zero, what was lost is NaN."""
    pieces = [step for step in steps if isinstance(step, CallAudio) and step.channel == channel]
    out = np.zeros(max((a.start + len(a.samples) for a in pieces), default=0), np.float32)
    for piece in pieces:
        sound = DecodedAudio(piece.samples, piece.concealed)
        out[piece.start : piece.start + len(piece.samples)] = np.where(sound.lost, np.float32(np.nan), sound.samples)
    return out


def correlation(one: Audio, other: Audio) -> float:
    """The best correlation within 20 ms."""
    best = 0.0
    for shift in range(320):
        n = min(len(one) - shift, len(other))
        best = max(best, float(np.corrcoef(one[shift : shift + n], other[:n])[0, 1]))
    return best


def test_a_call_as_twilio_documents_it() -> None:
    stream = handler()
    connected = '{"event": "connected", "protocol": "Call", "version": "1.0.0"}'
    steps = result(stream, [connected, TWILIO_START, *map(media, range(50))])
    start = started(steps)
    assert start.call == "twilio-CA00000000000000000000000000000000"
    assert (start.tap, start.parties, start.rate, start.direction) == ("twilio", ("caller",), SAMPLE_RATE, "")
    assert start.details == {
        "FirstName": "Jane",
        "LastName": "Doe",
        "stream": "MZ00000000000000000000000000000000",
        "account": "AC00000000000000000000000000000000",
        "peer": "192.0.2.1",
    }
    stop = '{"event": "stop", "sequenceNumber": "52", "stop": {"accountSid": "AC0", "callSid": "CA0"}}'
    steps += result(stream, [stop], 1.0)
    assert steps[-2:] == [CallEnded(start.call, "the vendor stopped the stream"), Close()]
    assert len(heard(steps)) == SAMPLE_RATE
    assert correlation(heard(steps), voice(1.0)) > 0.99
    assert list(stream.closed("the peer hung up")) == []


def test_marks_digits_and_unknown_events_are_not_audio() -> None:
    messages = [
        {"event": "dtmf", "streamSid": "MZ0", "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": "1"}},
        {"event": "mark", "sequenceNumber": "4", "streamSid": "MZ0", "mark": {"name": "my label"}},
        {"event": "of tomorrow"},
        {},
    ]
    assert [type(step) for step in result(handler(), [TWILIO_START, *messages])] == [CallStarted]


def test_both_tracks_are_the_two_parties() -> None:
    both = json.loads(TWILIO_START)
    both["start"]["tracks"] = ["outbound", "inbound"]
    pairs = [
        media(n, bytes(160) if track == "outbound" else None, track=track)
        for n in range(50)
        for track in ("inbound", "outbound")
    ]
    steps = result(handler(), [both, *pairs])
    assert started(steps).parties == ("caller", "callee")
    assert correlation(heard(steps, 0), voice(1.0)) > 0.99
    # Zeros are the loudest of mu-law.
    assert np.median(heard(steps, 1)) == pytest.approx(-0.98, abs=0.02)


@pytest.mark.parametrize(
    ("custom", "parties", "direction"),
    [
        ({"direction": "outbound-api"}, ("callee", "caller"), "outbound"),
        ({"direction": "inbound"}, ("caller", "callee"), "inbound"),
        ({"inbound": "Jane", "outbound": "agent"}, ("Jane", "agent"), ""),
        ({"inbound": "same", "outbound": "same"}, ("inbound", "outbound"), ""),
        ({"direction": ["inbound"], "inbound": 5}, ("5", "callee"), ""),
    ],
)
def test_who_is_heard_on_which_track(custom: dict[str, Any], parties: tuple[str, ...], direction: str) -> None:
    start = json.loads(TWILIO_START)
    start["start"] |= {"tracks": ["inbound", "outbound"], "customParameters": custom}
    got = started(result(handler(), [start]))
    assert (got.parties, got.direction) == (parties, direction)


def test_telnyx_puts_its_numbers_elsewhere_and_mixes_up_the_order() -> None:
    stream = handler("telnyx")
    order = [1, 0, 2, 4, 3, 5, 8, 6, 7, *range(9, 50)]
    messages = [json.loads(json.dumps(media(n)).replace("sequenceNumber", "sequence_number")) for n in order]
    steps = result(stream, [TELNYX_START, *messages])
    start = started(steps)
    assert start.call == "telnyx-v2:T02llQxIyaRkhfRKxgAP8nY511EhFL"
    assert start.details["from"] == "+13122010094"
    assert start.details["customer_id"] == "customer_123"
    steps += stream.closed("over")
    whole = heard(steps)
    assert not np.isnan(whole).any()
    assert correlation(whole, voice(1.0)) > 0.99


def test_telnyx_has_two_tracks_where_the_url_says_so() -> None:
    outbound = json.loads(json.dumps(media(0, track="outbound")))
    stream = handler("telnyx", "?tracks=both&inbound=customer")
    steps = [*result(stream, [TELNYX_START, media(0), outbound]), *stream.closed("over")]
    assert started(steps).parties == ("customer", "callee")
    assert {step.channel for step in steps if isinstance(step, CallAudio)} == {0, 1}
    steps = result(handler("telnyx"), [TELNYX_START, media(0), outbound])
    assert started(steps).parties == ("caller",)
    assert steps[-1] == SkippedMessage(UNANNOUNCED)


def test_plivo_sends_linear_audio_of_16_khz_and_numbers_as_numbers() -> None:
    stream, spoken = handler("plivo"), voice(1.0)
    messages = [
        {
            "event": "media",
            "sequenceNumber": n + 2,
            "streamId": "87654321-4321-4321-4321-cba987654321",
            "media": {
                "track": "inbound",
                "timestamp": str(1_700_000_000_000 + n * 20 + n % 7),
                "chunk": n + 1,
                "payload": base64.b64encode(encoded(PayloadFormat("L16", 16_000), spoken[n * 320 :][:320])).decode(),
            },
            "extra_headers": "userId=12345;sessionId=abc-xyz",
        }
        for n in range(50)
    ]
    steps = result(stream, [PLIVO_START, *messages])
    assert started(steps).details["sessionId"] == "abc-xyz"
    assert started(steps).call == "plivo-12345678-1234-1234-1234-123456789abc"
    assert heard(steps) == pytest.approx(spoken, abs=1e-4)


def test_exotel_sends_linear_audio_in_long_chunks_of_one_track_without_a_name() -> None:
    stream, samples = handler("exotel"), SPOKEN[:8000]
    messages = [
        {
            "event": "media",
            "sequence_number": str(n + 2),
            "stream_sid": "MZxxxxxxxxxxxxxxxxxxxxxxxx",
            "media": {
                "chunk": str(n + 1),
                "timestamp": str(n * 100),
                "payload": base64.b64encode(encoded(PayloadFormat("L16", 8000), samples[n * 800 :][:800])).decode(),
            },
        }
        for n in range(10)
    ]
    steps = [*result(stream, [EXOTEL_START, *messages]), *stream.closed("over")]
    assert started(steps).details["to"] == "+918047491899"
    assert len(heard(steps)) == SAMPLE_RATE
    assert correlation(heard(steps), voice(1.0)) > 0.99


def test_the_names_of_encodings_that_vendors_use() -> None:
    for name in (
        "audio/x-mulaw",
        "PCMU",
        "audio/x-alaw",
        "audio/x-l16",
        "audio/x-L16",
        "raw/slin",
        "base64",
        "",
        "G722",
    ):
        start = json.loads(EXOTEL_START)
        start["start"]["media_format"]["encoding"] = name
        assert started(result(handler("exotel"), [start]))


def lost(steps: list[Step], channel: int = 0) -> int:
    return int(np.isnan(heard(steps, channel)).sum())


def test_missing_chunks_are_lost_audio_and_nothing_else_is() -> None:
    kept = [n for n in range(50) if n not in (10, 11, 30)]
    steps = [*result(stream := handler(), [TWILIO_START, *map(media, kept)]), *stream.closed("over")]
    assert lost(steps) == 3 * 320
    assert len(heard(steps)) == SAMPLE_RATE


def test_a_chunk_that_comes_twice_counts_once() -> None:
    twice = [n for n in range(50) for _ in range(2)]
    steps = [*result(stream := handler(), [TWILIO_START, *map(media, twice)]), *stream.closed("over")]
    assert len(heard(steps)) == SAMPLE_RATE
    assert lost(steps) == 0


def test_tracks_that_share_one_count_lose_nothing() -> None:
    both = json.loads(TWILIO_START)
    both["start"]["tracks"] = ["inbound", "outbound"]
    messages = [media(n // 2, track=("inbound", "outbound")[n % 2], chunk=str(n + 1)) for n in range(100)]
    steps = [*result(stream := handler(), [both, *messages]), *stream.closed("over")]
    for channel in (0, 1):
        assert lost(steps, channel) == 0
        assert len(heard(steps, channel)) == SAMPLE_RATE


def test_a_pause_of_the_sender_is_silence_and_not_loss() -> None:
    stream = handler()
    steps = result(stream, [TWILIO_START, *map(media, range(20))])
    later = [media(n, timestamp=str(n * 20 + 2000)) for n in range(20, 50)]
    steps += [*result(stream, later, 2.4), *stream.closed("over")]
    assert lost(steps) == 0
    assert len(heard(steps)) == 3 * SAMPLE_RATE


def test_numbers_that_are_nonsense_do_not_move_the_clock() -> None:
    wild: list[Any] = [None, "x", -1, 1e300, True, [], {}, "9" * 30, "٣", 10**17, "-5", 2.5]
    messages = [media(n, timestamp=wild[n % 12], chunk=wild[(n + 5) % 12]) for n in range(48)]
    steps = [*result(stream := handler(), [TWILIO_START, *messages]), *stream.closed("over")]
    assert len(heard(steps)) < 40 * SAMPLE_RATE
