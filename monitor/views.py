"""The values that the terminal and the page show: a channel, a call, the table of a server's calls."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from monitor.audio import Audio
from monitor.types import Event, Reason, State

SPECTRUM_HZ = (60.0, 8000.0)
"""Edges of a spectrogram, whose bands are evenly spaced in mel (the scale of ETSI ES 201 108)."""


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel as a screen shows it.

    reason: what the newest block is. families: (name, probability), most likely first. timeline: float32 (n,)
    p_fake, oldest first, NaN where there was no evidence, one value every timeline_step_s. spectrogram: float32
    (n, 24) dB relative to full scale, oldest first, one column every 20 ms. fault: why the input cannot be
    trusted, or "". bandwidth: wideband, telephone or, before enough speech, unknown. impairment: what makes the voice
    hard to judge, such as "gaps 50 %", or "". scored_s: audio of this channel that was scored, NaN = not known.
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
    impairment: str = ""
    scored_s: float = nan


@dataclass(frozen=True, slots=True)
class View:
    """A call as a screen shows it. Latencies are from the capture of a block to its published score, NaN for
    a recording. alerts: opened so far, in all calls. back: there is a table of calls to go back to. speed: of a
    recording, seconds of audio scored in a second; NaN for a live call. name: of the one call as people read it, ""
    of several.
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
    speed: float = nan
    name: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as a table shows it. call: its name in the engine. name: as people read it. worst: of its channels.
    channels: how many there are. started: seconds since 1970, UTC. id: of the call in the HTTP API. alerts: of all its
    channels. ended: seconds since 1970, UTC; 0 while it goes on. why: it ended.
    """

    call: str
    origin: str
    elapsed_s: float
    worst: ChannelView
    channels: int
    name: str = ""
    started: float = 0.0
    id: str = ""
    alerts: int = 0
    ended: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class ShardView:
    """A process of a cluster that scores calls. state: starting, up, leaving or down. place: the machine it runs on.
    streams: channels of calls that it scores. busy: share of its time, 0 to 1. answer_ms: of the newest answer. lost:
    times that it was lost.
    """

    name: str
    state: str
    place: str
    streams: int
    busy: float
    answer_ms: float
    lost: int

    @property
    def works(self) -> bool:
        """Return whether it answers."""
        return self.state in ("up", "leaving")


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A server as a screen shows it.

    rows: worst first. whole: of all calls, without their channels. started, ended, refused: calls so far. taps: what
    listens where, and what is wrong with it. past: calls that have ended, the newest first. shards: of its cluster.
    """

    rows: tuple[CallRow, ...]
    whole: View
    max_calls: int
    started: int
    ended: int
    refused: int
    taps: tuple[str, ...]
    past: tuple[CallRow, ...] = ()
    shards: tuple[ShardView, ...] = ()
