"""The live loop: capture threads and taps fill the rings, one loop scores all channels, the bus takes the events.

source --(capture thread)--> Ring --(Engine.run)--> Pool.step --> Reporter --> Bus --> sinks
tap    --(server's thread)--> Ring
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Blocks, Source
from monitor.config.schema import Config
from monitor.engine.calls import Call, Feed, capture
from monitor.engine.outputs import ScorerOutputs
from monitor.engine.pace import PaceCheck
from monitor.engine.pool import Pool
from monitor.engine.reporter import Reporter
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.types import Event, Mark
from monitor.views import ShardView

WAIT_S = 0.05
TURN_S, LONGEST_TURN_S, TURN_SHARE = 0.02, 0.08, 0.5
"""A server scores its streams together, so often, in large steps: not one by one as their packets come. Where a turn
takes long it rests as long again, if that leaves it often enough: more blocks wait then, and are scored together.
"""
TOGETHER = (4, 2)
"""Blocks of a stream that a server may score at once where more than one waits, which costs a third less a block. A
microphone is scored block by block.
"""
SEGMENT = 40
"""Blocks of a recording that are scored at once at most: beyond it nothing is gained."""
MANY = 0.5
"""Share of the streams that wait from which the server itself is behind, not a few senders ahead of their time."""
OVERLOADED_S, OVERLOADED_FOR_S = 0.25, 1.0
"""While so much audio has waited in so many streams for so long, no further call should be taken."""
BEHIND = "scoring is behind with the calls that there are"
CALM_S = 5.0
"""No call is taken until the reason is gone for so long: what a new one costs shows only after a second or two."""


class Engine:
    """Watches calls until their sources end or stop() is said. run() is the scoring loop, in the caller's thread.

    serving: calls come and go while it runs, from any thread; one that has ended is let go of, and its rows are free
    for the next.
    """

    def __init__(self, pool: Pool, bank: RingBank, bus: Bus, config: Config, *, serving: bool = False) -> None:
        self.pool, self.bank, self.bus, self.config, self.serving = pool, bank, bus, config, serving
        self.reporter = Reporter(pool, bank, bus, config)
        self.calls: tuple[Call, ...] = ()
        self.latencies_ms: deque[float] = deque(maxlen=3000)
        self.latency_observers: list[Callable[[float], None]] = []
        """Each takes the latency of every step of live audio, in s, in the scoring thread."""
        self._entered = False
        self.finished = False
        self.interrupted = False
        self.overload = ""
        """Why no further call should be taken; "" = one may be."""
        self.calls_refused = 0
        """By whoever adds calls, so far."""
        self.overloaded_s = OVERLOADED_S
        self._refuses_until = 0.0
        self._waiting_since: float | None = None
        self._took = 0.0
        """Of the turn now, for scoring."""
        self._between = False
        """The next turn is for the few streams that wait."""
        self._lost_before = 0
        """Samples that calls lost which are gone."""
        self.pace = PaceCheck()
        self._begun = self._ended = 0.0
        """When run() began and ended, monotonic seconds."""
        self._notices: deque[tuple[str, str, bool]] = deque(maxlen=1000)
        self._posted: deque[Event] = deque(maxlen=1000)
        self._threads: list[threading.Thread] = []
        self._changing = threading.Lock()
        self._stopping = threading.Event()

    def add(self, name: str, *sources: Source, marks: Sequence[Mark] = ()) -> Call:
        """Watch sources as one call, on rows that are free. Raises ValueError where there are too few.

        marks: what its recording carries about its own origin.
        """
        channels = [source.channels for source in sources]
        origin = " + ".join(source.name for source in sources)
        call = self._open(name, origin, channels, [source.live for source in sources], {})
        call.marks = tuple(marks)
        for feed, source in zip(call.feeds, sources, strict=True):
            feed.source = source
        return self._enter(call)

    def admit(self, name: str, origin: str, channels: Sequence[str], details: Mapping[str, str]) -> Call:
        """Watch a call whose audio the caller pushes into the ring of each channel's feed; it ends with call.finish().

        Raises ValueError where too few rows are free.
        """
        live = [True] * len(channels)
        return self._enter(self._open(name, origin, [(channel,) for channel in channels], live, details))

    def notice(self, code: str, detail: str, *, usable: bool = True) -> None:
        """Say something that belongs to no call, from any thread: a health event."""
        self._notices.append((code, detail, usable))

    def post(self, event: Event) -> None:
        """Have an event published that does not come from audio, such as a mark, from any thread."""
        self._posted.append(event)

    def stop(self) -> None:
        """End soon, from any thread or a signal handler: sources are closed, calls end as interrupted."""
        self._stopping.set()

    def run(self) -> None:
        """Score until every source has ended or stop() was said, then end the calls. No thread is left after it."""
        self._begun = time.monotonic()
        try:
            self.begin()
            while not self._stopping.is_set() and (self.serving or not all(c.ended for c in self.calls)):
                begun, self._took = time.monotonic(), 0.0
                self.turn()
                self._check_pace()
                if self.serving:
                    self.check_overload(time.monotonic())
                    time.sleep(max(0.0, begun + self.pause_s(self._took) - time.monotonic()))
        finally:
            self.interrupted = not all(c.ended for c in self.calls)
            self._ended = time.monotonic()
            self.end()

    def check_overload(self, now: float) -> None:
        """Find out whether a further call would do harm to those that there are: overload says so."""
        if reason := self.find_overload(now):
            self.overload, self._refuses_until = reason, now + CALM_S
        elif now >= self._refuses_until:
            self.overload = ""

    def find_overload(self, now: float) -> str:
        """Return why no further call should be taken now, or ""."""
        if self.bank.share_waiting(round(self.overloaded_s * SAMPLE_RATE)) < MANY:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        return BEHIND if self._waiting_since is not None and now - self._waiting_since >= OVERLOADED_FOR_S else ""

    def pause_s(self, took: float) -> float:
        """Return the pause until the next turn, given how long the last one scored. Without any when most streams wait.
        A few that wait, such as those of peers that send too fast, get every second turn one of their own: turn after
        turn for them would take the time of all.
        """
        behind = self.bank.behind
        self._between = 0.0 < behind < MANY and not self._between
        turn = max(TURN_S, min(LONGEST_TURN_S, took / TURN_SHARE))
        return 0.0 if behind >= MANY else turn / 2 if self._between else turn

    def heartbeat_figures(self) -> dict[str, object]:
        """Return the figures for heartbeats: latencies in ms, audio lost and waiting in s, what does not work."""
        latencies = np.array(list(self.latencies_ms) or [0.0])
        return {
            "latency_p50_ms": round(float(np.percentile(latencies, 50)), 2),
            "latency_p99_ms": round(float(np.percentile(latencies, 99)), 2),
            "calls": len(self.calls),
            "calls_refused": self.calls_refused,
            "lost_s": round(self.lost / SAMPLE_RATE, 3),
            "ring_fill_s": round(max((c.fill for c in self.calls), default=0) / SAMPLE_RATE, 3),
            "lost_share": round(self.pace.lost_share, 3),
            "faults": self.faults(),
        }

    def faults(self) -> list[str]:
        """Return what does not work now, in words: scoring that is too slow, no room for calls, and sinks that fail."""
        sinks = [status.fault_words for status in self.bus.status() if not status.ok]
        full = f"new calls are refused: {self.overload}" if self.overload else ""
        return [*filter(None, (self.pace.fault, full)), *sinks]

    def shards(self) -> tuple[ShardView, ...]:
        """Return the processes of a cluster that score the calls, where there is one."""
        return ()

    def run_s(self) -> float:
        """Return the seconds that run() has taken so far, or took."""
        return (self._ended or time.monotonic()) - self._begun if self._begun else 0.0

    @property
    def lost(self) -> int:
        """Return the samples lost, of all calls."""
        return self._lost_before + sum(call.lost for call in self.calls)

    def _open(
        self,
        name: str,
        origin: str,
        channels: Sequence[tuple[str, ...]],
        live: Sequence[bool],
        details: Mapping[str, str],
    ) -> Call:
        rings = self.bank.claim([len(names) for names in channels])
        feeds = tuple(Feed(*parts) for parts in zip(channels, rings, live, strict=True))
        return Call(name, origin, feeds, details)

    def _enter(self, call: Call) -> Call:
        with self._changing:
            self.calls = (*self.calls, call)
            self._entered = True
        return call

    def begin(self) -> None:
        """Open the rows of calls that are new, and start their capture threads."""
        if not self._entered:
            return
        self._entered = False  # before the look at them: another may enter meanwhile
        for call in self.calls:
            if call.begun:
                continue
            self.pool.open(call.rows)
            self.reporter.begin(call)
            for feed in call.feeds:
                if feed.source is not None:
                    name, work = f"capture {call.name}", (feed, feed.source)
                    self._threads.append(threading.Thread(target=capture, args=work, name=name, daemon=True))
                    self._threads[-1].start()

    def turn(self) -> None:
        """Score the blocks that wait, and publish the events; waits a moment where there are none."""
        if not self.serving and not any(call.live for call in self.calls):
            self._turn_recordings()
            return
        several = self.bank.take_several(WAIT_S, TOGETHER if self.serving else ())
        if self.serving:
            self.begin()  # After taking: whatever was taken belongs to a call that had entered before.
        if several:
            begun = time.monotonic()
            self._score(several)
            self._took = time.monotonic() - begun
        self.settle()

    def settle(self) -> None:
        """Publish what the sources said, and what belongs to no call; let go of calls that have ended."""
        while self._notices:
            self.reporter.report_health(*self._notices.popleft())
        while self._posted:
            self.reporter.report_posted(self._posted.popleft())
        if self.bank.pending:
            self._report_pending()

    def _report_pending(self) -> None:
        """Publish the conditions that are due, and the ends of calls."""
        for call in self.calls:
            rings = [feed.ring for feed in call.feeds]
            if not call.begun or self.bank.pending.isdisjoint(rings):
                continue  # one that entered and ended since begin() has its turn in the next
            self.bank.pending.difference_update(rings)
            self.reporter.report_conditions(call)
            for feed in call.feeds:
                if feed.conditions or feed.ring.closed:
                    feed.ring.report()
            if self.serving and call.ended:
                self.let_go(call)

    def _turn_recordings(self) -> None:
        """turn() for recordings, each of which is scored in segments: as many blocks as wait, up to SEGMENT."""
        self.bank.wait(WAIT_S)
        for call in self.calls:
            for feed in call.feeds:
                waiting = feed.ring.fill // BLOCK  # asked first: what was said before this audio is known by then
                self.reporter.report_conditions(call)
                if feed.conditions:
                    waiting = min(waiting, feed.conditions[0][0] // BLOCK - feed.ring.read // BLOCK)
                if waiting:
                    self._score_segment(feed.ring.take(min(waiting, SEGMENT)))

    def _score_segment(self, blocks: Blocks) -> None:
        try:
            results = self.pool.step(blocks)
        except RuntimeError as error:
            self._failed([blocks], error)
            return
        self.reporter.add_blocks(blocks)
        self.reporter.report_model(self.calls, "")
        self.reporter.report(results)

    def _failed(self, several: Sequence[Blocks], error: RuntimeError) -> None:
        for blocks in several:
            self.reporter.add_blocks(blocks)
        self.reporter.report_model(self.calls, str(error).partition("\n")[0] or type(error).__name__)

    def _score(self, several: Sequence[Blocks]) -> None:
        try:
            scored = self.pool.run_scorer(several)
        except RuntimeError as error:
            self._failed(several, error)
            return
        for blocks, outputs in zip(several, scored, strict=True):
            self.decide(blocks, outputs)
        self.note_latency(several[-1].captured_at)

    def decide(self, blocks: Blocks, outputs: ScorerOutputs) -> None:
        """Take what a scorer says of one block of some rows, and publish the events."""
        self.reporter.add_blocks(blocks)
        self.reporter.report_model(self.calls, "")
        self.reporter.report(self.pool.decide_states(blocks, outputs))

    def note_latency(self, captured_at: NDArray[np.float64]) -> None:
        """Note how long after its capture audio was scored, where it is live. captured_at: as of Blocks."""
        if captured_at.any():
            self._late(time.monotonic() - float(captured_at.max()))

    def _check_pace(self) -> None:
        if self.pace.check(time.monotonic(), self.bank.came, self.bank.overwritten):
            fault = self.pace.fault
            code, detail = ("scoring too slow", fault) if fault else ("scoring recovered", "no audio is lost any more")
            self.reporter.report_health(code, detail, usable=True)

    def _late(self, seconds: float) -> None:
        self.latencies_ms.append(seconds * 1000.0)
        for observe in self.latency_observers:
            observe(seconds)

    def let_go(self, call: Call) -> None:
        """Publish the end of a call and free its rows."""
        self.reporter.end_call(call, call.why or "end of audio")
        with self._changing:
            self.calls = tuple(c for c in self.calls if c is not call)
            self._lost_before += call.lost
        for feed in call.feeds:
            self.bank.release(feed.ring)

    def end(self) -> None:
        """End every call. The last words come first: a sound system that hangs takes its time to close."""
        for call in self.calls:
            interrupted = self.interrupted and not call.ended
            call.finish()
            if call.begun:
                why = "interrupted" if interrupted else call.why or ("failed" if call.error else "end of audio")
                self.reporter.end_call(call, why)
        for call in self.calls:
            for feed in call.feeds:
                if feed.source is not None:
                    feed.source.close()
        for thread in self._threads:
            thread.join(1.0)
        self.finished = True
