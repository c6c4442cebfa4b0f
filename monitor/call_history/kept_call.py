"""The facts of one call, taken from its events one by one, in bounded memory. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from math import exp, inf, isfinite, log, nan
from typing import Any

from monitor.call_history.kept_channel import KeptChannel, KeptSegment, families_of, number
from monitor.call_names import call_address, call_ends, call_name
from monitor.scores import severity
from monitor.types import SAMPLE_RATE, Event, State

MOST_EVENTS, MOST_ALERTS, MOST_MARKS = 500, 200, 200
"""The most that is kept of a call; beyond them the oldest goes."""
ID_DIGITS = 20
VERDICTS = ("false_alarm", "confirmed")
MARKS = ("acknowledged", "note", *VERDICTS)


def call_id(epoch: str, call: str) -> str:
    """Return the name of a call in URLs: the same for a run of the program and a call of it, whoever computes it."""
    return sha256(f"{epoch}\0{call}".encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]


@dataclass
class KeptAlert:
    """An alert. closed_s: None while it is open."""

    id: str
    channel: str
    opened_s: float
    time: str
    why: str
    closed_s: float | None = None
    peak_llr: float = nan
    p_fake: float = nan


@dataclass(frozen=True)
class CallMark:
    """A mark that a person set on a call or an alert. by: as they call themselves. key: of the API; "" = none."""

    id: str
    kind: str
    alert: str | None
    note: str
    by: str
    key: str
    time: str


@dataclass
class KeptCall:
    """A call of one run of the program. own: it runs in this program, or ran."""

    call: str
    epoch: str
    tap: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    provenance: list[Any] = field(default_factory=list)
    started: str = ""
    ended: str | None = None
    why: str = ""
    newest_time: str = ""
    last_s: float = 0.0
    lost_s: float = 0.0
    model: str = ""
    prior: float = 0.5
    channels: dict[str, KeptChannel] = field(default_factory=dict)
    alerts: dict[str, KeptAlert] = field(default_factory=dict)
    marks: deque[CallMark] = field(default_factory=lambda: deque(maxlen=MOST_MARKS))
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    alert_count: int = 0
    event_count: int = 0
    """All events but scores, those too that are not kept any more."""

    @property
    def id(self) -> str:
        return call_id(self.epoch, self.call)

    @property
    def name(self) -> str:
        """Return its name for people, with the time of day of this machine."""
        return call_name(self.tap, self.details, _local(self.started or self.newest_time), self.call)

    @property
    def parties(self) -> tuple[str, str]:
        return call_ends(self.details)

    @property
    def address(self) -> str:
        return call_address(self.details)

    @property
    def state(self) -> State:
        """Return the worst state of its channels now, or at its end."""
        return max((c.state for c in self.channels.values()), key=severity, default=State.LISTENING)

    @property
    def outcome(self) -> State:
        """Return the worst that was said of the call; unknown where there was too little speech for a verdict."""
        worst = max((c.ever for c in self.channels.values()), key=severity, default=State.UNKNOWN)
        worst = State.ALERT if self.alert_count else worst
        return State.UNKNOWN if worst == State.LISTENING else worst

    @property
    def highest_llr(self) -> float:
        """Return the highest llr (nats) of the recent speech of any channel; NaN where nothing was judged."""
        found = [c.highest_llr for c in self.channels.values() if isfinite(c.highest_llr)]
        return max(found, default=nan)

    @property
    def highest_p(self) -> float:
        """Return the probability that the speech with the highest llr was synthetic, given the prior; NaN likewise."""
        return 1.0 / (1.0 + exp(-(self.highest_llr + log(self.prior / (1.0 - self.prior)))))

    @property
    def speech_s(self) -> float:
        return sum(c.net_speech_s for c in self.channels.values())

    @property
    def verdict(self) -> str | None:
        """Return the newest of the marks that say whether an alarm was right."""
        return next((mark.kind for mark in reversed(self.marks) if mark.kind in VERDICTS), None)

    def segments(self) -> Iterator[tuple[str, KeptSegment, float]]:
        """Yield (channel, segment, its end in seconds), by channel and time."""
        for channel in self.channels.values():
            for segment in channel.segments:
                end = max(self.last_s, segment.start_s) if segment.end_s is None else segment.end_s
                if end > segment.start_s:
                    yield channel.name, segment, end

    def apply(self, event: Event) -> None:
        """Take an event of the call."""
        at_s, data = event.sample / SAMPLE_RATE, event.data
        self.newest_time = event.time
        if event.type == "score":
            self.last_s = max(self.last_s, at_s)
            self._channel(event.channel).score(at_s, data)
            return
        self.events.append(event)
        self.event_count += 1
        match event.type:
            case "call.started":
                self._start(event)
            case "call.ended":
                self._end(event)
            case "state.changed":
                self._channel(event.channel).change(at_s, data)
            case "alert.opened" | "alert.updated" | "alert.closed":
                self._alert(event, at_s)
            case "call.marked":
                if event.data.get("kind") in MARKS:
                    self.marks.append(mark_of_event(event))
        if event.type != "call.marked":
            self.last_s = max(self.last_s, at_s)

    def _channel(self, name: str) -> KeptChannel:
        found = self.channels.get(name)
        if found is None:
            found = self.channels[name] = KeptChannel(name)
        return found

    def _start(self, event: Event) -> None:
        data: Mapping[str, Any] = event.data
        self.started, self.tap, self.model = event.time, str(data.get("source", "")), str(data.get("model", ""))
        prior = number(data.get("prior"))
        self.prior = prior if 0.0 < prior < 1.0 else self.prior
        details, marks = data.get("details"), data.get("provenance")
        self.details = {str(k): str(v) for k, v in details.items()} if isinstance(details, Mapping) else {}
        self.provenance = list(marks) if isinstance(marks, list) else []
        channels = data.get("channels")
        for name in channels if isinstance(channels, list | tuple) else ():
            self._channel(str(name))

    def _end(self, event: Event) -> None:
        data: Mapping[str, Any] = event.data
        self.ended, self.why = event.time, str(data.get("why", ""))
        self.lost_s = max(0.0, number(data.get("lost_s"))) if isfinite(number(data.get("lost_s"))) else 0.0
        channels = data.get("channels")
        for name, last in channels.items() if isinstance(channels, Mapping) else ():
            if isinstance(last, Mapping):
                channel = self._channel(str(name))
                speech_s = number(last.get("net_speech_s"))
                channel.net_speech_s = speech_s if speech_s >= 0 else channel.net_speech_s
                channel.p_fake, channel.llr = number(last.get("p_fake")), number(last.get("llr"))
                channel.families = families_of(last.get("families"))
                if isfinite(number(last.get("highest_llr"))):
                    channel.highest_llr = number(last.get("highest_llr"))

    def _alert(self, event: Event, at_s: float) -> None:
        data: Mapping[str, Any] = event.data
        identity = str(data.get("alert", ""))
        alert = self.alerts.get(identity)
        if alert is None:
            opened = number(data.get("opened_s"))
            opened = opened if isfinite(opened) else at_s
            alert = KeptAlert(identity, event.channel, opened, event.time, str(data.get("why", "")))
            self.alerts[identity] = alert
            self.alert_count += 1
            if len(self.alerts) > MOST_ALERTS:
                del self.alerts[next(iter(self.alerts))]
        peak = number(data.get("peak_llr"))
        alert.peak_llr, alert.p_fake = peak, max(number(data.get("p_fake")), alert.p_fake if alert.p_fake > 0 else -inf)
        if isfinite(peak) and not self._channel(event.channel).highest_llr >= peak:
            self._channel(event.channel).highest_llr = peak
        if event.type == "alert.closed":
            alert.closed_s = at_s


def mark_of_event(event: Event) -> CallMark:
    """Return the mark that a call.marked sets."""
    data, alert = event.data, event.data.get("alert")
    return CallMark(
        id=str(data.get("mark", "")),
        kind=str(data.get("kind", "")),
        alert=None if alert is None else str(alert),
        note=str(data.get("note", "")),
        by=str(data.get("by", "")),
        key=str(data.get("key", "")),
        time=event.time,
    )


def _local(moment: str) -> datetime:
    try:
        return datetime.fromisoformat(moment).astimezone()
    except ValueError:
        return datetime.fromtimestamp(0.0).astimezone()
