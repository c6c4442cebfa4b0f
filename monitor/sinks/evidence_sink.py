"""The evidence of each alert in a folder of its own: audio, what was said, settings, sums (monitor/store/).

Events come by the bus, as to every sink; audio comes by the recorder, in order with the marks of the scoring loop. An
alert is written once both have reached its end.
"""

from __future__ import annotations

import time

from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor.audio import SEGMENT_BLOCKS, Blocks
from monitor.config.schema import Config
from monitor.engine.recorder import RecordedEvent, Recorder
from monitor.errors import SinkError
from monitor.events import wire
from monitor.events.sink import RunContext, Sink
from monitor.sinks.evidence_writer import EvidenceWriter, is_of_the_disk, reason
from monitor.store.audio_history import AudioBlock, AudioHistory
from monitor.store.clip import EvidenceClip
from monitor.store.event_collector import LATE_S, CallLog, PendingAlert
from monitor.types import Event

SLACK = SAMPLE_RATE + SEGMENT_BLOCKS * BLOCK
"""Samples that are kept longer than an alert looks back: the clocks of a call's channels may be a second apart, and an
alert in a recording comes behind all the audio that was scored together with its own.
"""
MOST_WAITING = 100
"""Alerts that wait to be written, 1.3 MB each with two parties and 20 s; beyond it the oldest is given up."""
PARTIES = 2
"""The parties of a call in `serve`; there is room for more."""
PUMP_S = 0.05
"""Between two looks at the audio that has come."""
REPORT_EVERY_S = 10.0
TRIES = 3
"""Tries for an alert that cannot be written while the disk itself is well."""


class EvidenceSink(Sink):
    """Writes evidence in the sink's thread; the scoring thread fills its recorder."""

    name = "evidence"

    def __init__(self, config: Config, epoch: str) -> None:
        """Raises BadInputError where the folder cannot be written, or the key cannot be used."""
        section = config.evidence_store
        self.recorder = Recorder(audio=section.retain != "none")
        self._keeps_all = section.retain == "all"
        self._before, self._after = round(section.before_s * SAMPLE_RATE), round(section.after_s * SAMPLE_RATE)
        self._history = AudioHistory(section.before_s + SLACK / SAMPLE_RATE, PARTIES * config.serve.max_calls)
        self._logs: dict[str, CallLog] = {}
        self._over: list[CallLog] = []
        self._waiting: list[PendingAlert] = []
        self._last: Event | None = None
        self._fault, self._reported_drops, self._report_at = "", 0, 0.0
        self.set_aside = 0
        self._writer = EvidenceWriter(config, epoch)

    def start(self, run: RunContext) -> None:
        """Name the weights in what is written."""
        self._writer.weights_hash = run.weights_hash

    def audio_recorder(self) -> Recorder:
        """Return the queue between the scoring thread and this sink's."""
        return self.recorder

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
        self._report_fault()

    def tick_in_s(self) -> float:
        """Return the time until audio that has come is to be taken."""
        return PUMP_S

    def close(self) -> None:
        """Write what is gathered, whether or not it is complete."""
        self.recorder.close()
        self._pump()
        for log in self._logs.values():
            if not log.over:
                self._end(log)
            log.ended = True
        try:
            self._write()
        except SinkError:
            for log in self._logs.values():
                if log.whole is not None:
                    log.whole.close()

    def _pump(self) -> None:
        for item in self.recorder.take():
            if isinstance(item, RecordedEvent):
                self._mark(item)
            else:
                self._add_audio(item)

    def _mark(self, mark: RecordedEvent) -> None:
        event = mark.event
        if event.type == "call.started":
            names = event.data["channels"]
            assert isinstance(names, list)
            log = self._logs[event.call] = CallLog(mark.rows, tuple(names))
            self._history.open(mark.rows)
            if self._keeps_all:
                self._begin_whole(event, log)
        elif event.type == "alert.opened":
            self._open_clip(event, self._logs[event.call])
        else:
            self._end(self._logs[event.call])

    def _begin_whole(self, event: Event, log: CallLog) -> None:
        try:
            log.whole = self._writer.begin_whole(event.call, log.channels)
        except (OSError, RuntimeError) as error:
            self._fault = f"the audio of {event.call} cannot be kept: {reason(error)}"

    def _open_clip(self, event: Event, log: CallLog) -> None:
        clip = EvidenceClip(
            event, log.channels, log.rows, max(0, event.sample - self._before), event.sample + self._after
        )
        for row in range(log.rows.start, log.rows.stop):
            for piece in self._history.since(row, clip.first):
                clip.add(row, piece)
        self._waiting.append(PendingAlert(clip, log))
        if len(self._waiting) > MOST_WAITING:
            self._set_aside(self._waiting[0], "too many alerts wait to be written")

    def _add_audio(self, blocks: Blocks) -> None:
        samples, lost = self._history.add(blocks)
        # A call that is over gets nothing more: its rows may be another's by now.
        gathering = [w.clip for w in self._waiting if not w.clip.complete and not w.log.over]
        recording = [x for x in self._logs.values() if x.whole and not x.over] if self._keeps_all else []
        if not gathering and not recording:
            return
        of_row = {row: i for i, row in enumerate(blocks.rows.tolist())}
        wanted = [clip.rows for clip in gathering] + [log.rows for log in recording]
        for rows in {(rows.start, rows.stop) for rows in wanted}:
            for row in range(*rows):
                if (i := of_row.get(row)) is not None:
                    piece = AudioBlock(samples[i].copy(), int(blocks.end[i]), int(lost[i]))
                    self._hand_out(row, piece, gathering, recording)

    def _hand_out(self, row: int, piece: AudioBlock, gathering: list[EvidenceClip], recording: list[CallLog]) -> None:
        for clip in gathering:
            if clip.rows.start <= row < clip.rows.stop:
                clip.add(row, piece)
        for log in recording:
            if log.whole is not None and log.rows.start <= row < log.rows.stop:
                try:
                    log.whole.add(row - log.rows.start, piece)
                except (OSError, RuntimeError) as error:
                    self._give_up(log, error)

    def _give_up(self, log: CallLog, error: OSError | RuntimeError) -> None:
        assert log.whole is not None
        self._fault = f"the audio of {log.whole.call} is not kept: {reason(error)}"
        log.whole.close()
        log.whole = None

    def _note(self, event: Event) -> None:
        """Keep an event as long as an alert may want it."""
        log = self._logs.get(event.call)
        if log is None:
            return  # So late that nobody waits for it any more.
        log.note(event)
        if log.whole is not None:
            try:
                log.whole.note(wire.encode(event))
            except OSError as error:
                self._give_up(log, error)
        log.trim(min([log.newest - self._before, *(w.clip.first for w in self._waiting if w.log is log)]) - SLACK)

    def _write(self) -> None:
        """Write the evidence that is due. Raises SinkError; what could not be written stays."""
        now = time.monotonic()
        try:
            for waiting in [w for w in self._waiting if w.is_due(self.recorder.audio, now)]:
                if self._is_written(waiting):
                    self._waiting.remove(waiting)
                    self._writer.retain()
            for log in [x for x in self._over if x.ended or now > x.due_at]:
                if not any(w.log is log for w in self._waiting):
                    self._finish(log)
                    self._forget(log)
        except (OSError, RuntimeError) as error:
            raise SinkError(f"{self._writer.root}: {reason(error)}") from error

    def _set_aside(self, waiting: PendingAlert, why: str) -> None:
        """Give the evidence of one alert up: it is counted and reported."""
        self._waiting.remove(waiting)
        self.set_aside += 1
        self._fault = f"{self._writer.set_aside(waiting.clip.opened, why)} ({self.set_aside} so far): {why}"

    def _is_written(self, waiting: PendingAlert) -> bool:
        """Write one alert. Raises OSError for a fault of the disk; one of this alert alone must not stop the next."""
        try:
            self._writer.write(waiting)
        except (OSError, RuntimeError, ValueError) as error:
            if is_of_the_disk(error):
                raise
            self._writer.probe()
            waiting.tries += 1
            if waiting.tries >= TRIES:
                self._set_aside(waiting, reason(error))
            return False
        return True

    def _finish(self, log: CallLog) -> None:
        if log.whole is None:
            return
        try:
            self._writer.finish_whole(log.whole, log.started)
        except (OSError, RuntimeError) as error:
            self._give_up(log, error)
        log.whole = None
        self._writer.retain()

    def _end(self, log: CallLog) -> None:
        log.over, log.due_at = True, time.monotonic() + LATE_S
        self._over.append(log)

    def _forget(self, log: CallLog) -> None:
        self._over.remove(log)
        for name in [name for name, other in self._logs.items() if other is log]:
            del self._logs[name]

    def _report_fault(self) -> None:
        """Raise SinkError, once, for what went wrong and cannot be tried again."""
        if self.recorder.dropped > self._reported_drops and time.monotonic() > self._report_at:
            self._reported_drops, self._report_at = self.recorder.dropped, time.monotonic() + REPORT_EVERY_S
            lost = (
                f"{self._reported_drops * BLOCK_S:.1f} s of audio were left out so far: disk or processor is too slow"
            )
            self._fault = self._fault or lost
        if self._fault:
            fault, self._fault = self._fault, ""
            raise SinkError(fault)
