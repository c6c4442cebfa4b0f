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
        cut = (parts > 0 or fell or hung) and kind not in SILENT_KINDS
        missing = made_up or kind in LOST_KINDS
        heard = active or kind == Kind.CLIPPING
        self._voice, self._since = self._voice * VOICE_FADE + heard, 0 if heard else self._since + 1
        spoiled, near = made_up or cut, self._since <= NEAR
        sure = near and self._voice >= SURE_VOICE
        flags = (active, near and self._voice >= SOME_VOICE, sure, spoiled)
        self._count(kind, flags, missing or (cut and sure), level, parts / PARTS if sure else 0.0)
        return spoiled

    def _holes(self, height: Sequence[float]) -> tuple[int, bool]:
        """Parts of holes that end in this block, and whether one begins."""
        self._peak = peak = max(self._peak * PEAK_FADE, *height)
        loud_from, quiet_to, found, fell = LOUD * peak, QUIET * peak, 0, False
        if not self._run and min(height) >= quiet_to:  # as nearly always
            self._edge = 0
            for h in height:
                self._loud = 0 if h > loud_from else self._loud + 1
            return 0, False
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

    def _count(self, kind: int, flags: tuple[bool, bool, bool, bool], lost: bool, level: float, hole: float) -> None:
        """flags: the block is speech, some voice is near, surely one, and a gap spoils the block."""
        active, some, sure, spoiled = flags
        active, clipped = active and not spoiled, kind == Kind.CLIPPING and not spoiled
        noise = kind == Kind.NOT_SPEECH and some and not spoiled and level > self._level - AS_LOUD_DB
        tones = kind in TONE_KINDS and sure and not spoiled
        new = (lost, noise, tones, clipped, active and level < self._limits.low_level)
        counted = active or any(new)
        fade = self._limits.hard_fade if counted else 1.0
        self.weight = self.weight * fade + counted + hole
        faded = [amount * fade + one for amount, one in zip(self.amounts, (lost + hole, *new[1:]), strict=True)]
        self.amounts = faded
        limit = self._limits.hard_share / 2 if self.hard else self._limits.hard_share
        self.hard = self.weight >= LEAST and self._since < NEVER and sum(faded) >= limit * self.weight
        if active:
            self._level = SLOW * self._level + FAST * level if self._level > -inf else level
