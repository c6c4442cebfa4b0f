"""Scores all streams in one stacked step: network, evidence, decision.

Nothing here loops over streams: what a step costs grows with the arithmetic, not with Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S
from model.figures import Bandwidth, Kind
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine.decision import UNKNOWN, Decision
from monitor.engine.evidence import Evidence, Scaling, posterior, recent_llr, whole_llr
from monitor.engine.judge import Judgement, ScoredBlocks, init_states, judge
from monitor.engine.judge_in_turn import FEW, judge_in_turn
from monitor.engine.one_stream import Limits
from monitor.engine.outputs import ScorerOutputs, read_figures
from monitor.engine.quality import Quality
from monitor.engine.results import FamilyNames, Results, Verdicts
from monitor.engine.traces import Traces
from monitor.scoring.rows import Ints, Rows, as_slice
from monitor.scoring.scorer import Scorer

Floats = NDArray[np.float64]


FALL_DB = 12.0 * BLOCK_S
"""The fall of the peak level with each block."""


class Pool:
    """Streams in rows 0 to rows - 1; a row is opened before its first block, and again for another stream."""

    def __init__(self, scorer: Scorer, config: Config, traces: Traces | None = None) -> None:
        self.scorer, self.config, self.rows = scorer, config, scorer.rows
        rows = scorer.rows
        self.traces = traces
        self._limits = Limits(config)
        self.states = init_states(rows, len(scorer.config.families))
        self.usable = np.ones(rows, dtype=np.bool_)
        self.kind = np.full(rows, int(Kind.SILENCE), dtype=np.int64)
        self.level = np.full(rows, -120.0)
        self.peak_level = np.full(rows, -120.0)
        self.bandwidth = np.full(rows, int(Bandwidth.UNKNOWN), dtype=np.int64)
        self._family_names = FamilyNames(scorer.config.families, config.evidence.family_floor)
        fitted = [scorer.config.calibrated_for(band) for band in Bandwidth]
        self._scales = np.array([[c.scale for c in fitted], [c.offset for c in fitted]])

    def open(self, rows: slice) -> None:
        """Start streams that have heard nothing."""
        index = np.arange(rows.start, rows.stop)
        self.scorer.reset(index)
        self.states.put(rows, init_states(len(index), len(self.scorer.config.families)))
        self.usable[rows], self.kind[rows], self.level[rows], self.peak_level[rows] = True, Kind.SILENCE, -120.0, -120.0
        self.bandwidth[rows] = Bandwidth.UNKNOWN
        if self.traces:
            self.traces.clear(index)

    @property
    def evidence(self) -> Evidence:
        return self.states.evidence

    @property
    def decision(self) -> Decision:
        return self.states.decision

    @property
    def quality(self) -> Quality:
        return self.states.quality

    def _scaling(self, rows: Ints | slice) -> Scaling:
        """Return the calibration of each row, by what is known of its bandwidth."""
        return Scaling(*self._scales[:, self.bandwidth[rows]])

    def step(self, blocks: Blocks) -> Results:
        """Score one block of some rows, or several of each in turn. Raises as run_scorer() does."""
        rows = blocks.rows[: len(blocks.rows) // blocks.turns]
        samples = blocks.samples.reshape(blocks.turns, len(rows), -1).swapaxes(0, 1).reshape(len(rows), -1)
        figures = self.scorer.score(rows, samples).astype(np.float64).swapaxes(0, 1)
        outputs = read_figures(figures.reshape(len(blocks.rows), -1))
        if not outputs.sound.all():
            self.scorer.reset(np.unique(blocks.rows[~outputs.sound]))
        return self.decide_states(blocks, outputs)

    def run_scorer(self, several: Sequence[Blocks]) -> list[ScorerOutputs]:
        """Return what the scorer says of blocks of the same rows, which follow each other; it goes on with them.

        Raises RuntimeError where the device fails; the scorer's states are then unchanged.
        """
        rows = several[0].rows
        samples = several[0].samples if len(several) == 1 else np.concatenate([b.samples for b in several], axis=1)
        figures = self.scorer.score(rows, samples).astype(np.float64)
        all_sound = isfinite(figures.sum())  # asked before read_figures() makes the others 0
        outputs = [read_figures(figures[:, b]) for b in range(len(several))]
        if not all_sound:
            sound = np.all([block.sound for block in outputs], axis=0)
            self.scorer.reset(rows[~sound])
        return outputs

    def decide_states(self, blocks: Blocks, outputs: ScorerOutputs) -> Results:
        """Update evidence and decision of each scored block, in its turn."""
        turns = blocks.turns
        rows = blocks.rows[len(blocks.rows) - len(blocks.rows) // turns :]
        where = as_slice(rows)
        none = np.zeros(len(blocks.rows), np.bool_)
        made_up = none if blocks.concealed is None else np.asarray(blocks.concealed.any(axis=1))
        usable = self.usable[where] if turns == 1 else self.usable[blocks.rows]
        scaling = Scaling(*self._scales[:, outputs.bandwidth])
        scored = ScoredBlocks(outputs, blocks.samples, blocks.end, usable, made_up, scaling)
        found = self._judge(rows, where, scored, turns)
        self.kind[where], self.bandwidth[where] = found.kind[-len(rows) :], outputs.bandwidth[-len(rows) :]
        self._levels(where, outputs.level.reshape(turns, -1))
        p_fake = posterior(found.llr, self.config.evidence.prior)
        if self.traces:
            self.traces.add(blocks.rows, blocks.samples, np.where(found.enough, p_fake, np.nan), turns)
        return Results(
            rows=blocks.rows,
            llr=found.llr,
            p_fake=p_fake,
            net_speech=found.net_speech,
            state=found.state,
            kind=found.kind,
            bandwidth=outputs.bandwidth,
            families=found.families,
            family_names=self._family_names,
            open=found.open,
            opened=found.opened,
            peak=found.peak,
            quiet=found.quiet,
            hard=found.hard,
            shares=found.shares,
            end=blocks.end,
            captured_at=blocks.captured_at,
            warm=outputs.warm,
            votes=found.votes,
            before=found.before,
            turned=found.turned,
            changes=found.changes,
        )

    def _judge(self, rows: Ints, where: Rows, scored: ScoredBlocks, turns: int) -> Judgement:
        """Judge in the form that costs less. where: the rows, as they are indexed."""
        if turns > 1 or len(rows) <= FEW:
            return judge_in_turn(self._limits, self.states, rows, scored)
        return judge(self.config, self.states, where, scored)

    def _levels(self, rows: Rows, level: Floats) -> None:
        """Update level and peak level. level: of one block after the other, (turns, M)."""
        self.level[rows] = level[-1]
        peak = self.peak_level[rows] - FALL_DB * len(level)
        highest = level[0] if len(level) == 1 else (level - FALL_DB * np.arange(len(level))[::-1, None]).max(axis=0)
        self.peak_level[rows] = np.maximum(peak, highest)

    def set_usable(self, rows: slice, usable: bool) -> Ints:
        """Say whether the input of rows can be trusted. Returns the rows whose state that changed, to unknown."""
        self.usable[rows] = usable
        index = np.arange(rows.start, rows.stop)
        if usable:
            return index[:0]
        changed: Ints = index[self.decision.state[index] != UNKNOWN]
        self.decision.state[changed] = UNKNOWN
        return changed

    def verdicts(self, rows: slice, *, whole: bool = False) -> Verdicts:
        """Return what is known of rows now: of the recent speech, or of all their speech."""
        index = np.arange(rows.start, rows.stop)
        evidence, decision, quality = self.evidence.take(index), self.decision.take(index), self.quality.take(index)
        llr = (whole_llr if whole else recent_llr)(self.config.evidence, self._scaling(rows), evidence)
        return Verdicts(
            rows=index,
            llr=llr,
            p_fake=posterior(llr, self.config.evidence.prior),
            net_speech=evidence.blocks,
            state=decision.state,
            kind=self.kind[index],
            bandwidth=self.bandwidth[index],
            families=evidence.all_families if whole else evidence.families,
            family_names=self._family_names,
            open=decision.open,
            opened=decision.opened,
            peak=decision.peak,
            quiet=decision.quiet,
            hard=quality.hard,
            shares=quality.shares(),
        )
