"""Events as JSON and the topics under which they travel."""

from __future__ import annotations

import json
import re
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.errors import BadInputError
from monitor.events import wire
from monitor.types import Event, Reason, State

SCORE = Event(
    "score",
    "call1",
    "caller",
    32000,
    {"state": State.CLEAR, "reason": Reason.SPEECH, "p_fake": 0.25, "families": {"vocoder": 0.75, "neural": 0.25}},
    7,
    "20260131T120000Z-9f3c1a",
    "2026-01-31T12:00:01.000000Z",
)


def test_an_event_is_one_flat_object_in_a_fixed_order() -> None:
    assert wire.encode(SCORE, prev=5, snapshot=True).decode() == (
        '{"type":"score","call":"call1","channel":"caller","sample":32000,"seq":7,"prev":5,'
        '"epoch":"20260131T120000Z-9f3c1a","time":"2026-01-31T12:00:01.000000Z","snapshot":true,'
        '"families":{"neural":0.25,"vocoder":0.75},"p_fake":0.25,"reason":"speech","state":"clear"}'
    )


def test_the_order_in_which_data_was_filled_does_not_show() -> None:
    turned = Event("score", "c", "a", 1, {"b": 1, "a": {"y": 1, "x": 2}})
    straight = Event("score", "c", "a", 1, MappingProxyType({"a": {"x": 2, "y": 1}, "b": 1}))
    assert wire.encode(turned) == wire.encode(straight)


def test_numbers_that_are_not_finite_become_null() -> None:
    data = {
        "nan": float("nan"),
        "deep": {"list": [1.0, (float("inf"),)]},
        "numpy": np.float32("nan"),
        "one": np.int64(1),
    }
    fields = json.loads(wire.encode(Event("score", "c", "a", 1, data)))
    assert fields["nan"] is None
    assert fields["numpy"] is None
    assert fields["deep"] == {"list": [1.0, [None]]}
    assert fields["one"] == 1


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be written"):
        wire.encode(Event("score", "c", "a", 1, {"x": object()}))


names = st.text(st.characters(codec=None), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(
    call=names,
    channel=names,
    sample=st.integers(0, 2**53),
    data=st.dictionaries(names.filter(lambda key: key not in wire.RESERVED), values, max_size=4),
)
def test_any_event_comes_back_from_one_line(call: str, channel: str, sample: int, data: dict[str, object]) -> None:
    event = Event("state.changed", call, channel, sample, data, 3, "epoch", "now")
    raw = wire.encode(event, prev=2)
    assert b"\n" not in raw
    message = wire.decode(raw)
    assert message.event == event
    assert (message.prev, message.snapshot) == (2, False)


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        (Event("score", "call1", "caller", 0), "score.call1.caller"),
        (Event("alert.opened", "call 1.wav", "", 0), "alert.call%201%2Ewav.%"),
        (Event("state.changed", "Anna-Größe", "left", 0), "state.Anna-Größe.left"),
        (Event("call.started", "a/b", "ignored", 0), "call.a%2Fb"),
        (Event("health", "call1", "caller", 0), "health"),
    ],
)
def test_topics(event: Event, topic: str) -> None:
    assert wire.topic(event) == topic


@given(st.text(max_size=80), st.text(max_size=80))
@example("a.42", "a_42")
@example("", "%")
@example("\ud800", "\udfff")
@example("x" * 500 + "1", "x" * 500 + "2")
def test_two_names_never_share_a_topic(one: str, other: str) -> None:
    assert (wire.topic_name(one) == wire.topic_name(other)) == (one == other)
    assert "." not in wire.topic_name(one)
    assert 0 < len(wire.topic_name(one).encode()) <= wire.LONGEST_TOPIC_NAME


@pytest.mark.parametrize("key", sorted(wire.RESERVED))
def test_data_cannot_overwrite_the_envelope(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        wire.check(Event("score", "c", "a", 1, {key: 1}))


def test_an_unknown_type_has_no_topic() -> None:
    with pytest.raises(ValueError, match="weather"):
        wire.check(Event("weather.changed", "c", "a", 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"type":"score"}',
        wire.encode(SCORE).replace(b'"seq":7', b'"seq":-7'),
        wire.encode(SCORE).replace(b'"sample":32000', b'"sample":true'),
        wire.encode(SCORE).replace(b'"call":"call1"', b'"call":1'),
        wire.encode(SCORE, prev=5).replace(b'"prev":5', b'"prev":null'),
    ],
)
def test_what_is_no_event_is_refused_as_bad_input(raw: bytes) -> None:
    with pytest.raises(BadInputError, match="not an event"):
        wire.decode(raw)


def test_a_type_from_a_newer_publisher_is_kept() -> None:
    raw = wire.encode(Event("weather.changed", "c", "a", 1, {"rain": True}, 1, "e", "t"))
    assert wire.decode(raw, "weather.c").event.data == {"rain": True}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:5556", "tcp://*:*", "tcp://[::1]:0", "ipc:///tmp/monitor"])
def test_addresses(address: str) -> None:
    wire.check_address(address)


@pytest.mark.parametrize(
    "address", ["", "5556", "127.0.0.1:5556", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "udp://a:1"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(BadInputError, match="not an address"):
        wire.check_address(address)


def test_the_clock_and_the_epoch_can_be_read() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", wire.utc_now())
    first, second = wire.new_epoch(), wire.new_epoch()
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", first)
    assert first != second
