"""The results of scoring: what is known of each channel of a recording or of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from monitor.errors import MonitorError
from monitor.types import SAMPLE_RATE, Mark, State

_BY_SEVERITY = (State.UNKNOWN, State.LISTENING, State.CLEAR, State.UNDECIDED, State.SUSPICIOUS, State.ALERT)


def severity(state: State) -> int:
    """Return the rank of a state, the worst the highest."""
    return _BY_SEVERITY.index(state)


def worse(before: State, now: State) -> State:
    """Return the worse of the worst state so far and a new one; of clear and undecided the new one."""
    between = (State.CLEAR, State.UNDECIDED)
    if before in between and now in between:
        return now
    return max(before, now, key=severity)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a channel with one state, in seconds from the beginning."""

    start_s: float
    end_s: float
    state: State


@dataclass(frozen=True, slots=True)
class ChannelScore:
    """The scores of one channel, of all speech in it.

    p_fake: probability that the voice is synthetic, 0 to 1. llr: the evidence for it, a log-likelihood ratio in nats.
    net_speech_s: seconds of speech that were evidence; without enough of it (evidence.min_speech_s) there is no
    verdict, and p_fake and llr mean nothing. state: the worst of the segments. families: the most likely families of
    synthesis, were the voice synthetic, with their probabilities. call: its name, where the file is a capture.
    """

    channel: str
    p_fake: float
    llr: float
    net_speech_s: float
    state: State
    families: Mapping[str, float]
    duration_s: float
    segments: tuple[Segment, ...] = ()
    call: str = ""


@dataclass(frozen=True, slots=True)
class FileScore:
    """The scores of one recording, or why there are none.

    error: why the recording, or a call of a capture, cannot be scored. warnings: a line for whatever else is wrong with
    it, such as an end that is missing or packets that nothing could be made of. provenance: what the recording carries
    about its own origin.
    """

    path: Path
    channels: tuple[ChannelScore, ...] = ()
    warnings: tuple[str, ...] = ()
    error: MonitorError | None = None
    provenance: tuple[Mark, ...] = ()


@dataclass
class StateTimeline:
    """The states of one channel as they change: (sample index, state) of each change."""

    changes: list[tuple[int, State]] = field(default_factory=lambda: [(0, State.LISTENING)])

    def add(self, sample: int, state: State) -> None:
        """Note that the channel has this state from here on."""
        self.changes.append((sample, state))

    def segments(self, end: int) -> tuple[Segment, ...]:
        """Return the stretches up to a sample index; none is empty."""
        stops = [sample for sample, _ in self.changes[1:]] + [end]
        return tuple(
            Segment(round(start / SAMPLE_RATE, 3), round(stop / SAMPLE_RATE, 3), state)
            for (start, state), stop in zip(self.changes, stops, strict=True)
            if stop > start
        )

    def worst(self, net_speech: int) -> State:
        """Return the worst state so far, of clear and undecided the later one; unknown where there was no speech.

        net_speech: blocks.
        """
        worst = reduce(worse, (state for _, state in self.changes))
        return State.UNKNOWN if worst == State.LISTENING and not net_speech else worst


def worst(scores: Sequence[ChannelScore]) -> State:
    """Return the worst state of several channels; unknown of none."""
    return max((score.state for score in scores), key=severity, default=State.UNKNOWN)
