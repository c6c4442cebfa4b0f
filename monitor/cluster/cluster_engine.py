"""The loop of a server whose calls are scored by shards. Evidence, decision and events are made here, as ever."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Runs
from monitor.cluster.cluster_scorer import ClusterScorer
from monitor.config.schema import Config
from monitor.engine.calls import Call
from monitor.engine.loop import Engine
from monitor.engine.outputs import read_figures
from monitor.engine.overload import WAITING_S, OverloadCheck
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.views import ShardView

UNKNOWN_AFTER_S = 5.0
"""Without any shard for so long, no verdict holds."""
FULL = "no shard has room for a further call"
ON_THE_WAY = 3
"""Messages whose audio has no score yet where all is well: one that waits, one that is scored, one that is answered."""


class ClusterEngine(Engine):
    """An Engine that serves. It waits for no shard: each has its own turn, and no other is late with it."""

    def __init__(self, pool: Pool, scorer: ClusterScorer, bank: RingBank, bus: Bus, config: Config) -> None:
        super().__init__(pool, bank, bus, config, serving=True)
        self.coordinator = scorer.coordinator
        waiting_s = WAITING_S + ON_THE_WAY * config.cluster.send_ms / 1000
        self.overload = OverloadCheck(bank, waiting_s, lambda: "" if self.coordinator.has_room else FULL)
        self.pause_s = lambda _: 0.0  # turn() itself waits
        self.each_turn: Callable[[float], None] = lambda _: None
        """Called in every turn, with time.monotonic()."""
        self._worked_at = time.monotonic()

    def begin(self) -> None:
        """Choose the shards of calls that are new, and open their rows."""
        for call in self.calls:
            if not call.begun:
                self.coordinator.place(_rows(call), call.name)
        super().begin()

    def turn(self) -> None:
        """Take the figures that have come, and send the audio that waits."""
        now = time.monotonic()
        for runs, figures in self.coordinator.collect(self.coordinator.next_due(now)):
            self._decide_runs(runs, figures)
        self.begin()
        now = time.monotonic()
        self.coordinator.send(self.bank, now)
        self.each_turn(now)
        while self.coordinator.notices:
            self.notice(*self.coordinator.notices.popleft())
        self._check_shards(now)
        self.settle()

    def faults(self) -> list[str]:
        """Return what does not work now, in words, shards included."""
        return [*self.coordinator.faults(), *super().faults()]

    def shards(self) -> tuple[ShardView, ...]:
        """Return the processes that score the calls."""
        return self.coordinator.shards()

    def heartbeat_figures(self) -> dict[str, object]:
        """Return the figures for heartbeats, with those of each shard."""
        return super().heartbeat_figures() | {"shards": self.coordinator.figures()}

    def let_go(self, call: Call) -> None:
        """Publish the end of a call and free its rows, here and in its shard."""
        super().let_go(call)
        self.coordinator.forget(_rows(call))

    def _decide_runs(self, runs: Runs, figures: NDArray[np.float64]) -> None:
        """Take the figures of blocks of some rows. figures: (N, 7 + K), as the blocks."""
        waiting = [call for call in self.calls if any(feed.conditions for feed in call.feeds)]
        unsound = [np.zeros(0, np.int64)]
        for blocks, places in runs.each_turn():
            outputs = read_figures(figures[places])
            unsound.append(blocks.rows[~outputs.sound])
            self.blocks.decide(self.calls, blocks, outputs)
            self.bank.scored(blocks.rows)
            for call in waiting:
                self.reporter.report_conditions(call)
        if len(rows := np.unique(np.concatenate(unsound))):
            self.pool.scorer.reset(rows)
        self.latency.note(runs.captured_at)

    def _check_shards(self, now: float) -> None:
        """Withdraw verdicts while no shard works; report_model() takes that back when figures come again."""
        if self.coordinator.works:
            self._worked_at = now
        elif now - self._worked_at > UNKNOWN_AFTER_S:
            self.reporter.report_model(self.calls, "no shard scores")


def _rows(call: Call) -> NDArray[np.int64]:
    return np.arange(call.rows.start, call.rows.stop)
