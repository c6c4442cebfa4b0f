"""assess() for several blocks of a stream in turn, to the bit: in plain numbers, which cost less for a few streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from math import exp, inf
from typing import Any

import numpy as np

from model.config import BLOCK_S
from model.figures import Kind
from monitor.config.schema import AlertSection
from monitor.engine.quality import (
    AS_LOUD_DB,
    EDGE,
    FAST,
    HANG,
    LEAST,
    LONGEST,
    LOUD,
    NEAR,
    NEVER,
    PARTS,
    PEAK_FADE,
    QUIET,
    SHORTEST,
    SLOW,
    SOME_VOICE,
    SURE_VOICE,
    VOICE_FADE,
    BlockFacts,
    Flags,
    Quality,
    assess,
    heights,
)

FEW = 10
"""Streams up to which plain numbers cost less for one block, too."""
_LOST, _TONES = (Kind.GAP, Kind.INVALID), (Kind.TONE, Kind.DTMF, Kind.RINGBACK)


def assess_in_turn(config: AlertSection, old: Quality, blocks: BlockFacts, turns: int) -> tuple[Quality, Flags]:
    """What assess() says of each of `turns` blocks of every stream. The blocks as in monitor.audio.Blocks: all that is
    given but old, and all that is returned, is (turns * N, ...).
    """
    streams = len(old.peak)
    if turns == 1 and streams > FEW:
        return assess(config, old, blocks)
    height = heights(blocks.samples)
    columns = (height, height.max(1), blocks.kind, blocks.active, blocks.level, blocks.made_up)
    found = []
    for i in range(streams):
        stream = _Stream(config, old, i)
        found.append([stream.add(*block) for block in zip(*(c[i::streams].tolist() for c in columns), strict=True)])
    each = list(zip(*(one for turn in zip(*found, strict=True) for one in turn), strict=True))
    kept = {f.name: np.array(v, getattr(old, f.name).dtype) for f, v in zip(fields(old), each, strict=False)}
    return Quality(**kept), np.array(each[-1], np.bool_)


class _Stream:
    """One stream, in plain numbers."""

    def __init__(self, config: AlertSection, old: Quality, i: int) -> None:
        self._hard_share, self._low = config.hard_share, config.low_level_dbfs
        self._fade = exp(-BLOCK_S / config.hard_memory_s)
        first = [getattr(old, f.name)[i].tolist() for f in fields(old)]
        self._peak, self._loud, self._run, self._edge, self._hang, self._voice, self._since = first[:7]
        self._level, self._weight, self._amounts, self._hard = first[7:]

    def add(
        self, height: Sequence[float], highest: float, kind: int, active: bool, level: float, made_up: bool
    ) -> tuple[Any, ...]:
        """The fields of Quality after a block, and whether a gap spoils it."""
        hung = self._hang > 0
        parts, fell = self._holes(height, highest)
        self._hang = HANG if parts else max(self._hang - 1, 0)
        cut = (parts > 0 or fell or hung) and kind not in (Kind.ZEROS, Kind.SILENCE)
        missing = made_up or kind in _LOST
        heard = active or kind == Kind.CLIPPING
        self._voice, self._since = self._voice * VOICE_FADE + heard, 0 if heard else self._since + 1
        spoiled, near = made_up or cut, self._since <= NEAR
        sure = near and self._voice >= SURE_VOICE
        flags = (active, near and self._voice >= SOME_VOICE, sure, spoiled)
        self._count(kind, flags, missing or (cut and sure), level, parts / PARTS if sure else 0.0)
        state = (self._peak, self._loud, self._run, self._edge, self._hang, self._voice, self._since)
        return (*state, self._level, self._weight, self._amounts, self._hard, spoiled)

    def _holes(self, height: Sequence[float], highest: float) -> tuple[int, bool]:
        """Parts of holes that end in this block, and whether one begins."""
        self._peak = peak = max(self._peak * PEAK_FADE, highest)
        loud_from, quiet_to, found, fell = LOUD * peak, QUIET * peak, 0, False
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
        tones = kind in _TONES and sure and not spoiled
        new = (lost, noise, tones, clipped, active and level < self._low)
        counted = active or any(new)
        fade = self._fade if counted else 1.0
        self._weight = self._weight * fade + counted + hole
        faded = [amount * fade + one for amount, one in zip(self._amounts, (lost + hole, *new[1:]), strict=True)]
        self._amounts = faded
        limit = self._hard_share / 2 if self._hard else self._hard_share
        self._hard = self._weight >= LEAST and self._since < NEVER and sum(faded) >= limit * self._weight
        if active:
            self._level = SLOW * self._level + FAST * level if self._level > -inf else level
