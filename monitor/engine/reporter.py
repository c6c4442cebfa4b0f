"""Makes events from results: call by call, in the order of the audio."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine import event_data
from monitor.engine.calls import Call, CallChannel, Feed
from monitor.engine.decision import ALERT, CLEAR, LISTENING, SUSPICIOUS, UNDECIDED, UNKNOWN
from monitor.engine.pool import Pool
from monitor.engine.results import Results, Verdicts
from monitor.engine.ring_bank import RingBank
from monitor.engine.segments import ClosedStream, SegmentLog
from monitor.events.bus import Bus
from monitor.events.redaction import redactor
from monitor.events.sink import AudioRecorder
from monitor.types import Event

RECENT_EVENTS = 100

WHY_STATE = {
    LISTENING: "usable speech again, not enough for a verdict yet",
    CLEAR: "likelihood ratio over alerts.clear_memory_s of speech below alerts.clear_llr",
    SUSPICIOUS: "likelihood ratio above alerts.suspicious_llr",
    ALERT: "likelihood ratio above alerts.alert_llr, or above alerts.whole_llr over the call",
    UNDECIDED: "enough speech, and too little evidence either way",
}
WHY_ALERT = {
    "opened": "likelihood ratio above alerts.alert_llr for alerts.alert_hold_s of speech",
    "updated": "still open",
    "closed": "likelihood ratio below alerts.close_llr for alerts.close_hold_s of speech",
}
WHY_BY_WHOLE = "likelihood ratio of all speech of the call above alerts.whole_llr"


class Reporter:
    """Publishes events on the bus. Belongs to the scoring thread; others may read its arrays.

    alerts: alerts opened so far, of each row. scored_to: index after the newest sample scored, of each row.
    """

    def __init__(self, pool: Pool, bank: RingBank, bus: Bus, config: Config) -> None:
        self.pool, self.bank, self.bus, self.config = pool, bank, bus, config
        self.recent: deque[Event] = deque(maxlen=RECENT_EVENTS)
        self.alerts = np.zeros(pool.rows, dtype=np.int64)
        self.alerts_opened = 0
        self.scored_to = np.zeros(pool.rows, dtype=np.int64)
        self._segments = SegmentLog(pool.rows)
        self.recorder: AudioRecorder | None = None
        """Takes the audio that is scored, where it is to be kept."""
        self._clean = redactor(config.publish.redact_numbers)
        self._model = pool.scorer.weights_hash[:12]
        self._model_fault = ""
        self._interval = config.publish.score_interval_ms * SAMPLE_RATE // 1000
        self._channel_of_row: dict[int, tuple[Call, CallChannel]] = {}

    def begin(self, call: Call) -> None:
        """Report that a call has started; its rows are cold."""
        rows = call.rows
        self.alerts[rows], self.scored_to[rows] = 0, 0
        self._segments.open(rows)
        self._channel_of_row |= {row: (call, call.where(row)) for row in range(rows.start, rows.stop)}
        call.begun = True
        prior = self.config.evidence.prior
        self._publish(call, event_data.call_started(call, model=self._model, prior=prior))
        for mark in call.marks:
            self._publish(call, event_data.health(call.name, "", 0, "provenance", mark.detail, True))
        if self._model_fault:
            self._set_usable(call, rows, False)

    def add_blocks(self, blocks: Blocks) -> None:
        """Take the audio of one turn, before its results."""
        self.scored_to[blocks.rows] = blocks.end
        if self.recorder is not None:
            for turn in blocks.each():
                self.recorder.add_blocks(turn)

    def report(self, results: Results) -> None:
        """Publish the scores that are due and what has changed in one step, row by row."""
        changes = results.changes
        is_due = results.end % self._interval < BLOCK
        changed = changes.state | changes.opened | changes.updated | changes.closed | results.turned
        due, some_changed = is_due.nonzero()[0], changed.any()
        if not some_changed or not changes.state.any():
            self._segments.add(results.rows, results.llr, results.votes)
        if not len(due) and not some_changed:
            return
        found = [self._channel_of_row[row] for row in results.rows[due].tolist()]
        scores = event_data.scores(results, due, [at for _, at in found], self._model) if found else []
        calls, published = [call for call, _ in found], 0
        counted = 0 if changes.state.any() else len(results.rows)
        for i in changed.nonzero()[0].tolist():
            until = int(np.searchsorted(due, i, side="right"))
            self._publish_scores(calls[published:until], scores[published:until])
            published = until
            counted = self._count(results, counted, i + 1)
            self._report_changes(*self._channel_of_row[int(results.rows[i])], results, i)
        self._publish_scores(calls[published:], scores[published:])
        self._count(results, counted, len(results.rows))

    def _count(self, results: Results, start: int, stop: int) -> int:
        """Take the evidence of blocks before a state changes behind them. Returns where to go on."""
        if start < stop:
            part = slice(start, stop)
            self._segments.add(results.rows[part], results.llr[part], results.votes[part])
        return max(start, stop)

    def report_conditions(self, call: Call) -> None:
        """Publish the conditions of a call's sources, once the audio before them was scored."""
        for feed in call.feeds:
            first = feed.ring.rows.start
            while feed.conditions and feed.conditions[0][0] < self.bank.read[first] - self.bank.unscored[first] + BLOCK:
                condition = feed.conditions.popleft()[1]
                feed.note(condition)
                sample = int(self.scored_to[feed.ring.rows.start])
                alone = feed.channels[0] if len(call.feeds) > 1 and len(feed.channels) == 1 else ""
                code, detail, usable = condition.code, condition.detail, condition.usable
                channel = condition.channel or alone
                self._publish(call, event_data.health(call.name, channel, sample, code, detail, usable))
                self._trust(call, feed, feed.rows(condition))

    def report_health(self, code: str, detail: str, usable: bool) -> None:
        """Publish a health event that belongs to no call."""
        self._remember(event_data.health("", "", 0, code, detail, usable), wait=False)

    def report_posted(self, event: Event) -> None:
        """Publish an event that did not come from audio."""
        self._remember(event, wait=False)

    def published_name(self, call: str) -> str:
        """Return the name of a call as events have it."""
        return self._clean(Event("call.started", call, "", 0)).call

    def report_model(self, calls: Sequence[Call], fault: str) -> None:
        """Publish, once, that the network failed, or that it works again (fault "")."""
        if bool(fault) == bool(self._model_fault):
            return
        self._model_fault = f"model failed: {fault}" if fault else ""
        for call in calls:
            code, detail = ("model failed", fault) if fault else ("model recovered", "scoring goes on")
            sample = int(self.scored_to[call.rows.start])
            self._publish(call, event_data.health(call.name, "", sample, code, detail, not fault))
            for feed in call.feeds:
                self._trust(call, feed, feed.ring.rows)

    def end_call(self, call: Call, why: str) -> None:
        """Close the alerts of a call and report its end."""
        channels: dict[str, event_data.Data] = {}
        found: list[ClosedStream] = []
        rows, prior = call.rows, self.config.evidence.prior
        recent, whole = self.pool.verdicts(rows), self.pool.verdicts(rows, whole=True)
        for i, row in enumerate(range(rows.start, rows.stop)):
            at, end, alerts = call.where(row), int(self.scored_to[row]), int(self.alerts[row])
            if recent.open[i]:
                self._publish_alert(call, at, end, recent, i, "closed", "the call ended")
            found.append(self._segments.close(row, end))
            last = event_data.figures(whole, i, self._model) | {"alerts": alerts}
            channels[at.channel] = last | event_data.segments(found[-1], prior)
            self._channel_of_row.pop(row, None)
        end = int(self.scored_to[rows].max())
        outcome = event_data.outcome(found, channels.values())
        self._publish(call, event_data.call_ended(call.name, end, why, call.lost, channels, outcome))

    def _publish(self, call: Call, event: Event) -> None:
        if self.recorder is not None:
            self.recorder.add_event(call.rows, self._clean(event))
        if event.type == "score":
            self.bus.publish(self._clean(event), wait=not call.live)
        else:
            self._remember(event, wait=not call.live)

    def _remember(self, event: Event, wait: bool) -> None:
        """Publish it; screens keep the names that the tap gave, by which they know the calls."""
        sent = self.bus.publish(self._clean(event), wait=wait)
        self.recent.append(replace(event, seq=sent.seq, epoch=sent.epoch, time=sent.time))

    def _publish_scores(self, calls: Sequence[Call], scores: Sequence[Event]) -> None:
        """Scores begin and end nothing, so that no recorder needs them."""
        given = [(self._clean(event), not call.live) for call, event in zip(calls, scores, strict=True)]
        if given:
            self.bus.publish_all(given)

    def _report_changes(self, call: Call, at: CallChannel, results: Results, i: int) -> None:
        row, end, changes = int(results.rows[i]), int(results.end[i]), results.changes
        if results.turned[i]:
            impairment = results.impairment_of(i)
            code, detail = (
                ("hard to judge", impairment) if impairment else ("judged again", "most of the speech is usable")
            )
            self._publish(call, event_data.health(at.call, at.channel, end, code, detail, True))
        if changes.state[i]:
            self._publish_state(call, at, end, results, i, int(results.before[i]))
        if changes.opened[i]:
            self.alerts[row] += 1
            self.alerts_opened += 1
        for what, happened in (("opened", changes.opened), ("updated", changes.updated), ("closed", changes.closed)):
            if happened[i]:
                why = WHY_BY_WHOLE if what == "opened" and changes.by_whole[i] else WHY_ALERT[what]
                self._publish_alert(call, at, end, results, i, what, why)

    def _publish_alert(
        self, call: Call, at: CallChannel, end: int, verdicts: Verdicts, i: int, what: str, why: str
    ) -> None:
        number = int(self.alerts[at.row])
        event = event_data.alert(at, end, verdicts, i, self._model, what=what, number=number, why=why)
        self._publish(call, event)

    def _publish_state(self, call: Call, at: CallChannel, end: int, verdicts: Verdicts, i: int, before: int) -> None:
        self._segments.change(at.row, end, int(verdicts.state[i]))
        why = self._why(call.feed_of(at.row), verdicts, i)
        data = event_data.figures(verdicts, i, self._model)
        self._publish(call, event_data.state_changed(at, end, data, before, why))

    def _why(self, feed: Feed, verdicts: Verdicts, i: int) -> str:
        state = int(verdicts.state[i])
        if state == UNDECIDED and (impairment := verdicts.impairment_of(i)):
            return f"hard to judge: {impairment}"
        if state != UNKNOWN:
            return WHY_STATE[state]
        if fault := feed.fault(int(verdicts.rows[i])) or self._model_fault:
            return fault
        if verdicts.quiet[i] * BLOCK_S < self.config.alerts.unknown_after_s:
            return "the network gave a value that is not a number"
        return f"no usable speech for {self.config.alerts.unknown_after_s:g} s: {verdicts.reason_of(i).value}"

    def _trust(self, call: Call, feed: Feed, rows: slice) -> None:
        """Take rows of a feed for good or for bad, by what is known of them now."""
        for row in range(rows.start, rows.stop):
            self._set_usable(call, slice(row, row + 1), not feed.fault(row) and not self._model_fault)

    def _set_usable(self, call: Call, rows: slice, usable: bool) -> None:
        """Trust the input of rows, or not; a verdict that was there then becomes unknown at once."""
        before = self.pool.decision.state.copy()
        changed = self.pool.set_usable(rows, usable)
        verdicts = self.pool.verdicts(rows)
        for row in changed.tolist():
            end = int(self.scored_to[row])
            self._publish_state(call, call.where(row), end, verdicts, row - rows.start, int(before[row]))
