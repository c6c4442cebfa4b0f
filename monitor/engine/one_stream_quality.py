"""Quality of one stream in plain numbers, block by block. To the bit what quality.py gives for arrays."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from model.figures import Kind
from monitor.engine.one_stream import Limits
from monitor.engine.quality import (
    AS_LOUD_DB,
    EDGE,
    FAST,
    HANG,
    LEAST,
    LONGEST,
    LOST_KINDS,
    LOUD,
    NEAR,
    NEVER,
    PARTS,
    PEAK_FADE,
    QUIET,
    SHORTEST,
    SILENT_KINDS,
    SLOW,
    SOME_VOICE,
    SURE_VOICE,
    TONE_KINDS,
    VOICE_FADE,
    Quality,
)

_CLIPPING, _NOT_SPEECH = int(Kind.CLIPPING), int(Kind.NOT_SPEECH)
_IS_SILENT, _IS_LOST, _IS_TONE = (
    tuple(kind in kinds for kind in Kind) for kinds in (SILENT_KINDS, LOST_KINDS, TONE_KINDS)
)
"""By code: plain numbers are compared in a tenth of the time that members take."""
_NONE = (False,) * 5


class StreamQuality:
    """Row `row` of some quality. amounts, weight, hard: as there."""

    def __init__(self, limits: Limits, states: Quality, row: int) -> None:
        self._limits, self._states, self._row = limits, states, row
        self._peak, self._loud, self._run = states.peak.item(row), states.loud.item(row), states.run.item(row)
        self._edge, self._hang, self._voice = states.edge.item(row), states.hang.item(row), states.voice.item(row)
        self._since, self._level = states.since.item(row), states.level.item(row)
        self.weight, self.hard = states.weight.item(row), states.hard.item(row)
        self.amounts: list[float] = states.amounts[row].tolist()

    def keep(self) -> None:
        """Write it back."""
        states, row = self._states, self._row
        states.peak[row], states.loud[row], states.run[row] = self._peak, self._loud, self._run
        states.edge[row], states.hang[row], states.voice[row] = self._edge, self._hang, self._voice
        states.since[row], states.level[row] = self._since, self._level
        states.weight[row], states.hard[row], states.amounts[row] = self.weight, self.hard, self.amounts

    def add(self, height: Sequence[float], kind: int, active: bool, level: float, made_up: bool) -> bool:
        """Count a block. height: of its parts. Returns whether a gap spoils it."""
        hung = self._hang > 0
        parts, fell = self._holes(height)
        self._hang = HANG if parts else max(self._hang - 1, 0)
        cut = (parts > 0 or fell or hung) and not _IS_SILENT[kind]
        heard = active or kind == _CLIPPING
        self._voice, self._since = self._voice * VOICE_FADE + heard, 0 if heard else self._since + 1
        spoiled, near = made_up or cut, self._since <= NEAR
        sure = near and self._voice >= SURE_VOICE
        lost = made_up or _IS_LOST[kind] or (cut and sure)
        hole = parts / PARTS if sure else 0.0
        if spoiled:
            self._count(False, (lost, False, False, False, False), level, hole)
            return True
        noise = kind == _NOT_SPEECH and near and self._voice >= SOME_VOICE and level > self._level - AS_LOUD_DB
        new = (lost, noise, _IS_TONE[kind] and sure, kind == _CLIPPING, active and level < self._limits.low_level)
        if active or hole or new != _NONE:  # else nothing fades and nothing comes
            self._count(active, new, level, hole)
        return False

    def _holes(self, height: Sequence[float]) -> tuple[int, bool]:
        """Parts of holes that end in this block, and whether one begins."""
        highest = max(height)
        self._peak = peak = max(self._peak * PEAK_FADE, highest)
        loud_from, quiet_to = LOUD * peak, QUIET * peak
        if not self._run:  # as nearly always
            if highest <= loud_from and self._loud >= EDGE:  # a hole begins behind what is loud
                self._edge, self._loud = 0, self._loud + PARTS
                return 0, False
            if min(height) >= quiet_to:
                self._edge = 0
                for h in height:
                    self._loud = 0 if h > loud_from else self._loud + 1
                return 0, False
        return self._follow(height, loud_from, quiet_to)

    def _follow(self, height: Sequence[float], loud_from: float, quiet_to: float) -> tuple[int, bool]:
        found, fell = 0, False
        for h in height:
            is_quiet, is_loud = h < quiet_to, h > loud_from
            if is_quiet and (self._run or self._loud < EDGE):
                self._run += 1
                fell = fell or self._run == SHORTEST
            self._edge = self._edge + 1 if self._run and not is_quiet else 0
            if self._run:
                if is_loud and self._run >= SHORTEST:
                    found += self._run
                if is_loud or self._edge >= EDGE or self._run > LONGEST:
                    self._run = 0
            self._loud = 0 if is_loud else self._loud + 1
        return found, fell

    def _count(self, active: bool, new: tuple[bool, bool, bool, bool, bool], level: float, hole: float) -> None:
        """Count a block of speech, or of what stands in its place. new: of each impairment. hole: parts of a block."""
        counted = active or new != _NONE
        fade = self._limits.hard_fade if counted else 1.0
        self.weight = self.weight * fade + counted + hole
        gaps, noise, tones, clipped, low = self.amounts
        self.amounts = faded = [
            gaps * fade + (new[0] + hole),
            noise * fade + new[1],
            tones * fade + new[2],
            clipped * fade + new[3],
            low * fade + new[4],
        ]
        limit = self._limits.hard_share / 2 if self.hard else self._limits.hard_share
        self.hard = self.weight >= LEAST and self._since < NEVER and sum(faded) >= limit * self.weight
        if active:
            self._level = SLOW * self._level + FAST * level if self._level > -inf else level
