"""The values that every part of the monitor shares: states, conditions of a source, events. No numpy here.

Audio time is an integer index of samples at SAMPLE_RATE; seconds exist in the configuration and on screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, Self

SAMPLE_RATE = 16_000
"""Hz. The rate of every chunk after its source; sources resample."""
UNKNOWN_FAMILY = "unknown"
"""The family of synthesis that resembles none of those that the network learned."""


class State(StrEnum):
    """The verdict on one channel. UNDECIDED: there is speech, and it says too little either way."""

    LISTENING = "listening"
    CLEAR = "clear"
    SUSPICIOUS = "suspicious"
    ALERT = "alert"
    UNKNOWN = "unknown"
    UNDECIDED = "undecided"


WORST_FIRST = (State.ALERT, State.SUSPICIOUS, State.UNKNOWN, State.UNDECIDED, State.CLEAR, State.LISTENING)
"""The order of calls on a screen."""


class Reason(StrEnum):
    """The kind of a block of audio; everything but SPEECH leaves the evidence as it was."""

    SPEECH = "speech"
    SILENCE = "silence"
    ZEROS = "digital silence"
    TONE = "tone"
    DTMF = "DTMF"
    RINGBACK = "ringback"
    NOT_SPEECH = "music or noise"
    CLIPPING = "clipping"
    GAP = "lost audio"
    INVALID = "invalid samples"


@dataclass(frozen=True, slots=True)
class Condition:
    """A change in the health of a source, in the order of its audio.

    code: a stable word such as "stalled", "device lost", "overflow", "zeros", "moved", "ended early",
    "recovered". usable: False while nothing heard can be trusted; the verdict is then unknown, with this reason, until
    "recovered". Any other condition that is usable is news and changes nothing. channel: the one that it is about; "" =
    all of the source.
    """

    code: str
    detail: str
    usable: bool
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark in a recording about its own origin. It is shown beside the verdict, and is no part of the evidence.

    generator: what made it, as it says itself. issuer: who signed, as the certificate says. time: when, as the
    signature says. source_types: such as trainedAlgorithmicMedia (IPTC), of the recording first, then of what it was
    made from. valid: whether the signature holds; None = unknown. trusted: whether the signer is in the trust list;
    None = there is none. reason: of valid and trusted, in words. detail: all of it in one line, for people.
    """

    kind: Literal["c2pa", "watermark"]
    generator: str = ""
    issuer: str = ""
    time: str = ""
    source_types: tuple[str, ...] = ()
    valid: bool | None = None
    trusted: bool | None = None
    reason: str = ""
    detail: str = ""

    def described(self, detail: str) -> Self:
        """Return the same, with its line for people."""
        return replace(self, detail=detail)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; flat on the wire (monitor/events/wire.py).

    sample: index of the last sample that led to it. seq: 1, 2, 3 ... within the epoch, which names one run of
    the program. time: UTC, ISO 8601. epoch and time are the wall-clock fields: all others are functions of
    the audio, the weights and the configuration. unjournaled: there is a journal, and it does not have the event yet.
    """

    type: str
    call: str
    channel: str
    sample: int
    data: Mapping[str, object] = field(default_factory=dict)
    seq: int = 0
    epoch: str = ""
    time: str = ""
    unjournaled: bool = False
