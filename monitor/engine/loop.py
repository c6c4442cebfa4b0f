"""The live loop: capture threads and taps fill the rings, one loop scores all channels, the bus takes the events.

source --(capture thread)--> Ring --(Engine.run)--> Pool.step --> Reporter --> Bus --> sinks
tap    --(server's thread)--> Ring
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from model.config import SAMPLE_RATE
from monitor.audio import Source
from monitor.config.schema import Config
from monitor.engine.calls import Call, Feed, capture
from monitor.engine.latency import LatencyLog
from monitor.engine.overload import OverloadCheck
from monitor.engine.pace import PaceCheck
from monitor.engine.pool import Pool
from monitor.engine.reporter import Reporter
from monitor.engine.ring_bank import RingBank
from monitor.engine.score_blocks import BlockScorer
from monitor.engine.turn_pause import TurnPause
from monitor.events.bus import Bus
from monitor.types import Event, Mark
from monitor.views import ShardView

WAIT_S = 0.05
TOGETHER = (16, 8, 4, 2)
"""Blocks of a stream that a server may score at once where more than one waits: four cost a third less a block, and the
more there are the sooner a server is in time again that has fallen behind. A microphone is scored block by block.
"""


class Engine:
    """Watches calls until their sources end or stop() is said. run() is the scoring loop, in the caller's thread.

    serving: calls come and go while it runs, from any thread; one that has ended is let go of, and its rows are free
    for the next.
    """

    def __init__(self, pool: Pool, bank: RingBank, bus: Bus, config: Config, *, serving: bool = False) -> None:
        self.pool, self.bank, self.bus, self.config, self.serving = pool, bank, bus, config, serving
        self.reporter = Reporter(pool, bank, bus, config)
        self.calls: tuple[Call, ...] = ()
        self.latency, self.overload, self.pace = LatencyLog(), OverloadCheck(bank), PaceCheck()
        self.blocks = BlockScorer(pool, self.reporter, self.latency)
        self.pause_s: Callable[[float], float] = TurnPause(bank).after
        """Returns how long to rest after a turn that has scored for so long, s."""
        self._entered = False
        self.finished = False
        self.interrupted = False
        self.calls_refused = 0
        """Calls that were refused so far; whoever adds calls counts them."""
        self._took = 0.0
        """Seconds that scoring took in this turn."""
        self._lost_before = 0
        """Samples that calls lost which are gone."""
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
                    self.overload.check(time.monotonic())
                    time.sleep(max(0.0, begun + self.pause_s(self._took) - time.monotonic()))
        finally:
            self.interrupted = not all(c.ended for c in self.calls)
            self._ended = time.monotonic()
            self.end()

    def heartbeat_figures(self) -> dict[str, object]:
        """Return the figures for heartbeats: latencies in ms, audio lost and waiting in s, what does not work."""
        return {
            "latency_p50_ms": self.latency.percentile_ms(50),
            "latency_p99_ms": self.latency.percentile_ms(99),
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
        full = f"new calls are refused: {reason}" if (reason := self.overload.reason) else ""
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
            self.bank.wait(WAIT_S)
            self.blocks.score_recordings(self.calls)
            return
        several = self.bank.take_several(WAIT_S, TOGETHER if self.serving else ())
        if self.serving:
            self.begin()  # After taking: whatever was taken belongs to a call that had entered before.
        if several:
            begun = time.monotonic()
            self.blocks.score(self.calls, several)
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

    def _check_pace(self) -> None:
        if self.pace.check(time.monotonic(), self.bank.came, self.bank.overwritten):
            fault = self.pace.fault
            code, detail = ("scoring too slow", fault) if fault else ("scoring recovered", "no audio is lost any more")
            self.reporter.report_health(code, detail, usable=True)

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
