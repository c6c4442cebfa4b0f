"""What a session answers and tells, message by message; and that no input is more than an error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from audiohook_client import (
    BOTH,
    CONVERSATION,
    EXTERNAL,
    INTERNAL,
    ORGANIZATION,
    SESSION,
    Client,
    first_message,
    gap,
    offer,
    opening,
)

from monitor.taps.audiohook.audiohook_messages import NOBODY, RATE
from monitor.taps.audiohook.session import NEVER_CAME
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallResumed, CallStarted
from monitor.taps.websocket.handler import Close, Send, SkippedMessage

CALL = f"audiohook-{CONVERSATION}-22345678"


def test_open_begins_a_call_and_chooses_both_channels() -> None:
    client = Client()
    started, *pins, answer = client.say("open", opening())
    assert isinstance(started, CallStarted)
    assert (started.call, started.tap, started.rate) == (CALL, "audiohook", RATE)
    assert started.parties == ("external", "internal")
    assert started.details == {
        "organization": ORGANIZATION,
        "conversation": CONVERSATION,
        "session": SESSION,
        "correlation": "correlation",
        "participant": ORGANIZATION,
        "ani": "+15550100",
        "aniName": "Ann?[2J ?",
        "dnis": "+15550199",
        "language": "en-US",
    }
    assert [(pin.channel, pin.start, len(pin.samples)) for pin in pins if isinstance(pin, CallAudio)] == [
        (0, 0, 0),
        (1, 0, 0),
    ]
    assert isinstance(answer, Send)
    assert client.told[-1]["parameters"] == {"startPaused": False, "media": [offer(BOTH)]}


@pytest.mark.parametrize(
    ("media", "chosen"),
    [
        ([offer(EXTERNAL), offer(BOTH)], BOTH),
        ([offer(["internal", "external"]), offer(INTERNAL)], ["internal", "external"]),
        ([offer(INTERNAL), offer(EXTERNAL)], INTERNAL),
        ([offer(BOTH, format="L16"), offer(EXTERNAL)], EXTERNAL),
        ([offer(BOTH, rate=16000), offer(["external", "external"]), 3, None, offer(INTERNAL)], INTERNAL),
    ],
)
def test_one_of_the_offered_media_is_chosen(media: list[object], chosen: list[str]) -> None:
    client = Client().opened(media=media)
    assert client.told[-1]["parameters"]["media"] == [offer(chosen)]


def test_audio_is_interleaved_in_the_order_that_was_chosen() -> None:
    client = Client().opened()
    one, other = client.session.binary(bytes([0x80, 0xFF, 0x80, 0xFF]), 0.0)
    assert isinstance(one, CallAudio)
    assert isinstance(other, CallAudio)
    assert (one.channel, one.start, other.channel) == (0, 0, 1)
    np.testing.assert_allclose(one.samples, 0.98, atol=0.01)
    np.testing.assert_array_equal(other.samples, 0)
    (after, _) = client.session.binary(bytes(2), 0.0)
    assert isinstance(after, CallAudio)
    assert after.start == 2


def test_ping_is_answered_at_any_time() -> None:
    client = Client()
    client.say("ping", {})
    client.opened()
    client.say("ping", {"rtt": "PT0.02S"})
    assert [(m["type"], m["clientseq"]) for m in client.told] == [("pong", 1), ("opened", 2), ("pong", 3)]


def test_a_client_that_pings_in_a_pause_is_there() -> None:
    client = Client().opened()
    client.send(1.0)
    client.say("paused")
    there, also, _ = client.say("ping")
    assert all(isinstance(step, CallAudio) and step.start == RATE and not len(step.samples) for step in (there, also))


def test_a_pause_moves_the_clock_and_loses_nothing() -> None:
    client = Client().opened()
    client.send(1.0)
    assert client.say("paused") == [CallPaused(CALL, "the client holds its audio back")]
    assert client.say("paused") == []
    client.at = 4.0
    resumed, *quiet = client.say("resumed", gap(1, 3))
    assert resumed == CallResumed(CALL)
    assert [(q.channel, q.start, q.quiet, len(q.samples)) for q in quiet if isinstance(q, CallAudio)] == [
        (0, 4 * RATE, True, 0),
        (1, 4 * RATE, True, 0),
    ]
    audio = client.send(0.2)[0]
    assert isinstance(audio, CallAudio)
    assert (audio.start, audio.quiet) == (4 * RATE, False)
    assert client.say("resumed", gap(4.2, 0)) == []


def test_what_the_client_discards_is_lost() -> None:
    client = Client().opened()
    client.send(1.0)
    client.at = 2.5
    lost = client.say("discarded", gap(1, 1.5))
    assert [(x.channel, x.start, x.quiet) for x in lost if isinstance(x, CallAudio)] == [
        (0, 2.5 * RATE, False),
        (1, 2.5 * RATE, False),
    ]
    assert client.say("discarded", gap(1, 1.5)) == []


def test_a_position_beyond_the_audio_is_loss_and_one_behind_it_is_not() -> None:
    client = Client().opened()
    client.send(1.0)
    client.at = 1.0 + NEVER_CAME / RATE
    assert [type(step) for step in client.say("ping")] == [Send]
    client.at = 3.0
    unheard, *lost, _ = client.say("ping")
    assert unheard == SkippedMessage("audiohook: audio that never came, by the client's position")
    assert [step.start for step in lost if isinstance(step, CallAudio)] == [3 * RATE] * 2
    client.at = 0.5
    assert [type(step) for step in client.say("ping")] == [Send]


def test_a_clock_that_does_not_begin_at_0_loses_nothing() -> None:
    client = Client()
    client.at = 100.0
    client.opened()
    audio = client.send(0.2)[0]
    assert isinstance(audio, CallAudio)
    assert audio.start == 0
    assert [type(step) for step in client.say("ping")] == [Send]


@pytest.mark.parametrize(
    ("reason", "why"),
    [("end", "the conversation is over"), ("error", "the client closed it for an error"), (["?"], "closed")],
)
def test_close_ends_the_call_and_the_connection(reason: object, why: str) -> None:
    client = Client().opened()
    ended, answer, close = client.say("close", {"reason": reason})
    assert ended == CallEnded(CALL, why)
    assert isinstance(answer, Send)
    assert client.told[-1]["type"] == "closed"
    assert close == Close()
    assert list(client.session.closed("the peer hung up")) == []
    assert client.say("ping") == []
    assert client.send(0.2) == []


def test_a_connection_that_breaks_ends_the_call() -> None:
    client = Client().opened()
    assert list(client.session.closed("the connection broke")) == [CallEnded(CALL, "the connection broke")]


def test_a_connection_probe_is_answered_and_begins_no_call() -> None:
    client = Client().opened(conversationId=NOBODY)
    assert client.send(0.2) == []
    assert [type(step) for step in client.say("ping")] == [Send]
    assert [type(step) for step in client.say("close", {"reason": "end"})] == [Send, Close]
    assert [message["type"] for message in client.told] == ["opened", "pong", "closed"]


def test_a_call_that_is_not_taken_is_disconnected() -> None:
    client = Client()
    steps = client.session.text(json.dumps(json.loads(first_message()) | {"parameters": opening()}), 0.0)
    assert isinstance(next(iter(steps)), CallStarted)
    (answer,) = client.session.refused("serve.max_calls = 1 are there already")
    assert isinstance(answer, Send)
    message = json.loads(answer.data)
    assert (message["type"], message["seq"]) == ("disconnect", 1)
    assert message["parameters"] == {"reason": "error", "info": "refused: serve.max_calls = 1 are there already"}
    assert list(client.session.closed("refused")) == []


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (429, "the client says error 429, too many messages"),
        (500, "the client says error 500"),
        (9999, "the client says error of a code that version 2 does not have"),
        ({}, "the client says error of a code that version 2 does not have"),
    ],
)
def test_an_error_of_the_client_is_counted_and_the_call_goes_on(code: object, says: str) -> None:
    client = Client().opened()
    assert client.say("error", {"code": code, "message": "m", "retryAfter": "PT1S"}) == [
        SkippedMessage(f"audiohook: {says}")
    ]
    assert len(client.send(0.2)) == 2


def test_an_update_changes_nothing() -> None:
    assert Client().opened().say("update", {"language": "fr-FR"}) == []
