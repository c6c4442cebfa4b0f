"""Puts together what journals and evidence say about each call, event by event. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from model.config import SAMPLE_RATE
from monitor.report.curve import Curve
from monitor.types import Event, Reason


def number(value: object) -> float:
    """Return a field as a float, or 0.0 if it is no finite number: records may be damaged or forged."""
    try:
        return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0
    except OverflowError:
        return 0.0


@dataclass(frozen=True)
class Picture:
    """A spectrogram, and the seconds of the call that it shows."""

    png: bytes
    first_s: float
    last_s: float


@dataclass(frozen=True)
class EvidenceFolder:
    """A folder of evidence. difference: what verifying it found, or "". pictures: by channel. clips: audio by channel,
    where it was asked for: FLAC, and the second of the call at which it begins.

    holes: channel, start (s), length (s), reason. seal: its state in words.
    """

    name: str
    manifest: Mapping[str, Any]
    settings: Mapping[str, Any]
    pictures: Mapping[str, Picture]
    holes: tuple[tuple[str, float, float, str], ...]
    difference: str
    seal: str
    clips: Mapping[str, tuple[bytes, float]] = field(default_factory=dict)


@dataclass
class AlertRecord:
    """An alert. opened: data of its first event. data: that of its newest. closed_s: None if no event closed it."""

    channel: str
    opened_s: float
    opened: Mapping[str, Any]
    time: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    closed_s: float | None = None
    evidence: EvidenceFolder | None = None

    @property
    def peak_llr(self) -> float:
        return number(self.data.get("peak_llr"))


@dataclass
class ChannelRecord:
    """A channel. last: data of call.ended, or of the newest score."""

    name: str
    curve: Curve = field(default_factory=Curve)
    alerts: dict[str, AlertRecord] = field(default_factory=dict)
    states: list[tuple[float, str, str]] = field(default_factory=list)
    last: Mapping[str, Any] = field(default_factory=dict)
    highest_p: float = 0.0


@dataclass
class CallRecord:
    """A call of one run of the program. started, ended: None if the record lacks the event."""

    name: str
    epoch: str
    started: Event | None = None
    ended: Event | None = None
    first_time: str = ""
    last_s: float = 0.0
    channels: dict[str, ChannelRecord] = field(default_factory=dict)
    health: list[Event] = field(default_factory=list)
    evidence: list[EvidenceFolder] = field(default_factory=list)
    marks: list[Event] = field(default_factory=list)

    @property
    def alerts(self) -> list[AlertRecord]:
        """Return the alerts of all channels, in the order in which they opened."""
        found = [alert for channel in self.channels.values() for alert in channel.alerts.values()]
        return sorted(found, key=lambda alert: alert.opened_s)

    @property
    def highest_p(self) -> float:
        """Return the highest p_fake of all channels, 0.0 where nothing was judged."""
        return max((channel.highest_p for channel in self.channels.values()), default=0.0)

    @property
    def judged(self) -> bool:
        """Return True if there was speech to judge."""
        return any(number(channel.last.get("net_speech_s")) > 0 for channel in self.channels.values())

    @property
    def model(self) -> str:
        """Return the SHA-256 of the weights, or its beginning; "" if unknown."""
        of_folders = [str(folder.manifest.get("model", "")) for folder in self.evidence]
        return next(filter(None, [*of_folders, str(self.started.data.get("model", "")) if self.started else ""]), "")


class CallRecords:
    """Holds calls by (epoch, name), in the order in which they appeared. only: the name of the only call wanted."""

    def __init__(self, only: str | None = None) -> None:
        self.calls: dict[tuple[str, str], CallRecord] = {}
        self._only = only
        self._seen: set[tuple[str, int]] = set()

    def add_event(self, event: Event, *, may_repeat: bool) -> None:
        """Add an event. may_repeat: another file may have held it, too; it is then added once."""
        if not event.call or self._only not in (None, event.call):
            return
        if may_repeat and event.seq:
            at = event.epoch, event.seq
            if at in self._seen:
                return
            self._seen.add(at)
        if event.type == "call.marked":  # of a call that may have been of an earlier run
            if (marked := self.calls.get((str(event.data.get("of_epoch")), event.call))) is not None:
                marked.marks.append(event)
            return
        call = self.calls.setdefault((event.epoch, event.call), CallRecord(event.call, event.epoch))
        call.first_time = call.first_time or event.time
        call.last_s = max(call.last_s, event.sample / SAMPLE_RATE)
        _apply(call, event)

    def add_evidence(self, folder: EvidenceFolder) -> None:
        """Add a folder of evidence, after its events."""
        name = str(folder.manifest.get("call", ""))
        call = self.calls.get((str(folder.manifest.get("epoch", "")), name))
        if call is None:
            return
        call.evidence.append(folder)
        for channel in call.channels.values():
            if (alert := channel.alerts.get(str(folder.manifest.get("alert", "")))) is not None:
                alert.evidence = folder


def _channel(call: CallRecord, name: str) -> ChannelRecord:
    return call.channels.setdefault(name, ChannelRecord(name))


def _apply(call: CallRecord, event: Event) -> None:
    at = event.sample / SAMPLE_RATE
    data = event.data
    match event.type:
        case "call.started":
            call.started = event
            for name in data.get("channels", ()):  # type: ignore[attr-defined]
                _channel(call, str(name))
        case "call.ended":
            call.ended = event
            channels = data.get("channels")
            for name, last in (channels if isinstance(channels, dict) else {}).items():
                _channel(call, str(name)).last = last if isinstance(last, dict) else {}
        case "health":
            call.health.append(event)
        case "state.changed":
            _channel(call, event.channel).states.append((at, str(data.get("state", "")), str(data.get("why", ""))))
        case "score":
            _score(_channel(call, event.channel), at, data, call.ended is None)
        case "alert.opened" | "alert.updated" | "alert.closed":
            _alert(_channel(call, event.channel), at, event)


def _score(channel: ChannelRecord, at: float, data: Mapping[str, Any], running: bool) -> None:
    p = number(data.get("p_fake"))
    judged = number(data.get("net_speech_s")) > 0
    channel.curve.add(at, p if judged else 0.0, data.get("reason") == Reason.SPEECH)
    channel.highest_p = max(channel.highest_p, p if judged and data.get("warm") else 0.0)
    if running:
        channel.last = data


def _alert(channel: ChannelRecord, at: float, event: Event) -> None:
    identity, opened_s = str(event.data.get("alert", "")), number(event.data.get("opened_s", at))
    new = AlertRecord(event.channel, opened_s, event.data, event.time)
    alert = channel.alerts.setdefault(identity, new)
    alert.data = event.data
    if event.type == "alert.closed":
        alert.closed_s = at
