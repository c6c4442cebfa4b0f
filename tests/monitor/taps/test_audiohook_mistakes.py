"""What a client of AudioHook may not send: each ends in an error of the session alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from audiohook_client import (
    BOTH,
    CONVERSATION,
    ORGANIZATION,
    SESSION,
    Client,
    first_message,
    gap,
    offer,
    opening,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.taps.audiohook.audiohook_messages import NOBODY, RATE, read_duration, write_duration
from monitor.taps.websocket.handler import BadMessageError


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
    wrong(Client(), lambda client: client.raw(first_message(**changes)), says)


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
