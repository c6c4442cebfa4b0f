"""The facts of one channel of a call, taken from its events. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any

from monitor.call_history.score_timeline import ScoreTimeline
from monitor.scores import worse
from monitor.types import State

MOST_SEGMENTS = 1000
"""The most that is kept of a channel; beyond them the oldest goes."""


def number(value: object) -> float:
    """Return a field as a float; NaN for what is no finite number: a journal may be damaged."""
    return float(value) if isinstance(value, int | float) and isfinite(value) else nan


@dataclass
class KeptSegment:
    """A stretch of a channel with one state. end_s: None while it goes on. llr, p_fake: the highest in it, or NaN."""

    start_s: float
    state: State
    reason: str
    end_s: float | None = None
    p_fake: float = nan
    llr: float = nan


@dataclass
class KeptChannel:
    """A channel. net_speech_s: seconds of speech that were evidence."""

    name: str
    state: State = State.LISTENING
    net_speech_s: float = 0.0
    highest_llr: float = nan
    p_fake: float = nan
    llr: float = nan
    families: Mapping[str, float] = field(default_factory=dict)
    timeline: ScoreTimeline = field(default_factory=ScoreTimeline)
    segments: deque[KeptSegment] = field(default_factory=lambda: deque(maxlen=MOST_SEGMENTS))
    ever: State = State.LISTENING
    """The worst state so far; of clear and undecided the later one."""

    def __post_init__(self) -> None:
        self.segments.append(KeptSegment(0.0, State.LISTENING, "the call began"))

    def score(self, at_s: float, data: Mapping[str, Any]) -> None:
        speech_s = number(data.get("net_speech_s"))
        new, self.net_speech_s = speech_s > self.net_speech_s, max(self.net_speech_s, speech_s if speech_s > 0 else 0.0)
        judged = new and data.get("state") not in (State.LISTENING, State.UNKNOWN)
        p_fake, llr = (number(data.get("p_fake")), number(data.get("llr"))) if judged else (nan, nan)
        if judged:
            self.p_fake, self.llr, self.families = p_fake, llr, families_of(data.get("families"))
            self.peak(p_fake, llr)
        self.timeline.add(at_s, p_fake, llr)

    def peak(self, p_fake: float, llr: float) -> None:
        """Note a figure of the recent speech where it is the highest, of the call and of the segment."""
        if not self.highest_llr >= llr:
            self.highest_llr = llr
        newest = self.segments[-1]
        if not newest.llr >= llr:
            newest.p_fake, newest.llr = p_fake, llr

    def change(self, at_s: float, data: Mapping[str, Any]) -> None:
        """Take a new state."""
        self.state = _state(data.get("state"))
        self.segments[-1].end_s = at_s
        if self.segments[-1].start_s == at_s:
            self.segments.pop()
        self.segments.append(KeptSegment(at_s, self.state, str(data.get("why", ""))))
        if self.state not in (State.LISTENING, State.UNKNOWN):
            self.peak(number(data.get("p_fake")), number(data.get("llr")))
        self.ever = worse(self.ever, self.state)


def _state(value: object) -> State:
    """Return a state; unknown for what is none: a journal may be damaged."""
    try:
        return State(str(value))
    except ValueError:
        return State.UNKNOWN


def families_of(value: object) -> dict[str, float]:
    found = value if isinstance(value, Mapping) else {}
    return {str(name): number(p) for name, p in found.items() if isfinite(number(p))}
