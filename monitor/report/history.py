"""What a journal and evidence say of each call, put together. Pure: it takes events one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from model.config import SAMPLE_RATE
from monitor.report.curve import Curve
from monitor.types import Event, Reason


def figure(value: object) -> float:
    """What a field says; 0.0 for what is no finite number: records may be damaged or forged."""
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
class Kept:
    """A folder of evidence. difference: what verifying it found, or "". pictures: of each channel, by its name.

    seal: in words.
    """

    name: str
    manifest: Mapping[str, Any]
    settings: Mapping[str, Any]
    pictures: Mapping[str, Picture]
    holes: tuple[tuple[str, float, float, str], ...]
    difference: str
    seal: str


@dataclass
class Alert:
    """opened: figures when it opened. data: of its newest event. closed_s: None where nothing says that it closed."""

    number: str
    channel: str
    opened_s: float
    opened: Mapping[str, Any]
    time: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    closed_s: float | None = None
    kept: Kept | None = None

    @property
    def peak_llr(self) -> float:
        return figure(self.data.get("peak_llr"))


@dataclass
class Channel:
    """last: of call.ended, or of the newest score."""

    name: str
    curve: Curve = field(default_factory=Curve)
    alerts: dict[str, Alert] = field(default_factory=dict)
    states: list[tuple[float, str, str]] = field(default_factory=list)
    last: Mapping[str, Any] = field(default_factory=dict)
    gravest_p: float = 0.0


@dataclass
class Call:
    """One call of one run of the program. whole: it was seen from its beginning to its end."""

    name: str
    epoch: str
    started: Event | None = None
    ended: Event | None = None
    first_time: str = ""
    last_s: float = 0.0
    channels: dict[str, Channel] = field(default_factory=dict)
    health: list[Event] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def alerts(self) -> list[Alert]:
        """Of all channels, in the order in which they opened."""
        found = [alert for channel in self.channels.values() for alert in channel.alerts.values()]
        return sorted(found, key=lambda alert: alert.opened_s)

    @property
    def gravest_p(self) -> float:
        """The highest p_fake of all channels, 0.0 where nothing was judged."""
        return max((channel.gravest_p for channel in self.channels.values()), default=0.0)

    @property
    def judged(self) -> bool:
        """There was speech to judge."""
        return any(figure(channel.last.get("net_speech_s")) > 0 for channel in self.channels.values())

    @property
    def model(self) -> str:
        """SHA-256 of the weights, or the beginning of it."""
        of_kept = [str(kept.manifest.get("model", "")) for kept in self.kept]
        return next(filter(None, [*of_kept, str(self.started.data.get("model", "")) if self.started else ""]), "")


class Story:
    """Calls by (epoch, name), in the order in which they were met. only: the name of the only call wanted."""

    def __init__(self, only: str | None = None) -> None:
        self.calls: dict[tuple[str, str], Call] = {}
        self._only = only
        self._seen: set[tuple[str, int]] = set()

    def take(self, event: Event, *, may_repeat: bool) -> None:
        """One event. may_repeat: it may have been told before, by another file."""
        if not event.call or self._only not in (None, event.call):
            return
        if may_repeat and event.seq:
            at = event.epoch, event.seq
            if at in self._seen:
                return
            self._seen.add(at)
        call = self.calls.setdefault((event.epoch, event.call), Call(event.call, event.epoch))
        call.first_time = call.first_time or event.time
        call.last_s = max(call.last_s, event.sample / SAMPLE_RATE)
        _tell(call, event)

    def keep(self, kept: Kept) -> None:
        """A folder of evidence, once its events were taken."""
        name = str(kept.manifest.get("call", ""))
        call = self.calls.get((str(kept.manifest.get("epoch", "")), name))
        if call is None:
            return
        call.kept.append(kept)
        for channel in call.channels.values():
            if (alert := channel.alerts.get(str(kept.manifest.get("alert", "")))) is not None:
                alert.kept = kept


def _channel(call: Call, name: str) -> Channel:
    return call.channels.setdefault(name, Channel(name))


def _tell(call: Call, event: Event) -> None:
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


def _score(channel: Channel, at: float, data: Mapping[str, Any], running: bool) -> None:
    p = figure(data.get("p_fake"))
    judged = figure(data.get("net_speech_s")) > 0
    channel.curve.add(at, p if judged else 0.0, data.get("reason") == Reason.SPEECH)
    channel.gravest_p = max(channel.gravest_p, p if judged and data.get("warm") else 0.0)
    if running:
        channel.last = data


def _alert(channel: Channel, at: float, event: Event) -> None:
    number = str(event.data.get("alert", ""))
    opened_s = figure(event.data.get("opened_s", at))
    alert = channel.alerts.setdefault(number, Alert(number, event.channel, opened_s, event.data, event.time))
    alert.data = event.data
    if event.type == "alert.closed":
        alert.closed_s = at
