"""The names of calls: numbers and parties first, addresses never."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pytest

from monitor.call_names import call_address, call_ends, call_name

AT = datetime(2026, 3, 1, 14, 3, 22)


@pytest.mark.parametrize(
    ("tap", "details", "call", "name"),
    [
        ("twilio", {"from": "+49301234", "to": "+49405678", "peer": "10.0.0.7"}, "twilio-CA1", "+49301234 → +49405678"),
        ("audiohook", {"ani": "tel:+49301234", "dnis": "tel:+4930999"}, "a", "tel:+49301234 → tel:+4930999"),
        ("twilio", {"from": "alice"}, "a", "from alice"),
        ("vonage", {"to": "4930999"}, "a", "to 4930999"),
        ("rtp", {"from": "192.0.2.7:40000", "port": "5004"}, "rtp-5004-192.0.2.7-40000-17", "RTP call 17, 14:03:22"),
        ("rtp", {"from": "[2001:db8::7]:40000"}, "rtp-5004-2001:db8::7-40000-9", "RTP call 9, 14:03:22"),
        (
            "audiosocket",
            {"from": "127.0.0.1:9000"},
            "audiosocket-5f1c2a3b-0d4e-4f60-8a91-9c2e6b7d5f2a",
            "AudioSocket call 9c2e6b7d5f2a, 14:03:22",
        ),
        ("twilio", {}, "twilio-CA0123456789abcdef0123456789abcdef", "twilio call …cdef, 14:03:22"),
        ("api", {"peer": "127.0.0.1"}, "desk-7", "API stream desk-7, 14:03:22"),
        ("browser", {"from": "127.0.0.1", "label": "USB headset"}, "browser-1", "USB headset, 14:03:22"),
        ("browser", {"from": "::1", "label": ""}, "browser-2", "Browser microphone 2, 14:03:22"),
        ("asterisk", {"channel_id": "1.2"}, "asterisk-1.2", "asterisk call 1.2, 14:03:22"),
        ("turning.wav", {}, "turning", "turning.wav, 14:03:22"),
        ("", {}, "", "Call, 14:03:22"),
    ],
)
def test_names(tap: str, details: Mapping[str, str], call: str, name: str) -> None:
    assert call_name(tap, details, AT, call) == name


def test_addresses_are_told_from_numbers() -> None:
    assert call_ends({"from": "127.0.0.1:5004", "to": " 117 "}) == ("", "117")
    assert call_address({"from": "127.0.0.1:5004"}) == "127.0.0.1:5004"
    assert call_address({"from": "+4930", "peer": "192.0.2.1"}) == "192.0.2.1"
    assert call_address({"from": "+4930"}) == ""
