"""The names of calls: numbers and parties first, addresses never."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pytest

from monitor.call_names import call_address, call_ends, call_name

AT = datetime(2026, 3, 1, 14, 3, 22)


@pytest.mark.parametrize(
    ("tap", "details", "name"),
    [
        ("twilio", {"from": "+49301234", "to": "+49405678", "peer": "10.0.0.7"}, "+49301234 → +49405678"),
        ("audiohook", {"ani": "tel:+49301234", "dnis": "tel:+4930999"}, "tel:+49301234 → tel:+4930999"),
        ("twilio", {"from": "alice"}, "from alice"),
        ("vonage", {"to": "4930999"}, "to 4930999"),
        ("rtp", {"from": "192.0.2.7:40000", "port": "5004"}, "RTP call, 14:03:22"),
        ("rtp", {"from": "[2001:db8::7]:40000"}, "RTP call, 14:03:22"),
        ("audiosocket", {"uuid": "a-b", "from": "127.0.0.1:9000"}, "AudioSocket call, 14:03:22"),
        ("browser", {"from": "127.0.0.1", "label": "USB headset"}, "USB headset, 14:03:22"),
        ("browser", {"from": "::1", "label": ""}, "Browser microphone, 14:03:22"),
        ("asterisk", {"channel_id": "1.2"}, "asterisk call, 14:03:22"),
        ("turning.wav", {}, "turning.wav, 14:03:22"),
        ("", {}, "Call, 14:03:22"),
    ],
)
def test_names(tap: str, details: Mapping[str, str], name: str) -> None:
    assert call_name(tap, details, AT) == name


def test_addresses_are_told_from_numbers() -> None:
    assert call_ends({"from": "127.0.0.1:5004", "to": " 117 "}) == ("", "117")
    assert call_address({"from": "127.0.0.1:5004"}) == "127.0.0.1:5004"
    assert call_address({"from": "+4930", "peer": "192.0.2.1"}) == "192.0.2.1"
    assert call_address({"from": "+4930"}) == ""
