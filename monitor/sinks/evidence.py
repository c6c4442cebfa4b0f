"""The evidence of each alert in a folder of its own: audio, what was said, settings, sums (monitor/store/).

Events come by the bus, as to every sink; audio comes by the recorder, in order with the marks of the scoring loop. An
alert is written once both have reached its end.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from model.config import BLOCK_S, SAMPLE_RATE
from monitor import wire
from monitor.config import Config
from monitor.errors import BadInputError, SinkError
from monitor.ring import Blocks
from monitor.store import retention
from monitor.store.clip import Clip
from monitor.store.folder import Draft, folder_name, versions, write_alert
from monitor.store.history import History, Piece
from monitor.store.recorder import Mark, Recorder
from monitor.store.seal import read_key
from monitor.store.whole import WholeCall
from monitor.types import Event

LATE_S = 15.0
"""So long an alert waits for events that never come, because the queue was full."""
SLACK = SAMPLE_RATE
"""Samples that the clocks of a call's channels may be apart."""
MOST_WAITING = 100
"""Alerts that wait to be written, 1.3 MB each with two parties and 20 s; beyond it the oldest is given up."""
SAY_AGAIN_S = 10.0


@dataclass
class _Log:
    """What was said of a call. rows: where its audio is. started: its first event. latest: newest sample by channel.

    over: call.ended has been heard of, by the audio's way; ended: by the events' way.
    """

    rows: slice = field(default_factory=lambda: slice(0, 0))
    channels: tuple[str, ...] = ()
    started: Event | None = None
    events: deque[Event] = field(default_factory=deque)
    latest: dict[str, int] = field(default_factory=dict)
    whole: WholeCall | None = None
    over: bool = False
    ended: bool = False
    due_at: float = float("inf")


@dataclass
class _Waiting:
    """An alert that is not written yet, and what was said of its call. due_at: it then waits no longer for events."""

    clip: Clip
    log: _Log
    due_at: float = float("inf")

    def is_due(self, audio: bool, now: float) -> bool:
        """Whether audio and events have both reached the end; audio: whether there is any."""
        if audio and not self.clip.heard and not self.log.over:
            return False
        if self.due_at == float("inf") and (audio or self.log.over):
            self.due_at = now + LATE_S
        said = self.log.latest.get(self.clip.opened.channel, 0) >= self.clip.last
        return said or self.log.ended or now > self.due_at


class EvidenceSink:
    """Belongs to its lane's thread, but for the recorder, which the engine fills. weights_hash: set once known."""

    name = "evidence"

    def __init__(self, config: Config, epoch: str) -> None:
        """Raises BadInputError where the folder cannot be written, or the key cannot be used."""
        section = config.evidence_store
        self.root = Path(section.path)
        self.recorder = Recorder(audio=section.retain != "none")
        self.weights_hash = ""
        self._config, self._section, self._epoch = config, section, epoch
        self._key = read_key(Path(section.key)) if section.key else None
        self._before, self._after = round(section.before_s * SAMPLE_RATE), round(section.after_s * SAMPLE_RATE)
        self._history = History(section.before_s + SLACK / SAMPLE_RATE)
        self._logs: dict[str, _Log] = {}
        self._waiting: list[_Waiting] = []
        self._last: Event | None = None
        self._fault, self._told, self._tell_at = "", 0, 0.0
        self._prepare()

    def emit(self, event: Event) -> None:
        """Take one event. Raises SinkError where something that is due cannot be written; it is tried again."""
        self._pump()
        if event is not self._last and event.seq and event.call:
            self._last = event
            self._note(event)
        self._write()

    def tick(self) -> None:
        """Take the audio that has come. Raises SinkError as emit() does."""
        self._pump()
        self._write()
        self._tell()

    def close(self) -> None:
        """Write what is gathered, whether or not it is complete."""
        self.recorder.close()
        self._pump()
        for log in self._logs.values():
            log.over = log.ended = True
        try:
            self._write()
        except SinkError:
            for log in self._logs.values():
                if log.whole is not None:
                    log.whole.close()

    def _prepare(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = Draft(self.root, "probe", self._epoch)
            probe.discard()
            retention.sweep(self.root)
            self._retain()
        except OSError as error:
            hint = "name a folder that can be written; it is made if need be"
            raise BadInputError(f"evidence folder {self.root}: {error.strerror}", hint) from error

    def _retain(self) -> None:
        retention.apply(self.root, self._section.keep_days, self._section.keep_gb)

    def _pump(self) -> None:
        for item in self.recorder.take():
            if isinstance(item, Mark):
                self._mark(item)
            else:
                self._hear(item)

    def _mark(self, mark: Mark) -> None:
        event = mark.event
        log = self._logs.setdefault(event.call, _Log())
        if event.type == "call.started":
            names = event.data["channels"]
            assert isinstance(names, list)
            log = self._logs[event.call] = _Log(mark.rows, tuple(names))
            self._history.open(mark.rows)
            if self._section.retain == "all":
                self._begin_whole(event, log)
        elif event.type == "alert.opened":
            self._open_clip(event, log)
        else:
            log.over, log.due_at = True, time.monotonic() + LATE_S

    def _begin_whole(self, event: Event, log: _Log) -> None:
        try:
            draft = Draft(self.root, folder_name(wire.utc_now(), event.call), self._epoch)
            log.whole = WholeCall(draft, event.call, log.channels)
        except (OSError, RuntimeError) as error:
            self._fault = f"the audio of {event.call} cannot be kept: {_reason(error)}"

    def _open_clip(self, event: Event, log: _Log) -> None:
        clip = Clip(event, log.channels, log.rows, max(0, event.sample - self._before), event.sample + self._after)
        for row in range(log.rows.start, log.rows.stop):
            for piece in self._history.since(row, clip.first):
                clip.hear(row, piece)
        self._waiting.append(_Waiting(clip, log))
        if len(self._waiting) > MOST_WAITING:
            given_up = self._waiting.pop(0).clip.opened.data["alert"]
            self._fault = f"{given_up} was given up: too many alerts wait to be written"

    def _hear(self, blocks: Blocks) -> None:
        samples, lost = self._history.add(blocks)
        gathering = [w.clip for w in self._waiting if not w.clip.heard]
        recording = [log for log in self._logs.values() if log.whole is not None]
        if not gathering and not recording:
            return
        of_row = {row: i for i, row in enumerate(blocks.rows.tolist())}
        wanted = [clip.rows for clip in gathering] + [log.rows for log in recording]
        for rows in {(rows.start, rows.stop) for rows in wanted}:
            for row in range(*rows):
                if (i := of_row.get(row)) is not None:
                    piece = Piece(samples[i].copy(), int(blocks.end[i]), int(lost[i]))
                    self._hand_out(row, piece, gathering, recording)

    def _hand_out(self, row: int, piece: Piece, gathering: list[Clip], recording: list[_Log]) -> None:
        for clip in gathering:
            if clip.rows.start <= row < clip.rows.stop:
                clip.hear(row, piece)
        for log in recording:
            if log.whole is not None and log.rows.start <= row < log.rows.stop:
                try:
                    log.whole.hear(row - log.rows.start, piece)
                except (OSError, RuntimeError) as error:
                    self._give_up(log, error)

    def _give_up(self, log: _Log, error: OSError | RuntimeError) -> None:
        assert log.whole is not None
        self._fault = f"the audio of {log.whole.call} is not kept: {_reason(error)}"
        log.whole.close()
        log.whole = None

    def _note(self, event: Event) -> None:
        """Keep an event as long as an alert may want it."""
        log = self._logs.setdefault(event.call, _Log())
        log.events.append(event)
        if event.channel:
            log.latest[event.channel] = max(event.sample, log.latest.get(event.channel, 0))
        if event.type == "call.started":
            log.started = event
        elif event.type == "call.ended":
            log.ended = True
        if log.whole is not None:
            try:
                log.whole.note(wire.encode(event))
            except OSError as error:
                self._give_up(log, error)
        wanted = [w.clip.first for w in self._waiting if w.log is log]
        floor = min([max(log.latest.values(), default=0) - self._before, *wanted]) - SLACK
        while log.events and log.events[0].sample < floor:
            log.events.popleft()

    def _write(self) -> None:
        """What is due. Raises SinkError; what could not be written stays."""
        now = time.monotonic()
        try:
            for waiting in [w for w in self._waiting if w.is_due(self.recorder.audio, now)]:
                self._write_alert(waiting)
                self._waiting.remove(waiting)
                self._retain()
            for name, log in list(self._logs.items()):
                if log.over and (log.ended or now > log.due_at) and not any(w.log is log for w in self._waiting):
                    self._finish(log)
                    del self._logs[name]
        except (OSError, RuntimeError) as error:
            raise SinkError(f"{self.root}: {_reason(error)}") from error

    def _write_alert(self, waiting: _Waiting) -> None:
        clip, log = waiting.clip, waiting.log
        events = [e for e in log.events if clip.first <= e.sample < clip.last or e.type == "call.ended"]
        if log.started is not None and log.started not in events:
            events.insert(0, log.started)
        published = next(
            (e for e in events if e.type == "alert.opened" and e.data["alert"] == clip.opened.data["alert"]), None
        )
        moment = published.time if published is not None else wire.utc_now()
        draft = Draft(self.root, folder_name(moment, "alert", str(clip.opened.data["alert"])), self._epoch)
        try:
            lines = [(event.sample, wire.encode(event)) for event in events]
            facts = write_alert(draft, clip, lines, self._facts(moment), self._config)
            draft.publish(facts, self._key)
        except BaseException:
            draft.discard()
            raise

    def _finish(self, log: _Log) -> None:
        if log.whole is None:
            return
        moment = log.started.time if log.started is not None else wire.utc_now()
        try:
            log.whole.finish(self._facts(moment), self._config, self._key)
        except (OSError, RuntimeError) as error:
            self._give_up(log, error)
        log.whole = None
        self._retain()

    def _facts(self, moment: str) -> dict[str, object]:
        """Of every manifest. time: UTC of the alert, or of the call's beginning."""
        return {
            "time": moment,
            "epoch": self._epoch,
            "sample_rate": SAMPLE_RATE,
            "model": self.weights_hash,
            "written": wire.utc_now(),
            "versions": versions(),
        }

    def _tell(self) -> None:
        """Raise SinkError, once, for what went wrong and cannot be tried again."""
        if self.recorder.dropped > self._told and time.monotonic() > self._tell_at:
            self._told, self._tell_at = self.recorder.dropped, time.monotonic() + SAY_AGAIN_S
            seconds = self._told * BLOCK_S
            self._fault = (
                self._fault or f"{seconds:.1f} s of audio were left out so far: the disk or processor is too slow"
            )
        if self._fault:
            fault, self._fault = self._fault, ""
            raise SinkError(fault)


def _reason(error: OSError | RuntimeError) -> str:
    return getattr(error, "strerror", None) or str(error)
