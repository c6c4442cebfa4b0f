"""Telephone numbers do not leave the program; everything else does, and events can still be joined."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.redaction import redact, redactor
from monitor.types import Event

KEY = b"k" * 16
PSEUDONYM = re.compile(r"tel-[a-z]{6}-x([0-9]{2})")


@pytest.mark.parametrize(
    "number",
    [
        "+493012345678",
        "004930 1234 5678",
        "(030) 1234-5678",
        "030.1234.5678",
        "555-0123-45",
        "1234567",
        "1.212.255.1234",
        "030.12.34.567",
        "+1 (555) 123-4567",
    ],
)
def test_a_number_becomes_a_pseudonym_that_keeps_its_last_two_digits(number: str) -> None:
    result = redact(f"sip:{number}@pbx;user=phone", KEY)
    found = re.fullmatch(rf"sip:{PSEUDONYM.pattern}@pbx;user=phone", result)
    assert found
    assert found[1] == re.sub(r"\D", "", number)[-2:]


@pytest.mark.parametrize(
    "text",
    [
        "call-20261125T023050",
        "192.168.10.20:5004",
        "192.168.10.20-5004",
        "rtp-45004-127.0.0.1-44498-12",
        "192.168.10.20:5004-10.0.0.2:5006",
        "192.168.10.20 10.0.0.2 10.0.0.3",
        "from 192.168.10.20. to (10.20.30.40)",
        "[2001:db8::1234:5678]:5004",
        "c0ffee00-1234-4567-8901-a23456789012",
        "mic-1",
        "2026-11-25T02:30:50Z",
        "ssrc 3f9a1c0b77aa",
        "extension 4711",
        "a1234567890",
        "",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert redact(text, KEY) == text


def test_a_number_beside_an_address_or_padded_to_a_uuid_is_replaced() -> None:
    assert re.fullmatch(rf"10\.0\.0\.1 {PSEUDONYM.pattern}@10\.0\.0\.2", redact("10.0.0.1 +493012345678@10.0.0.2", KEY))
    assert "493012345678" not in redact("00000000-0000-0000-0000-493012345678", KEY)


def test_one_number_has_one_name_in_a_run_and_another_one_in_the_next() -> None:
    assert redact("+49 30 12345678", KEY) == redact("0049 (30) 1234-5678", KEY)
    assert redact("+493012345678", KEY) != redact("+493012345679", KEY)
    assert redact("+493012345678", KEY) != redact("+493012345678", b"another key")


@given(st.text(), st.from_regex(r"\+[1-9][0-9]{7,13}", fullmatch=True), st.text())
def test_no_number_comes_through_and_redacting_twice_changes_nothing(before: str, number: str, after: str) -> None:
    result = redact(f"{before} {number} {after}", KEY)
    assert number not in result
    assert redact(result, KEY) == result


def test_an_event_is_redacted_wherever_a_name_stands() -> None:
    clean = redactor(True)
    data = {
        "alert": "+493012345678/+493087654321/1",
        "channels": {"+493087654321": {"p_fake": 0.5, "state": "clear"}},
        "details": {"from": "+493012345678"},
        "parts": ["+493012345678", 12345678],
        "model": "123456789012",
        "llr": 2.5,
    }
    event = clean(Event("alert.opened", "+493012345678", "+493087654321", 12_345_678, data))
    assert "12345678" not in event.call
    assert event.data["alert"] == f"{event.call}/{event.channel}/1"
    assert event.data["channels"] == {event.channel: {"p_fake": 0.5, "state": "clear"}}
    assert event.data["details"] == {"from": event.call}
    assert event.data["parts"] == [event.call, 12345678]
    assert (event.data["model"], event.data["llr"], event.sample) == ("123456789012", 2.5, 12_345_678)


def test_unless_it_is_wanted_nothing_is_touched() -> None:
    event = Event("call.started", "+493012345678", "", 0)
    assert redactor(False)(event) is event
