"""Plain lines, without escape codes, for files, pipes and simple terminals; and the summary at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from monitor.dashboard import words
from monitor.dashboard.canvas import clean
from monitor.types import SAMPLE_RATE, Event, State
from monitor.views import ChannelView, ServerStatus, View

STATUS_EVERY_S = 5.0


def plain_line(view: View, event: Event | None = None) -> str:
    """Return one line: the event, or without one how things stand."""
    if event is None:
        channels = "; ".join(_standing(channel) for channel in view.channels)
        lost = f", {words.lost(view.lost_s)}" if view.lost_s > 0 else ""
        return f"{words.fine_clock(view.elapsed_s)} {channels}{_timing(view)}{lost}"
    return f"{words.event_time(event)} {_event_words(event)}"


def summary_lines(view: View) -> list[str]:
    """Return the lines printed after the dashboard has closed: the call, then a line for each channel."""
    total = "" if view.total_s is None else f" of {words.clock(view.total_s)}"
    lost = f", {words.lost(view.lost_s)}" if view.lost_s > 0 else ""
    head = f"{clean(view.call)} ({clean(view.source)}): {words.clock(view.elapsed_s)}{total} of audio{lost}"
    return [head, *(f"  {_verdict(channel)}, {_alerts(channel, view)}{_fault(channel)}" for channel in view.channels)]


def status_words(status: ServerStatus) -> str:
    """Summarise a server in one line."""
    count = {state: sum(row.worst.state is state for row in status.rows) for state in (State.ALERT, State.SUSPICIOUS)}
    lost = f", {words.lost(status.whole.lost_s)}" if status.whole.lost_s > 0 else ""
    refused = f", {status.refused} refused" if status.refused else ""
    return (
        f"{len(status.rows)} calls, {count[State.ALERT]} with an alert, {count[State.SUSPICIOUS]} suspicious; "
        f"{status.ended} ended{refused}{_timing(status.whole)}{lost}"
    )


def _timing(view: View) -> str:
    if math.isfinite(view.speed):
        return f"; {view.speed:.1f} x real time"
    return f"; latency p99 {words.milliseconds(view.latency_p99_ms)}" if math.isfinite(view.latency_p99_ms) else ""


def _alerts(channel: ChannelView, view: View) -> str:
    count = "no alert" if channel.alerts == 0 else f"{channel.alerts} alert{'s' * (channel.alerts > 1)}"
    since = channel.alert_since_s
    if since is None:
        return count
    opened = words.fine_clock(since)
    return f"{count}, open from {opened} to the end" if view.finished else f"{count}, open since {opened}"


def _standing(channel: ChannelView) -> str:
    """Return the verdict, and what its audio is, or why it cannot be trusted."""
    hard = f", hard to judge: {channel.impairment}" if channel.impairment else ""
    return _verdict(channel) + (_fault(channel) or f", audio: {channel.reason.value}{hard}")


def _verdict(channel: ChannelView) -> str:
    likelihood = "" if math.isnan(channel.p_fake) else f", likelihood synthetic {words.percent(channel.p_fake)}"
    state = "" if channel.state is State.LISTENING else f"{channel.state.value.upper()}{likelihood}, "
    return f"{clean(channel.name)}: {state}{words.speech(channel)}"


def _fault(channel: ChannelView) -> str:
    return f", no trust in the input: {clean(channel.fault)}" if channel.fault else ""


def _event_words(event: Event) -> str:
    data, channel = event.data, clean(event.channel)
    why = f" ({clean(str(data['why']))})" if data.get("why") else ""
    if event.type.startswith("alert."):
        p = words.percent(words.data_number(event, "p_fake"))
        return f"{channel}: {event.type.replace('.', ' ').upper()}, likelihood synthetic {p}{why}"
    if event.type.startswith("state"):
        return f"{channel}: {data.get('from', '?')} -> {str(data.get('state', '?')).upper()}{why}"
    if event.type == "health":
        trust = "" if data.get("usable", True) else ", no trust in the input"
        whose = f"{channel}: " if channel else ""
        return whose + clean(f"health: {data.get('code', '')}: {data.get('detail', '')}{trust}")
    return f"{event.type.replace('.', ' ')}: {clean(event.call)}{why}"


@dataclass(frozen=True, slots=True)
class EventLine:
    """A line, and the audio time that it is about; of a server, whose calls have times of their own, 0."""

    at_s: float
    text: str


class EventLines:
    """Collect the events since the last call, without scores and updates of an alert already shown."""

    def __init__(self) -> None:
        self._seen: tuple[Event, ...] = ()
        self._shown: dict[str, tuple[State, str]] = {}
        self._pending: dict[str, tuple[State, str]] = {}

    def lines(self, shown: View | ServerStatus) -> Iterator[EventLine]:
        """Yield a line for each new event; then for each channel of a single call whose state changed without one.

        The event of a change comes a moment after the change: it has until the next call.
        """
        view, table = (shown.whole, True) if isinstance(shown, ServerStatus) else (shown, False)
        seen, self._seen = self._seen, view.events
        for event in view.events:
            if event.type in ("score", "alert.updated") or event in seen:
                continue
            named = f"{clean(event.call)}: " if table and event.call and not event.type.startswith("call") else ""
            time = words.local_time(event) if table else words.event_time(event)
            at_s = 0.0 if table else event.sample / SAMPLE_RATE
            yield EventLine(at_s, f"{time} {named}{_event_words(event)}")
            if event.type.startswith("state") and event.data.get("state") in set(State):
                _, fault = self._shown.get(event.channel, (State.LISTENING, ""))
                self._shown[event.channel] = State(str(event.data["state"])), fault
        for channel in view.channels:
            now = channel.state, channel.fault
            if self._shown.get(channel.name, (State.LISTENING, "")) == now:
                self._pending.pop(channel.name, None)
            elif self._pending.get(channel.name) == now or view.finished:
                yield EventLine(view.elapsed_s, f"{words.fine_clock(view.elapsed_s)} {_standing(channel)}")
                self._shown[channel.name] = now
            else:
                self._pending[channel.name] = now


class PlainScreen:
    """Writes news, and how things stand every five seconds, in the order of their time.

    A line about a moment waits for the next look: what happened before that moment is known by then.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._event_lines = EventLines()
        self._due = 0.0
        self._waiting: list[EventLine] = []
        self._known_s = 0.0

    def show(self, shown: View | ServerStatus, now: float) -> None:
        """Print what has changed, and the state where it is due. now: time.monotonic() seconds."""
        table = isinstance(shown, ServerStatus)
        self._waiting += self._event_lines.lines(shown)
        self.flush(math.inf if table else self._known_s)
        self._known_s = 0.0 if isinstance(shown, ServerStatus) else shown.elapsed_s
        if now < self._due:
            return
        self._due = now + STATUS_EVERY_S
        if isinstance(shown, ServerStatus):
            self.write(f"{_now()} {status_words(shown)}")
        else:
            self._waiting.append(EventLine(shown.elapsed_s, plain_line(shown)))

    def flush(self, until_s: float = math.inf) -> None:
        """Write the lines that wait, up to a time."""
        due = [line for line in self._waiting if line.at_s <= until_s]
        self._waiting = [line for line in self._waiting if line.at_s > until_s]
        for line in sorted(due, key=lambda line: line.at_s):
            self.write(line.text)

    def write(self, text: str) -> None:
        """Write one line, in what the file's encoding can express."""
        encoding = getattr(self._file, "encoding", None) or "utf-8"
        self._file.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._file.flush()


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
