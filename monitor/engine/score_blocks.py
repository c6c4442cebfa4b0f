"""Has the blocks that wait in the rings scored, and what was found published: one turn of the loop."""

from __future__ import annotations

from collections.abc import Sequence

from model.config import BLOCK
from monitor.audio import SEGMENT_BLOCKS, Blocks
from monitor.engine.calls import Call
from monitor.engine.latency import LatencyLog
from monitor.engine.outputs import ScorerOutputs
from monitor.engine.pool import Pool
from monitor.engine.reporter import Reporter


class BlockScorer:
    """Belongs to the scoring thread. calls: in every method, those that are watched now."""

    def __init__(self, pool: Pool, reporter: Reporter, latency: LatencyLog) -> None:
        self._pool, self._reporter, self._latency = pool, reporter, latency

    def score(self, calls: Sequence[Call], several: Sequence[Blocks]) -> None:
        """Score blocks of the same rows that follow each other."""
        try:
            scored = self._pool.run_scorer(several)
        except RuntimeError as error:
            self._report_failed(calls, several, error)
            return
        for blocks, outputs in zip(several, scored, strict=True):
            self.decide(calls, blocks, outputs)
        self._latency.note(several[-1].captured_at)

    def decide(self, calls: Sequence[Call], blocks: Blocks, outputs: ScorerOutputs) -> None:
        """Take what a scorer says of one block of some rows, and publish the events."""
        self._reporter.add_blocks(blocks)
        self._reporter.report_model(calls, "")
        self._reporter.report(self._pool.decide_states(blocks, outputs))

    def score_recordings(self, calls: Sequence[Call]) -> None:
        """Score recordings, each in a segment of as many blocks as wait, up to SEGMENT_BLOCKS."""
        for call in calls:
            for feed in call.feeds:
                waiting = feed.ring.fill // BLOCK  # asked first: what was said before this audio is known by then
                self._reporter.report_conditions(call)
                if feed.conditions:
                    waiting = min(waiting, feed.conditions[0][0] // BLOCK - feed.ring.read // BLOCK)
                if waiting:
                    self._score_segment(calls, feed.ring.take(min(waiting, SEGMENT_BLOCKS)))

    def _score_segment(self, calls: Sequence[Call], blocks: Blocks) -> None:
        try:
            results = self._pool.step(blocks)
        except RuntimeError as error:
            self._report_failed(calls, [blocks], error)
            return
        self._reporter.add_blocks(blocks)
        self._reporter.report_model(calls, "")
        self._reporter.report(results)

    def _report_failed(self, calls: Sequence[Call], several: Sequence[Blocks], error: RuntimeError) -> None:
        for blocks in several:
            self._reporter.add_blocks(blocks)
        self._reporter.report_model(calls, str(error).partition("\n")[0] or type(error).__name__)
