"""Evidence and decision of one stream in plain numbers, block by block.

To the bit what evidence.py and decision.py give for arrays; one_stream_quality.py has the quality.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S, SAMPLE_RATE
from monitor.config.schema import Config
from monitor.engine.decision import (
    ALERT,
    CLEAR,
    HARD_MARGIN,
    LISTENING,
    SUSPICIOUS,
    UNDECIDED,
    UNKNOWN,
    Decision,
    hold_blocks,
)
from monitor.engine.evidence import Evidence

Floats = NDArray[np.float64]

_NO_CHANGES = (False,) * 5


class Limits:
    """The numbers of a configuration, as they are asked for with each block."""

    def __init__(self, config: Config) -> None:
        alerts, evidence = config.alerts, config.evidence
        self.min_speech_s, self.whole_after_s = evidence.min_speech_s, alerts.whole_after_s
        self.min_speech_probability = evidence.min_speech_probability
        self.fade, self.slow_fade, self.hard_fade = (
            exp(-BLOCK_S / seconds) for seconds in (evidence.memory_s, alerts.clear_memory_s, alerts.hard_memory_s)
        )
        self.none, self.most = evidence.min_speech_s / BLOCK_S, evidence.max_llr
        self.hard_share, self.low_level = alerts.hard_share, alerts.low_level_dbfs
        self.suspicious, self.alert, self.whole = alerts.suspicious_llr, alerts.alert_llr, alerts.whole_llr
        self.close, self.clear = alerts.close_llr, alerts.clear_llr
        self.stays_suspicious, self.stays_clear = (self.suspicious + self.close) / 2, self.clear / 2
        self.suspicious_hold, self.alert_hold = map(hold_blocks, (alerts.suspicious_hold_s, alerts.alert_hold_s))
        self.close_hold, self.unknown_after = map(hold_blocks, (alerts.close_hold_s, alerts.unknown_after_s))
        self.waits = hold_blocks(alerts.undecided_after_s)
        self.update_every = round(alerts.update_every_s * SAMPLE_RATE)


class StreamEvidence:
    """Row `row` of some evidence."""

    def __init__(self, limits: Limits, states: Evidence, row: int) -> None:
        self._limits, self._states, self._row = limits, states, row
        self._weight, self._total = states.weight.item(row), states.total.item(row)
        self._slow_weight, self._slow_total = states.slow_weight.item(row), states.slow_total.item(row)
        self._sum, self.blocks = states.sum.item(row), states.blocks.item(row)
        self.families: list[float] = states.families[row].tolist()
        self._scaled: tuple[float, float] | None = None
        self._llrs = (0.0, 0.0, 0.0)

    def keep(self) -> None:
        """Write it back, but for all_families, to which add_families() adds."""
        states, row = self._states, self._row
        states.weight[row], states.total[row] = self._weight, self._total
        states.slow_weight[row], states.slow_total[row] = self._slow_weight, self._slow_total
        states.sum[row], states.blocks[row] = self._sum, self.blocks
        states.families[row] = self.families

    def add(self, logit: float, family: Sequence[float]) -> None:
        """Add a block of speech; the others change nothing."""
        fade, slow_fade = self._limits.fade, self._limits.slow_fade
        self._weight, self._total = self._weight * fade + 1.0, self._total * fade + logit
        self._slow_weight = self._slow_weight * slow_fade + 1.0
        self._slow_total = self._slow_total * slow_fade + logit
        self._sum += logit
        self.blocks += 1
        self.families = [old * fade + new for old, new in zip(self.families, family, strict=True)]
        self._scaled = None

    def add_families(self, families: Floats, spoken: Sequence[int]) -> None:
        """Add the families (blocks, K) of the blocks that were added, in their order, to those of all speech."""
        every = self._states.all_families[self._row]
        if len(spoken) == 1:
            every += families[spoken[0]]
        elif spoken:
            every[:] = np.add.reduce(np.concatenate([every[None], families[spoken]]), axis=0)

    def llrs(self, scale: float, offset: float) -> tuple[float, float, float]:
        """Return what recent_llr(), whole_llr() and standing_llr() do."""
        if self._scaled != (scale, offset):
            self._scaled = scale, offset
            recent = self._calibrated(scale, offset, self._total, self._weight)
            whole = self._calibrated(scale, offset, self._sum, float(self.blocks))
            slow = self._calibrated(scale, offset, self._slow_total, self._slow_weight)
            standing = slow * self._slow_weight / (self._slow_weight + self._limits.none)
            self._llrs = recent, whole, standing
        return self._llrs

    def _calibrated(self, scale: float, offset: float, total: float, weight: float) -> float:
        if weight <= 0:
            return 0.0
        most = self._limits.most
        llr = scale * total / weight + offset
        return -most if llr < -most else min(llr, most)


class StreamDecision:
    """Row `row` of some decisions. state, open, opened, peak, quiet: as there."""

    def __init__(self, limits: Limits, states: Decision, row: int) -> None:
        self._limits, self._states, self._row = limits, states, row
        self.state, self._votes = states.state.item(row), states.votes.item(row)
        self._suspicious, self._alert = states.above_suspicious.item(row), states.above_alert.item(row)
        self._close, self.quiet = states.below_close.item(row), states.quiet.item(row)
        self.open, self.opened = states.open.item(row), states.opened.item(row)
        self._updated, self.peak = states.updated.item(row), states.peak.item(row)

    def keep(self) -> None:
        """Write it back."""
        states, row = self._states, self._row
        states.state[row], states.votes[row] = self.state, self._votes
        states.above_suspicious[row], states.above_alert[row] = self._suspicious, self._alert
        states.below_close[row], states.quiet[row] = self._close, self.quiet
        states.open[row], states.opened[row] = self.open, self.opened
        states.updated[row], states.peak[row] = self._updated, self.peak

    def add(
        self, llrs: tuple[float, float, float], votes: bool, speech: bool, usable: bool, hard: bool, end: int
    ) -> tuple[bool, bool, bool, bool, bool]:
        """Judge a block. llrs: of the recent speech, of all of it, and what clear rests on. Returns the Changes."""
        limits, was, was_open = self._limits, self.state, self.open
        if not speech and not was_open and usable and not hard and self.quiet + 1 < limits.unknown_after:
            self.quiet += 1
            return _NO_CHANGES
        llr, whole, standing = llrs
        steady = whole >= limits.whole + HARD_MARGIN * hard
        if votes:
            self._vote(llr, steady, standing)
        elif speech and was == UNKNOWN:
            self.state = LISTENING
        if hard and self.state != UNKNOWN:
            self.state = UNDECIDED
        self.quiet = 0 if speech else self.quiet + 1
        held = self._alert >= limits.alert_hold
        opened = votes and not was_open and (held or steady)
        closed = votes and was_open and self._close >= limits.close_hold
        self.open = (was_open or opened) and not closed
        updated = was_open and self.open and speech and end - self._updated >= limits.update_every
        if not usable or self.quiet >= limits.unknown_after:
            self.state = UNKNOWN
        elif self.open and (self.state != UNKNOWN or was == UNKNOWN):
            self.state = ALERT
        if opened:
            self.opened, self.peak = end, llr
        elif self.open:
            self.peak = max(self.peak, llr)
        if opened or updated:
            self._updated = end
        return self.state != was, opened, updated, closed, opened and not held

    def _vote(self, llr: float, steady: bool, standing: float) -> None:
        """Count a block of speech that votes: suspicious, clear or undecided."""
        limits, was = self._limits, self.state
        self._votes += 1
        self._suspicious = self._suspicious + 1 if llr >= limits.suspicious else 0
        self._alert = self._alert + 1 if llr >= limits.alert else 0
        self._close = self._close + 1 if llr < limits.close and not steady else 0
        becomes_clear = standing <= limits.clear and llr < limits.suspicious
        if self._suspicious >= limits.suspicious_hold or (was == SUSPICIOUS and llr > limits.stays_suspicious):
            self.state = SUSPICIOUS
        elif becomes_clear or (was == CLEAR and standing <= limits.stays_clear):
            self.state = CLEAR
        else:
            waits = was in (LISTENING, UNKNOWN) and self._votes < limits.waits
            self.state = LISTENING if waits else UNDECIDED
