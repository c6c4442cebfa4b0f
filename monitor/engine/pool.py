"""Scores all streams in one stacked step: network, evidence, decision.

Nothing here loops over streams: what a step costs grows with the arithmetic, not with Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S
from model.figures import FIGURES, Bandwidth, Kind
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine.decision import UNKNOWN, Decision, DecisionInput, decide_in_turn, init_decision
from monitor.engine.evidence import (
    Evidence,
    Scaling,
    accumulate_in_turn,
    no_evidence,
    posterior,
    recent_llr,
    standing_llr,
    whole_llr,
)
from monitor.engine.quality import BlockFacts, Quality, init_quality
from monitor.engine.quality_in_turn import assess_in_turn
from monitor.engine.results import FamilyNames, Results, Verdicts
from monitor.engine.traces import Traces
from monitor.scoring.scorer import Scorer

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScorerOutputs:
    """The scorer's outputs for M rows. sound: bool, all of it is finite. Others as in model.figures.FIGURES."""

    sound: NDArray[np.bool_]
    level: Floats
    kind: Ints
    warm: NDArray[np.bool_]
    active: NDArray[np.bool_]
    logit: Floats
    speech: Floats
    bandwidth: Ints
    family: Floats


class Pool:
    """Streams in rows 0 to rows - 1; a row is opened before its first block, and again for another stream."""

    def __init__(self, scorer: Scorer, config: Config, traces: Traces | None = None) -> None:
        self.scorer, self.config, self.rows = scorer, config, scorer.rows
        rows = scorer.rows
        self.traces = traces
        self.evidence = no_evidence(rows, len(scorer.config.families))
        self.decision: Decision = init_decision(rows)
        self.quality: Quality = init_quality(rows)
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
        self.evidence.put(index, no_evidence(len(index), len(self.scorer.config.families)))
        self.decision.put(index, init_decision(len(index)))
        self.quality.put(index, init_quality(len(index)))
        self.usable[rows], self.kind[rows], self.level[rows], self.peak_level[rows] = True, Kind.SILENCE, -120.0, -120.0
        self.bandwidth[rows] = Bandwidth.UNKNOWN
        if self.traces:
            self.traces.clear(index)

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
        outputs = [read_figures(figures[:, b]) for b in range(len(several))]
        sound = np.all([block.sound for block in outputs], axis=0)
        if not sound.all():
            self.scorer.reset(rows[~sound])
        return outputs

    def decide_states(self, blocks: Blocks, outputs: ScorerOutputs) -> Results:
        """Evidence and decision of each scored block, in its turn."""
        rows, turns = blocks.rows, blocks.turns
        newest = slice(len(rows) - len(rows) // turns, None)
        previous = self.quality.take(rows[newest])
        kind, active, quality = self._assess(blocks, outputs, previous)
        self.kind[rows] = kind
        self._levels(rows[newest], outputs.level.reshape(turns, -1))
        self.bandwidth[rows] = outputs.bandwidth
        scaling = Scaling(*self._scales[:, outputs.bandwidth])
        evidence = self._accumulate(rows, outputs, active, turns)
        llr = recent_llr(self.config.evidence, scaling, evidence)
        enough = outputs.warm & (evidence.blocks * BLOCK_S >= self.config.evidence.min_speech_s)
        usable = self.usable[rows] & outputs.sound
        whole, standing = self._whole(scaling, evidence), standing_llr(self.config.evidence, scaling, evidence)
        given = DecisionInput(llr, active, enough, blocks.end, usable, whole, standing, quality.hard)
        before = self.decision.take(rows[newest])
        after, changes = decide_in_turn(self.config.alerts, before, given, turns)
        self.decision.put(rows, after)
        if self.traces:
            p_fake = np.where(enough, posterior(llr, self.config.evidence.prior), np.nan)
            self.traces.add(rows, blocks.samples, p_fake, turns)
        return Results(
            **vars(self._verdicts(rows, llr, kind, outputs.bandwidth, evidence, evidence.families, after, quality)),
            end=blocks.end,
            captured_at=blocks.captured_at,
            warm=outputs.warm,
            votes=active & enough,
            before=np.concatenate([before.state, after.state[: newest.start]]),
            turned=quality.hard != np.concatenate([previous.hard, quality.hard[: newest.start]]),
            changes=changes,
        )

    def _verdicts(
        self,
        rows: Ints,
        llr: Floats,
        kind: Ints,
        bandwidth: Ints,
        evidence: Evidence,
        families: Floats,
        decision: Decision,
        quality: Quality,
    ) -> Verdicts:
        return Verdicts(
            rows=rows,
            llr=llr,
            p_fake=posterior(llr, self.config.evidence.prior),
            net_speech=evidence.blocks,
            state=decision.state,
            kind=kind,
            bandwidth=bandwidth,
            families=families,
            family_names=self._family_names,
            open=decision.open,
            opened=decision.opened,
            peak=decision.peak,
            quiet=decision.quiet,
            hard=quality.hard,
            shares=quality.shares(),
        )

    def _accumulate(self, rows: Ints, outputs: ScorerOutputs, active: Flags, turns: int) -> Evidence:
        """Add the blocks to the evidence of their rows. Returns it as it is after each block."""
        config, before = self.config, self.evidence.take(rows[-(len(rows) // turns) :])
        memory_s = config.alerts.clear_memory_s
        after = accumulate_in_turn(config.evidence, before, outputs.logit, active, outputs.family, turns, memory_s)
        self.evidence.put(rows, after)
        return after

    def _assess(self, blocks: Blocks, outputs: ScorerOutputs, previous: Quality) -> tuple[Ints, Flags, Quality]:
        """Return of each block its kind, whether it is evidence, and the quality of the voice up to it."""
        active = outputs.active & (outputs.speech >= self.config.evidence.min_speech_probability)
        kind = np.where((outputs.kind == Kind.SPEECH) & ~active, Kind.NOT_SPEECH, outputs.kind)
        active &= self.usable[blocks.rows]  # what cannot be trusted is no evidence
        # What is concealed is scored, for the sake of what follows, but made up.
        none = np.zeros(len(blocks.rows), np.bool_)
        made_up = none if blocks.concealed is None else np.asarray(blocks.concealed.any(axis=1))
        found = BlockFacts(blocks.samples, kind, active, outputs.level, made_up)
        quality, spoiled = assess_in_turn(self.config.alerts, previous, found, blocks.turns)
        self.quality.put(blocks.rows, quality)
        kind[spoiled] = Kind.GAP
        return kind, active & ~spoiled, quality

    def _whole(self, scaling: Scaling, evidence: Evidence) -> Floats:
        """Return the llr of all speech; -inf where there is too little of it to alert on."""
        counts = evidence.blocks * BLOCK_S >= self.config.alerts.whole_after_s
        return np.where(counts, whole_llr(self.config.evidence, scaling, evidence), -np.inf)

    def _levels(self, rows: Ints, level: Floats) -> None:
        """Update level and peak level. level: of one block after the other, (turns, M)."""
        fall = 12.0 * BLOCK_S * np.arange(len(level))[:, None]
        self.level[rows] = level[-1]
        peak = self.peak_level[rows] - 12.0 * BLOCK_S * len(level)
        self.peak_level[rows] = np.maximum(peak, (level - fall[::-1]).max(axis=0))

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
        families = evidence.all_families if whole else evidence.families
        return self._verdicts(
            index, llr, self.kind[index], self.bandwidth[index], evidence, families, decision, quality
        )


def read_figures(figures: Floats) -> ScorerOutputs:
    """Return the figures of one block, (M, 7 + K), by name. What is not finite counts as not scored, and is 0 then."""
    said = figures[:, FIGURES.index("active") :]
    sound = np.asarray(np.isfinite(said).all(axis=1))
    if not sound.all():
        said[~sound] = 0.0
    level, kind, warm, band, active, logit, speech = figures.T[:7]
    return ScorerOutputs(
        sound=sound,
        level=level,
        kind=kind.astype(np.int64),
        warm=warm > 0,
        active=(active > 0) & sound,
        logit=logit,
        speech=speech,
        bandwidth=band.astype(np.int64),
        family=figures[:, 7:],
    )
