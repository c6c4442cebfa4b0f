"""Events of a tap: calls that begin, their audio, calls that end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio


class RefusedError(Exception):
    """A call cannot be taken; the text says why. The tap answers its peer in the protocol's own way."""


@dataclass(frozen=True, slots=True)
class CallStarted:
    """call: unique among the running ones. name: what events call it, where that differs; one that a call of this run
    had already gets a number. parties: one name a channel. rate: Hz, of its audio. direction: "inbound",
    "outbound" or "". details: what else the tap knows, such as the peer's own id of the call. peer: the host that it
    comes from, "" where that says nothing.
    """

    call: str
    tap: str
    parties: tuple[str, ...]
    rate: int
    direction: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class CallAudio:
    """samples: float32 (n,) at the call's rate, full scale 1.0, NaN = lost. start: index of the first on the channel's
    own clock; a jump is audio that was lost, or where quiet is set, a pause in which the peer sent none. concealed:
    bool (n,), samples that stand in for lost ones, of calls at SAMPLE_RATE alone; None = none.
    """

    call: str
    channel: int
    start: int
    samples: Audio
    quiet: bool = False
    concealed: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class CallPaused:
    """The peer holds its audio back: on hold, or a pause by command. Neither loss nor evidence."""

    call: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallResumed:
    """The audio goes on."""

    call: str


@dataclass(frozen=True, slots=True)
class CallMoved:
    """A party goes on from another address. source: HOST:PORT."""

    call: str
    channel: int
    source: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """No audio comes any more. reason: in words."""

    call: str
    reason: str = ""


TapEvent = CallStarted | CallAudio | CallPaused | CallResumed | CallMoved | CallEnded
Deliver = Callable[[TapEvent], None]
"""Process a tap event at once. Raises RefusedError for a CallStarted that cannot be taken."""
