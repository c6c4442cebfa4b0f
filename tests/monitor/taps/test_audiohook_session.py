"""What a session answers and tells, message by message; and that no input is more than an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.taps.audiohook.audiohook_messages import NOBODY, RATE, read_duration, write_duration
from monitor.taps.audiohook.session import NEVER_CAME, AudiohookSession
from monitor.taps.audiohook.signature import SignedSender
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallResumed, CallStarted
from monitor.taps.websocket.handler import BadMessageError, Close, Send, SkippedMessage, Step

ORGANIZATION, SESSION, CONVERSATION = (f"{n}2345678-9abc-4def-8123-456789abcdef" for n in (1, 2, 3))
PARTICIPANT = {"id": ORGANIZATION, "ani": "+15550100", "aniName": "Ann\x1b[2J \ud800", "dnis": "+15550199"}
BOTH, EXTERNAL, INTERNAL = ["external", "internal"], ["external"], ["internal"]
CALL = f"audiohook-{CONVERSATION}-22345678"


def offer(channels: list[str], **changes: object) -> dict[str, object]:
    return {"type": "audio", "format": "PCMU", "channels": channels, "rate": 8000} | changes


def opening(**changes: object) -> dict[str, object]:
    return {
        "organizationId": ORGANIZATION,
        "conversationId": CONVERSATION,
        "participant": PARTICIPANT,
        "media": [offer(BOTH), offer(EXTERNAL), offer(INTERNAL)],
        "language": "en-US",
    } | changes


def gap(start: float, discarded: float) -> dict[str, object]:
    return {"start": f"PT{start}S", "discarded": f"PT{discarded}S"}


class Client:
    """Numbers its messages as a client does. told: every answer, as JSON."""

    def __init__(self) -> None:
        self.session = AudiohookSession(SignedSender(ORGANIZATION, SESSION, "correlation"))
        self.seq = self.serverseq = 0
        self.at = 0.0
        self.told: list[dict[str, Any]] = []

    def say(self, kind: str, parameters: object = None, **envelope: object) -> list[Step]:
        message = {"version": "2", "id": SESSION, "type": kind, "seq": self.seq + 1, "serverseq": self.serverseq}
        message |= {"position": f"PT{self.at}S", "parameters": {} if parameters is None else parameters}
        return self.raw(json.dumps(message | envelope))

    def raw(self, text: str) -> list[Step]:
        self.seq += 1
        return self._heard(self.session.text(text, 0.0))

    def send(self, seconds: float, channels: int = 2) -> list[Step]:
        self.at += seconds
        return self._heard(self.session.binary(bytes(round(seconds * RATE) * channels), 0.0))

    def opened(self, **changes: object) -> Client:
        self.say("open", opening(**changes))
        assert self.told[-1]["type"] == "opened"
        return self

    def _heard(self, steps: Iterable[Step]) -> list[Step]:
        out = []
        for step in steps:
            out.append(step)
            if isinstance(step, Send):
                self.told.append(json.loads(step.data))
                self.serverseq += 1
                assert self.told[-1]["seq"] == self.serverseq
                assert self.told[-1]["clientseq"] <= self.seq
                assert (self.told[-1]["version"], self.told[-1]["id"]) == ("2", SESSION)
        return out


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
    steps = client.session.text(json.dumps(json.loads(_first()) | {"parameters": opening()}), 0.0)
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


def _first(**changes: object) -> str:
    message = {"version": "2", "id": SESSION, "type": "open", "seq": 1, "serverseq": 0, "position": "PT0S"}
    return json.dumps(message | {"parameters": opening()} | changes)


def wrong(client: Client, act: Callable[[Client], object], says: str, reason: str = "error") -> None:
    """What the client does is answered with a disconnect, and ends the connection."""
    with pytest.raises(BadMessageError, match=says):
        act(client)
    assert client.told[-1]["type"] == "disconnect"
    assert client.told[-1]["parameters"]["reason"] == reason


WRONG_MESSAGES: list[tuple[dict[str, object], str]] = [
    ({"version": "1"}, "another version"),
    ({"version": 2}, "another version"),
    ({"type": None}, "without a type"),
    ({"type": "transfer"}, "of a type that version 2 does not have"),
    ({"parameters": None}, "without a type or parameters"),
    ({"parameters": []}, "without a type or parameters"),
    ({"id": "x"}, "id is not a UUID"),
    ({"seq": 2}, "seq that does not follow"),
    ({"seq": 0}, "seq that does not follow"),
    ({"seq": True}, "seq is not a number"),
    ({"seq": 1.0}, "seq is not a number"),
    ({"seq": -1}, "seq is not a number"),
    ({"serverseq": 1}, "serverseq that was never sent"),
    ({"position": "1.5"}, "position is not a duration"),
    ({"position": "PT-1S"}, "position is not a duration"),
    ({"position": "PT.S"}, "position is not a duration"),
    ({"position": "PT1E9S"}, "position is not a duration"),
    ({"position": None}, "position is not a duration"),
    ({"parameters": opening(media=[])}, "offers no PCMU"),
    ({"parameters": opening(media="PCMU")}, "without media"),
    ({"parameters": opening(media={})}, "without media"),
    ({"parameters": opening(media=[offer([])])}, "offers no PCMU"),
    ({"parameters": opening(media=[offer(BOTH, format="L16")])}, "offers no PCMU"),
    ({"parameters": opening(conversationId="x")}, "conversationId is not a UUID"),
    ({"parameters": opening(organizationId=3)}, "organizationId is not a UUID"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG_MESSAGES)
def test_messages_that_the_protocol_does_not_have_are_disconnected(changes: dict[str, object], says: str) -> None:
    wrong(Client(), lambda client: client.raw(_first(**changes)), says)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "NaN", '{"seq": ' + "9" * 5000 + "}", "[" * 60_000])
def test_text_that_is_no_message_is_disconnected(text: str) -> None:
    wrong(Client(), lambda client: client.raw(text), "not JSON|another version")


def test_another_identity_than_the_signed_one_is_unauthorized() -> None:
    other = CONVERSATION
    wrong(Client(), lambda c: c.say("open", opening(), id=other), "another session", "unauthorized")
    organization = opening(organizationId=other)
    wrong(Client(), lambda c: c.say("open", organization), "another organization", "unauthorized")


@pytest.mark.parametrize(
    ("before", "act", "says"),
    [
        ((), lambda c: c.send(0.2), "audio before open"),
        (("open",), lambda c: c.say("open", opening()), "a second open"),
        (("open", "paused"), lambda c: c.send(0.2), "audio while paused"),
        (("open",), lambda c: c.send(1 / RATE, channels=3), "not as long on every channel"),
        (("open", "paused"), lambda c: c.say("resumed", {"start": "PT0S"}), "discarded is not a duration"),
        (("open",), lambda c: c.say("discarded", {}), "start is not a duration"),
    ],
)
def test_what_does_not_belong_here_is_disconnected(
    before: tuple[str, ...], act: Callable[[Client], object], says: str
) -> None:
    client = Client()
    for kind in before:
        client.say(kind, opening() if kind == "open" else {})
    wrong(client, act, says)


@pytest.mark.parametrize(("text", "samples"), [("PT1.5S", 12_000), ("PT0S", 0), ("PT.5S", 4000), ("PT3.S", 24_000)])
def test_durations_are_samples(text: str, samples: int) -> None:
    assert read_duration(text, "position") == samples
    assert read_duration(write_duration(samples), "position") == samples


KINDS = ("open", "ping", "paused", "resumed", "discarded", "update", "error", "close", "?")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=5
)
VALUE = JSON | st.sampled_from(["PT1S", "PT999999999S", SESSION, ORGANIZATION, NOBODY])
PARAMETERS = (
    st.just(opening())
    | st.just(gap(1, 2))
    | st.dictionaries(
        st.sampled_from(
            ["media", "start", "discarded", "code", "reason", "organizationId", "conversationId", "participant"]
        ),
        VALUE,
    )
)
ACTS = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=50),
    st.tuples(st.sampled_from(KINDS), PARAMETERS, st.dictionaries(st.sampled_from(["seq", "position", "id"]), VALUE)),
    st.tuples(st.sampled_from(KINDS), PARAMETERS, st.just({})),
)


@settings(max_examples=300)
@given(st.lists(ACTS, max_size=8))
def test_whatever_comes_in_a_session_raises_its_own_error_alone(acts: list[Any]) -> None:
    client = Client()
    for act in acts:
        try:
            if isinstance(act, bytes):
                list(client.session.binary(act, 0.0))
            elif isinstance(act, str):
                list(client.session.text(act, 0.0))
            else:
                client.say(act[0], act[1], **act[2])
        except BadMessageError:
            break
    assert len(list(client.session.closed("over"))) <= 1
