"""The live loop: capture threads fill the ring, one loop scores all channels, the bus takes the events.

source --(capture thread)--> Ring --(Engine.run)--> Pool.step --> events --> Bus --> sinks
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor import events
from monitor.alerts import ALERT, CLEAR, LISTENING, SUSPICIOUS, UNKNOWN
from monitor.bus import Bus
from monitor.config import Config
from monitor.events import Where
from monitor.pool import Pool, Results
from monitor.ring import Ring, RingBank
from monitor.types import Chunk, Condition, Event, Source

WAIT_S = 0.05
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


@dataclass
class Call:
    """One source while it is watched. conditions: (samples written when it came, condition), oldest first.

    error: what ended the source before its audio did.
    """

    name: str
    source: Source
    ring: Ring
    conditions: deque[tuple[int, Condition]] = field(default_factory=deque)
    fault: str = ""
    error: Exception | None = None
    ended: bool = False

    def where(self, row: int) -> Where:
        return Where(self.name, self.source.channels[row - self.ring.rows.start], row)


class Engine:
    """Watches calls until their sources end or stop() is said. run() is the scoring loop, in the caller's thread."""

    def __init__(self, pool: Pool, bank: RingBank, bus: Bus, config: Config) -> None:
        self.pool, self.bank, self.bus, self.config = pool, bank, bus, config
        self.calls: list[Call] = []
        self.recent: deque[Event] = deque(maxlen=RECENT_EVENTS)
        self.latencies_ms: deque[float] = deque(maxlen=3000)
        self.alerts = np.zeros(pool.rows, dtype=np.int64)
        self.end = np.zeros(pool.rows, dtype=np.int64)
        self.finished = False
        self.interrupted = False
        self._model_fault = ""
        self._stopping = threading.Event()
        self._interval = config.publish.score_interval_ms * SAMPLE_RATE // 1000
        self._call_of_row: dict[int, Call] = {}

    def add(self, name: str, source: Source) -> Call:
        """Watch a source on the next free rows. Raises ValueError where none are left."""
        first = sum(len(c.source.channels) for c in self.calls)
        ring = self.bank.open(first, len(source.channels))
        self.pool.open(ring.rows)
        call = Call(name, source, ring)
        self.calls.append(call)
        self._call_of_row |= dict.fromkeys(range(ring.rows.start, ring.rows.stop), call)
        return call

    def stop(self) -> None:
        """End soon, from any thread or a signal handler: sources are closed, calls end as interrupted."""
        self._stopping.set()

    def run(self) -> None:
        """Score until every source has ended or stop() was said, then end the calls. No thread is left after it."""
        threads = []
        for call in self.calls:
            self._say(call, events.call_started(call.name, call.source.name, call.source.channels, self.pool))
            threads.append(threading.Thread(target=capture, args=(call,), name=f"capture {call.name}", daemon=True))
            threads[-1].start()
        try:
            while not self._stopping.is_set() and not all(c.ended for c in self.calls):
                self._turn()
        finally:
            self.interrupted = not all(c.ended for c in self.calls)
            # The last words come first: a sound system that hangs takes its time to close.
            for call in self.calls:
                call.ring.finish()
                self._end_call(call)
            for call in self.calls:
                call.source.close()
            for thread in threads:
                thread.join(1.0)
            self.finished = True

    def vitals(self) -> dict[str, object]:
        """How the engine does, for heartbeats: latencies in ms, audio lost and waiting in s, health of the sinks."""
        latencies = np.array(list(self.latencies_ms) or [0.0])
        return {
            "latency_p50_ms": round(float(np.percentile(latencies, 50)), 2),
            "latency_p99_ms": round(float(np.percentile(latencies, 99)), 2),
            "lost_s": round(sum(c.ring.lost for c in self.calls) / SAMPLE_RATE, 3),
            "ring_fill_s": round(max((c.ring.fill for c in self.calls), default=0) / SAMPLE_RATE, 3),
            "faults": [f"{s.name}: {s.fault}" for s in self.bus.status() if not s.ok],
        }

    def _turn(self) -> None:
        blocks = self.bank.take(WAIT_S)
        if blocks is not None:
            self.end[blocks.rows] = blocks.end
            try:
                results = self.pool.step(blocks)
            except RuntimeError as error:
                self._model_state(str(error).partition("\n")[0] or type(error).__name__)
            else:
                self._model_state("")
                self._publish(results)
        for call in self.calls:
            self._apply_conditions(call)
            call.ended = call.ring.closed and call.ring.fill < BLOCK and not call.conditions

    def _say(self, call: Call, event: Event) -> None:
        event = self.bus.publish(event, wait=not call.source.live)
        if event.type != "score":
            self.recent.append(event)

    def _publish(self, results: Results) -> None:
        changes = results.changes
        due = results.end // self._interval != (results.end - BLOCK) // self._interval
        changed = changes.state | changes.opened | changes.updated | changes.closed
        for i in np.flatnonzero(due | changed).tolist():
            self._publish_row(results, i, bool(due[i]))
        if results.captured_at.any():
            self.latencies_ms.append((time.monotonic() - float(results.captured_at.max())) * 1000.0)

    def _publish_row(self, results: Results, i: int, due: bool) -> None:
        row, end = int(results.rows[i]), int(results.end[i])
        call, changes = self._call_of_row[row], results.changes
        at, figures = call.where(row), (end, float(results.llr[i]), float(results.p_fake[i]))
        if due:
            self._say(call, events.score(self.pool, at, *figures, bool(results.warm[i])))
        if changes.state[i]:
            why = self._why(call, row)
            self._say(call, events.state_changed(self.pool, at, *figures, int(results.before[i]), why))
        if changes.opened[i]:
            self.alerts[row] += 1
        for what in ("opened", "updated", "closed"):
            if getattr(changes, what)[i]:
                why = WHY_ALERT[what]
                self._say(call, events.alert(self.pool, at, *figures, what, int(self.alerts[row]), why))

    def _why(self, call: Call, row: int) -> str:
        state = int(self.pool.decision.state[row])
        if state != UNKNOWN:
            return WHY_STATE[state]
        if fault := call.fault or self._model_fault:
            return fault
        if self.pool.decision.quiet[row] * BLOCK_S < self.config.alerts.unknown_after_s:
            return "the network gave what is no number"
        return f"no usable speech for {self.config.alerts.unknown_after_s:g} s: {self.pool.reason(row).value}"

    def _set_usable(self, call: Call, usable: bool) -> None:
        """Take the input for good or for bad; a verdict that was there becomes unknown at once."""
        before = self.pool.decision.state.copy()
        for row in self.pool.set_usable(call.ring.rows, usable).tolist():
            end, why = int(self.end[row]), self._why(call, row)
            llr, p_fake = self.pool.recent(row)
            event = events.state_changed(self.pool, call.where(row), end, llr, p_fake, int(before[row]), why)
            self._say(call, event)

    def _apply_conditions(self, call: Call) -> None:
        """Say what the source said of itself, once the audio before it was scored."""
        first = call.ring.rows.start
        while call.conditions and call.conditions[0][0] < self.bank.read[first] + BLOCK:
            condition = call.conditions.popleft()[1]
            if not condition.usable:
                call.fault = f"{condition.code}: {condition.detail}"
            elif condition.code == "recovered":
                call.fault = ""
            sample = int(self.end[first])
            self._say(call, events.health(call.name, sample, condition.code, condition.detail, condition.usable))
            self._set_usable(call, not call.fault and not self._model_fault)

    def _model_state(self, fault: str) -> None:
        """Note that the network failed, or works again; said once."""
        if bool(fault) == bool(self._model_fault):
            return
        self._model_fault = f"model failed: {fault}" if fault else ""
        for call in self.calls:
            code, detail = ("model failed", fault) if fault else ("model recovered", "scoring goes on")
            sample = int(self.end[call.ring.rows.start])
            self._say(call, events.health(call.name, sample, code, detail, not fault))
            self._set_usable(call, not fault and not call.fault)

    def _end_call(self, call: Call) -> None:
        """Close what is open and say the last word."""
        why = "interrupted" if self.interrupted and not call.ended else ("failed" if call.error else "end of audio")
        channels: dict[str, dict[str, object]] = {}
        rows = call.ring.rows
        llrs, probabilities = self.pool.whole(rows)
        for i, row in enumerate(range(rows.start, rows.stop)):
            at, end = call.where(row), int(self.end[row])
            if self.pool.decision.open[row]:
                llr, p_fake = self.pool.recent(row)
                number = int(self.alerts[row])
                self._say(call, events.alert(self.pool, at, end, llr, p_fake, "closed", number, "the call ended"))
            figures = float(llrs[i]), float(probabilities[i])
            channels[at.channel] = events.last_word(self.pool, at, *figures, int(self.alerts[row]))
        end = int(self.end[rows.start])
        self._say(call, events.call_ended(call.name, end, why, call.ring.lost, channels))


def capture(call: Call) -> None:
    """Body of a capture thread: from the source to the ring, until the source ends."""
    ring, source = call.ring, call.source
    try:
        for item in source.chunks():
            if ring.closed:
                break
            if isinstance(item, Chunk):
                ring.push(item, wait=not source.live)
            else:
                call.conditions.append((ring.written, item))
    except Exception as error:  # noqa: BLE001 - of whatever kind: it must not look like the end of the audio
        call.error = error
        call.conditions.append((ring.written, Condition("failed", str(error) or type(error).__name__, usable=False)))
    finally:
        source.close()
        ring.finish()
