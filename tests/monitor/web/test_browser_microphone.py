"""A browser's microphone: what its messages mean, and which of them mean nothing."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.taps.tap_events import CallAudio, CallPaused, CallResumed, CallStarted, TapEvent
from monitor.web.browser_microphone import MOST_SAMPLES, BadBrowserMessageError, BrowserCall

RATE = 48_000


def started(rate: int = RATE) -> BrowserCall:
    call = BrowserCall("browser-1", "127.0.0.1", 100.0)
    call.start(json.dumps({"rate": rate, "label": "USB microphone"}))
    return call


def frame(place: int, samples: list[int]) -> bytes:
    return struct.pack(f"<I{len(samples)}h", place % 2**32, *samples)


def test_the_first_message_says_the_rate() -> None:
    call = BrowserCall("browser-1", "127.0.0.1", 0.0)
    details = {"from": "127.0.0.1", "rate": "44100", "label": "USB microphone"}
    expected = CallStarted("browser-1", "browser", ("microphone",), 44_100, "", details)
    assert call.start('{"rate": 44100, "label": "USB microphone"}') == expected


def test_a_label_may_be_long_or_absent() -> None:
    result = BrowserCall("a", "b", 0.0).start(json.dumps({"rate": RATE, "label": "x" * 10_000}))
    assert len(result.details["label"]) == 80
    assert BrowserCall("a", "b", 0.0).start('{"rate": 8000}').details["label"] == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "[]",
        "{}",
        '{"rate": "48000"}',
        '{"rate": 7999}',
        '{"rate": 192001}',
        '{"rate": true}',
        '{"rate": 48e3}',
    ],
)
def test_what_is_no_first_message(text: str) -> None:
    with pytest.raises(BadBrowserMessageError):
        BrowserCall("browser-1", "127.0.0.1", 0.0).start(text)


def test_frames_are_audio_at_their_place() -> None:
    call = started()
    first, second = call.frame(frame(0, [0, 16_384, -32_768]), 100.1), call.frame(frame(3, [1]), 100.1)
    assert (first.start, second.start) == (0, 3)
    np.testing.assert_array_equal(first.samples, np.array([0, 0.5, -1], np.float32))


def test_a_jump_is_lost_audio() -> None:
    call = started()
    call.frame(frame(0, [0] * 960), 100.1)
    assert call.frame(frame(2880, [0] * 960), 100.1).start == 2880


def test_places_wrap() -> None:
    """After a day at 48 kHz."""
    call = started()
    late = 100.0 + 2**32 / RATE
    call.frame(frame(2**31 - 2, [0, 0]), late)
    call.frame(frame(2**32 - 2, [0, 0]), late)
    assert call.frame(frame(0, [0, 0]), late).start == 2**32


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0", b"\0\0\0\0\0", frame(0, [0] * (MOST_SAMPLES + 1))])
def test_frames_of_a_wrong_size(data: bytes) -> None:
    with pytest.raises(BadBrowserMessageError, match="a frame of"):
        started().frame(data, 200.0)


def test_a_frame_that_goes_back() -> None:
    call = started()
    call.frame(frame(960, [0] * 960), 101.0)
    with pytest.raises(BadBrowserMessageError, match="out of order"):
        call.frame(frame(960, [0] * 960), 101.0)


def test_nobody_speaks_faster_than_time_passes() -> None:
    call = started()
    second = [0] * (RATE // 2)
    for at in range(6):
        call.frame(frame(at * len(second), second), 101.0)
    with pytest.raises(BadBrowserMessageError, match="faster than real time"):
        call.frame(frame(6 * len(second), second), 101.0)


def test_pauses() -> None:
    call = started()
    assert call.note('{"paused": "the browser suspended the audio"}') == CallPaused(
        "browser-1", "the browser suspended the audio"
    )
    assert call.note('{"resumed": true}') == CallResumed("browser-1")
    with pytest.raises(BadBrowserMessageError):
        call.note('{"other": 1}')


@given(st.lists(st.one_of(st.binary(max_size=64), st.text(max_size=40)), max_size=8))
def test_no_message_does_harm(messages: list[bytes | str]) -> None:
    call = started()
    at = 0
    for message in messages:
        try:
            result: TapEvent = call.note(message) if isinstance(message, str) else call.frame(message, 1e9)
        except BadBrowserMessageError:
            continue
        assert isinstance(result, CallAudio | CallPaused | CallResumed)
        if isinstance(result, CallAudio):
            assert result.start >= at
            assert np.isfinite(result.samples).all()
            at = result.start + len(result.samples)
