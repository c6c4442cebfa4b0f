"""From results to events: what is said of every call, in the order of its audio."""

from __future__ import annotations

from collections import deque

import numpy as np

from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine import event_data
from monitor.engine.calls import Call, Feed
from monitor.engine.decision import ALERT, CLEAR, LISTENING, SUSPICIOUS, UNKNOWN
from monitor.engine.pool import Pool, Results
from monitor.engine.ring import RingBank
from monitor.events.bus import Bus
from monitor.events.redaction import redactor
from monitor.events.sink import AudioRecorder
from monitor.types import Event

RECENT_EVENTS = 100

WHY_STATE = {
    LISTENING: "usable speech again, not enough for a verdict yet",
    CLEAR: "enough speech, and the likelihood ratio is below alerts.suspicious_llr",
    SUSPICIOUS: "likelihood ratio above alerts.suspicious_llr",
    ALERT: "likelihood ratio above alerts.alert_llr",
}
WHY_ALERT = {
    "opened": "likelihood ratio above alerts.alert_llr for alerts.alert_hold_s of speech",
    "updated": "still open",
    "closed": "likelihood ratio below alerts.close_llr for alerts.close_hold_s of speech",
}


class Reporter:
    """Says events on the bus. Belongs to the scoring thread; others may read its arrays.

    alerts: alerts opened so far, of each row. end: index after the newest sample scored, of each row.
    """

    def __init__(self, pool: Pool, bank: RingBank, bus: Bus, config: Config) -> None:
        self.pool, self.bank, self.bus, self.config = pool, bank, bus, config
        self.recent: deque[Event] = deque(maxlen=RECENT_EVENTS)
        self.alerts = np.zeros(pool.rows, dtype=np.int64)
        self.alerts_opened = 0
        self.end = np.zeros(pool.rows, dtype=np.int64)
        self.recorder: AudioRecorder | None = None
        """Takes what was heard, where it is to be kept."""
        self._clean = redactor(config.publish.redact_numbers)
        self._model_fault = ""
        self._interval = config.publish.score_interval_ms * SAMPLE_RATE // 1000
        self._call_of_row: dict[int, Call] = {}

    def begin(self, call: Call) -> None:
        """The first word on a call, whose rows have heard nothing."""
        rows = call.rows
        self.alerts[rows], self.end[rows] = 0, 0
        self._call_of_row |= dict.fromkeys(range(rows.start, rows.stop), call)
        call.begun = True
        self._say(call, event_data.call_started(call.name, call.origin, call.channels, dict(call.details), self.pool))
        if self._model_fault:
            self._set_usable(call, rows, False)

    def heard(self, blocks: Blocks) -> None:
        """The audio of one turn, before it is judged."""
        self.end[blocks.rows] = blocks.end
        if self.recorder is not None:
            self.recorder.add_blocks(blocks)

    def results(self, results: Results) -> None:
        """Of one step."""
        changes = results.changes
        due = results.end // self._interval != (results.end - BLOCK) // self._interval
        changed = changes.state | changes.opened | changes.updated | changes.closed
        for i in np.flatnonzero(due | changed).tolist():
            self._row(results, i, bool(due[i]))

    def conditions(self, call: Call) -> None:
        """What the sources said of themselves, once the audio before it was scored."""
        for feed in call.feeds:
            while feed.conditions and feed.conditions[0][0] < self.bank.read[feed.ring.rows.start] + BLOCK:
                condition = feed.conditions.popleft()[1]
                feed.note(condition)
                sample = int(self.end[feed.ring.rows.start])
                alone = feed.channels[0] if len(call.feeds) > 1 and len(feed.channels) == 1 else ""
                code, detail, usable = condition.code, condition.detail, condition.usable
                channel = condition.channel or alone
                self._say(call, event_data.health(call.name, channel, sample, code, detail, usable))
                self._trust(call, feed, feed.rows(condition))

    def notice(self, code: str, detail: str, usable: bool) -> None:
        """What belongs to no call."""
        event = self._clean(event_data.health("", "", 0, code, detail, usable))
        self.recent.append(self.bus.publish(event, wait=False))

    def model(self, calls: tuple[Call, ...], fault: str) -> None:
        """The network failed, or works again; said once."""
        if bool(fault) == bool(self._model_fault):
            return
        self._model_fault = f"model failed: {fault}" if fault else ""
        for call in calls:
            code, detail = ("model failed", fault) if fault else ("model recovered", "scoring goes on")
            sample = int(self.end[call.rows.start])
            self._say(call, event_data.health(call.name, "", sample, code, detail, not fault))
            for feed in call.feeds:
                self._trust(call, feed, feed.ring.rows)

    def end_of(self, call: Call, why: str) -> None:
        """Close what is open and say the last word."""
        channels: dict[str, dict[str, object]] = {}
        rows = call.rows
        llrs, probabilities = self.pool.whole(rows)
        for i, row in enumerate(range(rows.start, rows.stop)):
            at, end = call.where(row), int(self.end[row])
            if self.pool.decision.open[row]:
                llr, p_fake = self.pool.recent(row)
                number = int(self.alerts[row])
                self._say(call, event_data.alert(self.pool, at, end, llr, p_fake, "closed", number, "the call ended"))
            figures = float(llrs[i]), float(probabilities[i])
            channels[at.channel] = event_data.last_word(self.pool, at, *figures, int(self.alerts[row]))
            self._call_of_row.pop(row, None)
        self._say(call, event_data.call_ended(call.name, int(self.end[rows].max()), why, call.lost, channels))

    def _say(self, call: Call, event: Event) -> None:
        event = self._clean(event)
        if self.recorder is not None:
            self.recorder.add_event(call.rows, event)
        event = self.bus.publish(event, wait=not call.live)
        if event.type != "score":
            self.recent.append(event)

    def _row(self, results: Results, i: int, due: bool) -> None:
        row, end = int(results.rows[i]), int(results.end[i])
        call, changes = self._call_of_row[row], results.changes
        at, figures = call.where(row), (end, float(results.llr[i]), float(results.p_fake[i]))
        if due:
            self._say(call, event_data.score(self.pool, at, *figures, bool(results.warm[i])))
        if changes.state[i]:
            why = self._why(call.feed_of(row), row)
            self._say(call, event_data.state_changed(self.pool, at, *figures, int(results.before[i]), why))
        if changes.opened[i]:
            self.alerts[row] += 1
            self.alerts_opened += 1
        for what in ("opened", "updated", "closed"):
            if getattr(changes, what)[i]:
                why = WHY_ALERT[what]
                self._say(call, event_data.alert(self.pool, at, *figures, what, int(self.alerts[row]), why))

    def _why(self, feed: Feed, row: int) -> str:
        state = int(self.pool.decision.state[row])
        if state != UNKNOWN:
            return WHY_STATE[state]
        if fault := feed.fault(row) or self._model_fault:
            return fault
        if self.pool.decision.quiet[row] * BLOCK_S < self.config.alerts.unknown_after_s:
            return "the network gave what is no number"
        return f"no usable speech for {self.config.alerts.unknown_after_s:g} s: {self.pool.reason(row).value}"

    def _trust(self, call: Call, feed: Feed, rows: slice) -> None:
        """Take rows of a feed for good or for bad, by what is known of them now."""
        for row in range(rows.start, rows.stop):
            self._set_usable(call, slice(row, row + 1), not feed.fault(row) and not self._model_fault)

    def _set_usable(self, call: Call, rows: slice, usable: bool) -> None:
        """Take the input for good or for bad; a verdict that was there becomes unknown at once."""
        before = self.pool.decision.state.copy()
        for row in self.pool.set_usable(rows, usable).tolist():
            end, why = int(self.end[row]), self._why(call.feed_of(row), row)
            llr, p_fake = self.pool.recent(row)
            event = event_data.state_changed(self.pool, call.where(row), end, llr, p_fake, int(before[row]), why)
            self._say(call, event)
