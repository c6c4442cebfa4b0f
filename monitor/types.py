"""The words that every part of the monitor shares: audio in, scores between, events out.

Everything here is a value. Audio time is an integer index of samples at SAMPLE_RATE; seconds exist in the
configuration and on screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz. The rate of every chunk after its source; sources resample."""

Audio = NDArray[np.float32]


class State(StrEnum):
    """What the monitor says of one channel."""

    LISTENING = "listening"
    CLEAR = "clear"
    SUSPICIOUS = "suspicious"
    ALERT = "alert"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """What a block of audio is; everything but SPEECH leaves the evidence as it was."""

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
class Chunk:
    """Audio of all channels of a source.

    samples: float32 (channels, n) at SAMPLE_RATE, full scale = 1.0. start: index of samples[:, 0] on the
    source's clock; a jump between chunks is audio that all channels lost. captured_at: time.monotonic() seconds at
    which the last of the samples was there, 0.0 for a recording. lost: bool (channels, n), samples that single channels
    lost on the way; None = none. concealed: lost ones, too, but others stand in for them: these are heard, so that what
    follows is heard rightly, and are no evidence.
    """

    samples: Audio
    start: int
    captured_at: float
    lost: NDArray[np.bool_] | None = None
    concealed: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A change in the health of a source, in the order of its audio.

    code: a stable word such as "stalled", "device lost", "overflow", "zeros", "moved", "ended early",
    "recovered". usable: False while nothing heard can be trusted; the verdict is then unknown, with this reason, until
    "recovered". Any other condition that is usable is news and changes nothing.
    """

    code: str
    detail: str
    usable: bool


class Source(Protocol):
    """Where audio comes from. A new source is one file, one registry line and one test.

    live: a live source must never wait (the ring overwrites its oldest audio); another one waits for the reader.
    """

    name: str
    channels: tuple[str, ...]
    live: bool

    def chunks(self) -> Iterator[Chunk | Condition]:
        """Yield audio until the source ends. Raises monitor.errors.SourceError for a fault that it cannot mend."""
        ...

    def close(self) -> None:
        """Release the device and end chunks() within 0.5 s. May be called from another thread, and twice."""
        ...


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


class Sink(Protocol):
    """Where events go. Its methods run in one thread of its own, which calls tick() at least every 20 ms.

    A sink may have, besides: wants(event) -> bool, asked in the publisher's thread before the event is queued;
    keeps = True, where what was not emitted at the end is emitted when the program runs again; left, events of a former
    run that come before all others; companions, sinks that it cannot do without.
    """

    name: str

    def emit(self, event: Event) -> None:
        """Take one event. Raises monitor.errors.SinkError for a fault; the event is then offered again."""
        ...

    def tick(self) -> None:
        """Do what is due by the clock, such as a heartbeat."""
        ...

    def close(self) -> None:
        """Write out what is held and release everything."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelView:
    """What a screen shows of one channel.

    reason: what the newest block is. families: (name, probability), most likely first. timeline: float32 (n,)
    p_fake, oldest first, NaN where there was no evidence, one value every timeline_step_s. spectrogram: float32
    (n, 24) dB relative to full scale, oldest first, one column every 20 ms. fault: why the input cannot be
    trusted, or "". bandwidth: wideband, telephone or, before enough speech, unknown.
    """

    name: str
    state: State
    reason: Reason
    fault: str
    p_fake: float
    llr: float
    net_speech_s: float
    needed_speech_s: float
    families: tuple[tuple[str, float], ...]
    level_dbfs: float
    peak_dbfs: float
    timeline: Audio
    timeline_step_s: float
    spectrogram: Audio
    alert_since_s: float | None
    alerts: int
    lost_s: float
    bandwidth: str = "unknown"


@dataclass(frozen=True, slots=True)
class View:
    """What a screen shows of one call. Latencies are from the capture of a block to its published score, NaN for
    a recording. alerts: opened so far, in all calls. back: there is a table of calls to go back to.
    """

    call: str
    source: str
    live: bool
    elapsed_s: float
    total_s: float | None
    channels: tuple[ChannelView, ...]
    latency_p50_ms: float
    latency_p99_ms: float
    ring_fill_s: float
    lost_s: float
    model: str
    device: str
    publisher: str
    health: tuple[str, ...]
    events: tuple[Event, ...]
    suspicious_p: float
    alert_p: float
    finished: bool
    alerts: int = 0
    back: bool = False


@dataclass(frozen=True, slots=True)
class CallRow:
    """What a table shows of one call. gravest: of its channels. channels: how many there are."""

    call: str
    origin: str
    elapsed_s: float
    gravest: ChannelView
    channels: int


@dataclass(frozen=True, slots=True)
class Board:
    """What a screen shows of a server.

    rows: gravest first. whole: of all calls, without their channels. cursor: the call that enter opens, or "". started,
    ended, refused: calls so far. taps: what listens where, and what is wrong with it.
    """

    rows: tuple[CallRow, ...]
    whole: View
    cursor: str
    max_calls: int
    started: int
    ended: int
    refused: int
    taps: tuple[str, ...]
