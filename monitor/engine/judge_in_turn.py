"""judge() for a few streams, or for several blocks of each in turn, in plain numbers: to the bit the same.

An array of a few numbers costs more than the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S
from model.figures import Kind
from monitor.engine.decision import Changes
from monitor.engine.judge import Judgement, ScoredBlocks, States
from monitor.engine.one_stream import Limits, StreamDecision, StreamEvidence
from monitor.engine.one_stream_quality import StreamQuality
from monitor.engine.quality import heights, shares
from monitor.scoring.rows import Ints

FEW = 16
"""Streams up to which plain numbers cost less for one block of each."""
_TYPES = (np.int64, np.float64, np.bool_, np.bool_, np.bool_, np.int64, np.float64, np.bool_, np.float64, np.float64)
_DECIDED = (np.int64, np.bool_, np.int64, np.float64, np.int64, np.int64, np.bool_)
_CHANGES = (np.bool_,) * 5
_EVIDENCE = 4
"""Place of whether a block is evidence, in what is said of it."""
_GAP = int(Kind.GAP)


def judge_in_turn(limits: Limits, states: States, rows: Ints, blocks: ScoredBlocks) -> Judgement:
    """Judge the blocks of some rows (N,), in the order of monitor.audio.Blocks. Changes their states in place."""
    outputs, streams = blocks.outputs, len(rows)
    active = outputs.active & (outputs.speech >= limits.min_speech_probability)
    kinds = np.where((outputs.kind == Kind.SPEECH) & ~active, Kind.NOT_SPEECH, outputs.kind)
    active &= blocks.usable  # what cannot be trusted is no evidence
    scored = (kinds, active, outputs.level, outputs.logit, outputs.family, outputs.warm)
    trusted = (blocks.usable & outputs.sound, blocks.made_up)
    columns = (heights(blocks.samples), *scored, *trusted, blocks.end, blocks.scaling.scale, blocks.scaling.offset)
    given = list(zip(*(column.tolist() for column in columns), strict=True))
    found: list[tuple[Any, ...]] = [()] * len(given)
    for i, row in enumerate(rows.tolist()):
        stream = _Stream(limits, states, row)
        judged = [stream.judge(*block) for block in given[i::streams]]
        stream.keep(outputs.family[i::streams], [at for at, block in enumerate(judged) if block[_EVIDENCE]])
        found[i::streams] = judged
    types = (*_TYPES, *_DECIDED, *_CHANGES)
    found_columns = zip(zip(*found, strict=True), types, strict=True)
    arrays: list[NDArray[Any]] = [np.array(column, kind) for column, kind in found_columns]
    kind, llr, enough, votes, _, net, families, hard, weight, amounts, *more = arrays
    state, is_open, opened, peak, quiet, before, turned, *changes = more
    return Judgement(
        kind=kind,
        llr=llr,
        enough=enough,
        votes=votes,
        net_speech=net,
        families=families,
        hard=hard,
        shares=shares(weight, amounts),
        state=state,
        open=is_open,
        opened=opened,
        peak=peak,
        quiet=quiet,
        before=before,
        turned=turned,
        changes=Changes(*changes),
    )


class _Stream:
    def __init__(self, limits: Limits, states: States, row: int) -> None:
        self._limits = limits
        self._evidence = StreamEvidence(limits, states.evidence, row)
        self._quality = StreamQuality(limits, states.quality, row)
        self._decision = StreamDecision(limits, states.decision, row)

    def keep(self, families: NDArray[np.float64], spoken: Sequence[int]) -> None:
        """Write it back. families: of all blocks. spoken: which of them are evidence."""
        self._evidence.keep()
        self._evidence.add_families(families, spoken)
        self._quality.keep()
        self._decision.keep()

    def judge(
        self,
        height: Sequence[float],
        kind: int,
        active: bool,
        level: float,
        logit: float,
        family: Sequence[float],
        warm: bool,
        trusted: bool,
        made_up: bool,
        end: int,
        scale: float,
        offset: float,
    ) -> tuple[Any, ...]:
        limits, evidence, quality, decision = self._limits, self._evidence, self._quality, self._decision
        was_hard, before = quality.hard, decision.state
        if quality.add(height, kind, active, level, made_up):
            kind, active = _GAP, False
        if active:
            evidence.add(logit, family)
        speech_s = evidence.blocks * BLOCK_S
        enough = warm and speech_s >= limits.min_speech_s
        votes = active and enough
        llr, whole, standing = evidence.llrs(scale, offset)
        if speech_s < limits.whole_after_s:
            whole = -inf
        changes = decision.add((llr, whole, standing), votes, active, trusted, quality.hard, end)
        known = (kind, llr, enough, votes, active, evidence.blocks, evidence.families)
        judged = (quality.hard, quality.weight, quality.amounts)
        decided = (decision.state, decision.open, decision.opened, decision.peak, decision.quiet, before)
        return (*known, *judged, *decided, quality.hard != was_hard, *changes)
