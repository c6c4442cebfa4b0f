"""How hard a voice is to judge: the share of its recent sound that says nothing of it. Pure, one entry a stream.

Counted are blocks of speech, and what stands in their place: lost audio and holes cut into speech, noise or music as
loud as the voice, tones, clipping, speech at a very low level. Sounds without a voice near them do not count, so that
hold music and ringback are no impairment: a few blocks that pass for speech, such as the first ones of a tone, are no
voice. A hole is a fall from loud to near silence and back, each within 5 ms, which neither a voice nor a room does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, isfinite

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, BLOCK_S
from model.figures import Kind
from monitor.config.schema import AlertSection
from monitor.engine.stream_values import StreamValues

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Samples = NDArray[np.float32]

HARDSHIPS = ("gaps", "noise", "tones", "clipping", "low level")
"""The reasons why a voice is hard to judge, for people."""
GAPS, NOISE, TONES, CLIPPING, LOW_LEVEL = range(5)

PARTS = 8
"""Holes are looked for in so many parts of a block, 2.5 ms each."""
LOUD, QUIET = 10.0 ** (-24.0 / 20.0), 10.0 ** (-46.0 / 20.0)
"""Shares of the running peak: from LOUD to QUIET and back is a hole."""
PEAK_FADE = 10.0 ** (-3.0 * BLOCK_S / 20.0)
_FIRST = np.arange(0, BLOCK, BLOCK // PARTS)
"""The first sample of each part."""
_SINCE = np.array([PARTS - bits.bit_length() for bits in range(1 << PARTS)])
"""Parts behind the last one that is so, by the bits of a block's parts; PARTS where none is."""
EDGE, SHORTEST, LONGEST = 2, 2, 80
"""Parts that an edge of a hole may take, and the parts of the shortest and the longest hole: 5 and 200 ms."""
HANG = 3
"""Blocks behind a hole that the network still sees it in."""
NEAR = round(1.0 / BLOCK_S)
"""Noise, tones and holes count within so many blocks of a voice."""
NEVER = 1 << 40
"""Blocks since a voice, where there was none: nothing is hard to judge then, whatever was lost."""
VOICE_FADE = exp(-BLOCK_S / 1.0)
"""The share that stays, with each block, of the blocks that were a voice."""
SOME_VOICE, SURE_VOICE = 3.0, 6.0
"""Of these, as many as noise, and as tones and holes, need near them to count. Under white noise as loud as itself a
voice leaves 4 or more three quarters of the time, under DTMF 17; ringing, busy and information tones leave 2.5 at most,
and digits alone, whose every beginning passes for speech, 5.4."""
AS_LOUD_DB = 12.0
"""Noise that is so much fainter than the voice does not count."""
SLOW, FAST = 0.98, 0.02
"""Of the voice's level: what of it stays with each block of speech, and what is new."""
LEAST = round(2.0 / BLOCK_S)
"""Blocks that must have counted before a share means something."""
NAMED = 0.05
"""A share that is worth naming."""


@dataclass(frozen=True)
class Quality(StreamValues):
    """The quality of N streams. peak: of the samples, fading. loud: parts since the last loud one. run: parts of the
    hole so far, 0 outside. edge: parts since its end. hang: blocks to come that a hole spoils. voice: blocks that were
    a voice, fading. since: blocks since the last of them. level: dBFS of the speech, fading. weight: blocks counted,
    fading; amounts (N, 5): those of each impairment. hard: so many of them that the voice cannot be judged.
    """

    peak: Floats
    loud: Ints
    run: Ints
    edge: Ints
    hang: Ints
    voice: Floats
    since: Ints
    level: Floats
    weight: Floats
    amounts: Floats
    hard: Flags

    def shares(self) -> Floats:
        """Share (N, 5) of each impairment in what counted, 0 to 1."""
        return shares(self.weight, self.amounts)


def shares(weight: Floats, amounts: Floats) -> Floats:
    """Share (N, 5) of each impairment in what counted, 0 to 1: weight and amounts as in Quality."""
    return np.asarray(np.minimum(amounts / np.maximum(weight, 1e-9)[:, None], 1.0))


def init_quality(streams: int) -> Quality:
    """Return the quality of streams that have had no audio."""

    def full(value: int) -> Ints:
        return np.full(streams, value, dtype=np.int64)

    zeros = np.zeros(streams)
    return Quality(
        peak=zeros,
        loud=full(LONGEST),
        run=full(0),
        edge=full(0),
        hang=full(0),
        voice=zeros.copy(),
        since=full(NEVER),
        level=np.full(streams, -np.inf),
        weight=zeros.copy(),
        amounts=np.zeros((streams, len(HARDSHIPS))),
        hard=np.zeros(streams, dtype=np.bool_),
    )


@dataclass(frozen=True)
class BlockFacts:
    """The facts about a block of each of N streams. samples: float32 (N, BLOCK), NaN where audio was lost. kind: of
    model.figures.Kind. active: it is speech. level: dBFS. made_up: some of it stands in for lost audio.
    """

    samples: Samples
    kind: Ints
    active: Flags
    level: Floats
    made_up: Flags


def _among(kinds: Iterable[Kind]) -> Flags:
    """Return, by its code, whether a kind is one of some."""
    return np.isin(np.arange(len(Kind)), list(kinds))


LOST_KINDS, TONE_KINDS = (Kind.GAP, Kind.INVALID), (Kind.TONE, Kind.DTMF, Kind.RINGBACK)
SILENT_KINDS = (Kind.ZEROS, Kind.SILENCE)
_IS_LOST, _IS_TONE, _IS_SOUND = _among(LOST_KINDS), _among(TONE_KINDS), ~_among(SILENT_KINDS)


@dataclass(frozen=True)
class Holes:
    """The holes of one block: found (N,) parts of holes that ended in it. spoiled: the network sees a hole in it.
    Others as in Quality.
    """

    found: Ints
    spoiled: Flags
    peak: Floats
    loud: Ints
    run: Ints
    edge: Ints
    hang: Ints


def heights(samples: Samples) -> Floats:
    """Return the highest sample (N, PARTS) of each part of blocks (N, BLOCK); 0 where audio was lost."""
    # reduceat() and not a maximum over the last axis of (N, PARTS, 40), which takes numpy five times as long.
    highest = np.maximum.reduceat(np.abs(samples), _FIRST, axis=1).astype(np.float64)
    return highest if isfinite(highest.sum()) else np.where(np.isfinite(highest), highest, 0.0)


def _bits(flags: Flags) -> NDArray[np.uint64]:
    """Return flags (N, 8) as the bits of a number (N,), the first one the lowest."""
    packed = flags.view("<u8")[:, 0]
    return packed * np.uint64(0x0102040810204080) >> np.uint64(56)


def find_holes(old: Quality, samples: Samples) -> Holes:
    """Look for holes in one block of N streams: samples float32 (N, BLOCK), NaN where audio was lost."""
    height = heights(samples)
    highest = height
    while highest.shape[1] > 1:  # which costs half of max(1)
        half = highest.shape[1] // 2
        highest = np.maximum(highest[:, :half], highest[:, half:])
    peak = np.maximum(old.peak * PEAK_FADE, highest[:, 0])
    is_loud, is_quiet = height > LOUD * peak[:, None], height < QUIET * peak[:, None]
    # A hole begins within EDGE parts behind a loud one, or has begun before: elsewhere there is none to look for.
    last_loud = _SINCE[_bits(is_loud)]
    any_loud = last_loud < PARTS
    loud = np.where(any_loud, last_loud, old.loud + PARTS)
    found, run, edge = np.zeros_like(old.run), np.zeros_like(old.run), np.zeros_like(old.edge)
    fell = np.zeros(len(run), dtype=np.bool_)
    any_quiet = _bits(is_quiet) > 0
    some = ((old.run > 0) | (any_quiet & (any_loud | (old.loud < EDGE)))).nonzero()[0]
    if len(some):
        found[some], fell[some], run[some], edge[some] = _follow(
            is_loud[some], is_quiet[some], old.loud[some], old.run[some], old.edge[some]
        )
    hang = np.where(found > 0, HANG, np.maximum(old.hang - 1, 0))
    return Holes(found, (found > 0) | fell | (old.hang > 0), peak, loud, run, edge, hang)


def _follow(is_loud: Flags, is_quiet: Flags, loud: Ints, run: Ints, edge: Ints) -> tuple[Ints, Flags, Ints, Ints]:
    """Go through the parts of a block. Returns found, whether a hole began, run and edge."""
    found, fell = np.zeros_like(run), np.zeros(len(run), dtype=np.bool_)
    for j in range(PARTS):
        inside = is_quiet[:, j] & ((run > 0) | (loud < EDGE))
        run = np.where(inside, run + 1, run)
        fell |= inside & (run == SHORTEST)
        edge = np.where((run > 0) & ~is_quiet[:, j], edge + 1, 0)
        back = is_loud[:, j] & (run > 0)
        found += np.where(back & (run >= SHORTEST), run, 0)
        run = np.where(back | (edge >= EDGE) | (run > LONGEST), 0, run)
        loud = np.where(is_loud[:, j], 0, loud + 1)
    return found, fell, run, edge


def assess(config: AlertSection, old: Quality, block: BlockFacts) -> tuple[Quality, Flags]:
    """Count one block of N streams. Returns also which blocks are spoilt by a gap: they are no evidence."""
    kind, level, holes = block.kind, block.level, find_holes(old, block.samples)
    cut = holes.spoiled & _IS_SOUND[kind]
    spoiled = cut | block.made_up
    active = block.active & ~spoiled
    missing = block.made_up | _IS_LOST[kind]
    clipped = (kind == Kind.CLIPPING) & ~spoiled
    heard = block.active | (kind == Kind.CLIPPING)
    voice, since = old.voice * VOICE_FADE + heard, np.where(heard, 0, old.since + 1)
    some = (voice >= SOME_VOICE) & (since <= NEAR)
    sure = some & (voice >= SURE_VOICE)
    lost = missing | (cut & sure)
    noise = (kind == Kind.NOT_SPEECH) & some & ~spoiled & (level > old.level - AS_LOUD_DB)
    tones = _IS_TONE[kind] & sure & ~spoiled
    low = active & (level < config.low_level_dbfs)
    hole = np.where(sure, holes.found, 0) / PARTS
    counted = active | lost | noise | tones | clipped | low
    new = np.stack([lost, noise, tones, clipped, low], axis=1).astype(np.float64)
    new[:, GAPS] += hole
    fade = np.where(counted, exp(-BLOCK_S / config.hard_memory_s), 1.0)
    weight, amounts = old.weight * fade + counted + hole, old.amounts * fade[:, None] + new
    limit = np.where(old.hard, config.hard_share / 2, config.hard_share)
    quality = Quality(
        peak=holes.peak,
        loud=holes.loud,
        run=holes.run,
        edge=holes.edge,
        hang=holes.hang,
        voice=voice,
        since=since,
        level=np.where(active, np.where(old.level > -np.inf, SLOW * old.level + FAST * level, level), old.level),
        weight=weight,
        amounts=amounts,
        hard=(weight >= LEAST) & (since < NEVER) & (sum(amounts.T) >= limit * weight),
    )
    return quality, spoiled


def in_words(shares: Floats) -> str:
    """Write shares (5,) that are worth naming, the largest first, such as "gaps 50 %, noise 12 %"."""
    order = np.argsort(-shares, kind="stable").tolist()
    return ", ".join(f"{HARDSHIPS[i]} {100 * shares[i]:.0f} %" for i in order if shares[i] >= NAMED)
