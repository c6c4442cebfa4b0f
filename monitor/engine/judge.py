"""What a scorer's figures mean: the kind of each block, evidence, quality and decision, of all streams as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S
from model.figures import Kind
from monitor.config.schema import Config
from monitor.engine.decision import Changes, Decision, DecisionInput, decide, init_decision
from monitor.engine.evidence import Evidence, Scaling, accumulate, no_evidence, recent_llr, standing_llr, whole_llr
from monitor.engine.outputs import ScorerOutputs
from monitor.engine.quality import BlockFacts, Quality, assess, init_quality
from monitor.scoring.rows import Ints, Rows

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class States:
    """The states of N streams."""

    evidence: Evidence
    quality: Quality
    decision: Decision

    def put(self, rows: Rows, new: States) -> None:
        """Write the states of some streams, in place."""
        self.evidence.put(rows, new.evidence)
        self.quality.put(rows, new.quality)
        self.decision.put(rows, new.decision)


def init_states(streams: int, families: int) -> States:
    """Return the states of streams that have heard nothing."""
    return States(no_evidence(streams, families), init_quality(streams), init_decision(streams))


@dataclass(frozen=True)
class ScoredBlocks:
    """Blocks with what the scorer says of them, as in monitor.audio.Blocks. usable: their input can be trusted.
    made_up: some of it stands in for lost audio.
    """

    outputs: ScorerOutputs
    samples: NDArray[np.float32]
    end: Ints
    usable: Flags
    made_up: Flags
    scaling: Scaling


@dataclass(frozen=True)
class Judgement:
    """The findings about each block. kind: of model.figures.Kind. llr: of the recent speech. enough: net speech has
    reached the least for a verdict. votes: it is speech, and there is enough. net_speech, families: of the evidence up
    to it. before: the state before it. turned: hard to judge, and was not, or the other way round. Others as in Quality
    and Decision.
    """

    kind: Ints
    llr: Floats
    enough: Flags
    votes: Flags
    net_speech: Ints
    families: Floats
    hard: Flags
    shares: Floats
    state: Ints
    open: Flags
    opened: Ints
    peak: Floats
    quiet: Ints
    before: Ints
    turned: Flags
    changes: Changes


def judge(config: Config, states: States, rows: Rows, blocks: ScoredBlocks) -> Judgement:
    """Judge one block of some rows. Changes their states in place."""
    outputs, scaling = blocks.outputs, blocks.scaling
    active = outputs.active & (outputs.speech >= config.evidence.min_speech_probability)
    kind = np.where((outputs.kind == Kind.SPEECH) & ~active, Kind.NOT_SPEECH, outputs.kind)
    active &= blocks.usable  # what cannot be trusted is no evidence
    was_hard, before = states.quality.hard[rows].copy(), states.decision.state[rows].copy()
    facts = BlockFacts(blocks.samples, kind, active, outputs.level, blocks.made_up)
    quality, spoiled = assess(config.alerts, states.quality.take(rows), facts)
    kind[spoiled] = Kind.GAP
    active &= ~spoiled
    memory_s, old = config.alerts.clear_memory_s, states.evidence.take(rows)
    evidence = accumulate(config.evidence, old, outputs.logit, active, outputs.family, memory_s)
    llr = recent_llr(config.evidence, scaling, evidence)
    speech_s = evidence.blocks * BLOCK_S
    enough = outputs.warm & (speech_s >= config.evidence.min_speech_s)
    whole = np.where(speech_s >= config.alerts.whole_after_s, whole_llr(config.evidence, scaling, evidence), -np.inf)
    standing = standing_llr(config.evidence, scaling, evidence)
    usable = blocks.usable & outputs.sound
    given = DecisionInput(llr, active, enough, blocks.end, usable, whole, standing, quality.hard)
    decision, changes = decide(config.alerts, states.decision.take(rows), given)
    states.put(rows, States(evidence, quality, decision))
    return Judgement(
        kind=kind,
        llr=llr,
        enough=enough,
        votes=active & enough,
        net_speech=evidence.blocks,
        families=evidence.families,
        hard=quality.hard,
        shares=quality.shares(),
        state=decision.state,
        open=decision.open,
        opened=decision.opened,
        peak=decision.peak,
        quiet=decision.quiet,
        before=before,
        turned=quality.hard != was_hard,
        changes=changes,
    )
