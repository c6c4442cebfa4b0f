"""What is no voice, such as ringing, is neither a verdict nor a voice that is hard to judge."""

from __future__ import annotations

import numpy as np
import pytest

from model.config import SAMPLE_RATE
from monitor.audio import Audio
from monitor.session.pushed_stream import open_stream
from monitor.types import Event

CADENCES = {
    "ringing, Europe": ((425,), 1.0, 4.0),
    "ringing, America": ((440, 480), 2.0, 4.0),
    "ringing, Britain": ((400, 450), 0.4, 0.2),
    "busy": ((480, 620), 0.5, 0.5),
    "digits": ((697, 1209), 0.1, 0.1),
}
"""Frequencies in Hz, seconds on, seconds off (ITU-T E.180, supplement 2; Q.23)."""


def cadence(frequencies: tuple[int, ...], on_s: float, off_s: float, seconds: float) -> Audio:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * f * t) for f in frequencies) * 0.2 / len(frequencies)
    return np.asarray(np.where(t % (on_s + off_s) < on_s, tone, 0.0), dtype=np.float32)


def heard(audio: Audio) -> list[Event]:
    with open_stream() as stream:
        return [*stream.push(audio), *stream.finish()]


def verdicts(events: list[Event]) -> tuple[set[str], list[str]]:
    """States, and health events, of a call."""
    states = {str(e.data["state"]) for e in events if e.type == "state.changed"}
    return states, [str(e.data["code"]) for e in events if e.type == "health"]


@pytest.mark.parametrize("name", CADENCES)
def test_tones_alone_are_not_hard_to_judge(name: str) -> None:
    states, health = verdicts(heard(cadence(*CADENCES[name], 15.0)))
    assert "hard to judge" not in health
    assert states <= {"unknown"}


def test_a_party_of_whom_nothing_was_heard_is_unknown() -> None:
    with open_stream() as stream:
        stream.push(np.full(6 * SAMPLE_RATE, np.nan, np.float32))
        stream.finish()
        (score,) = stream.scores()
    assert (score.state, score.net_speech_s) == ("unknown", 0.0)
