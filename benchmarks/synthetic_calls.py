"""Calls made of the clips of a corpus split: genuine ones, fakes, and genuine ones in which a fake takes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.trace import Audio, pause, whole_blocks
from model.config import BLOCK, SAMPLE_RATE
from training.channels.channels import find_channel
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip

GENUINE, FAKE, TURNS = "genuine", "fake", "turns fake"
KINDS = (GENUINE, FAKE, TURNS)
GENUINE_S, BEFORE_S, FAKE_S = 90.0, (15.0, 40.0), 40.0
NEVER = 2**31
"""The onset of a call that is genuine to its end."""
SHORT_KINDS = (GENUINE, FAKE)
PAUSE_S = (0.2, 1.2)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SyntheticCall:
    """audio: float32 (n,). onset: sample from which it is fake, None in a genuine call. same_speaker: every clip of the
    call is by one speaker.
    """

    kind: str
    audio: Audio
    onset: int | None
    part: str
    system: str
    family: str
    channel: str
    same_speaker: bool


class SyntheticCaller:
    """Makes calls from a bank: a fake is by one system, its clips by the same speaker as far as there are any.

    seconds: length of every call, each genuine or fake throughout; None: longer calls, a third of which turn fake.
    """

    def __init__(self, bank: AudioBank, channels: Sequence[str], seed: int = 0, seconds: float | None = None) -> None:
        self.bank, self.channels, self.rng = bank, channels, np.random.default_rng(seed)
        self.kinds = KINDS if seconds is None else SHORT_KINDS
        self.genuine_s, self.fake_s = (GENUINE_S, FAKE_S) if seconds is None else (seconds, seconds)
        self.real = [i for i, c in enumerate(bank.clips) if c.label == 0]
        fakes = [i for i, c in enumerate(bank.clips) if c.label == 1]
        self.systems: dict[tuple[str, str], list[int]] = {}
        for i in fakes:
            self.systems.setdefault((bank.clips[i].part, bank.clips[i].system), []).append(i)

    def call(self, number: int) -> SyntheticCall:
        """Call `number` of a series: kinds and channels take turns, systems are drawn."""
        kind = self.kinds[number % len(self.kinds)]
        channel = self.channels[number // len(self.kinds) % len(self.channels)]
        members = list(self.systems.values())[int(self.rng.integers(len(self.systems)))]
        lead = self.bank.clips[int(self.rng.choice(self.real if kind == GENUINE else members))]
        spans: list[tuple[list[int], float]] = []
        if kind != FAKE:
            seconds = self.genuine_s if kind == GENUINE else float(self.rng.uniform(*BEFORE_S))
            spans.append((self._near(self.real, lead), seconds))
        if kind != GENUINE:
            spans.append((self._near(members, lead), self.fake_s))
        used: list[int] = []
        stretches = [self._stretch(order, seconds, used) for order, seconds in spans]
        onset = {GENUINE: None, FAKE: 0, TURNS: len(stretches[0])}[kind]
        audio = self._through(channel, np.concatenate(stretches))
        same = len({self.bank.clips[i].speaker for i in used}) == 1
        system, family = ("", "") if kind == GENUINE else (lead.system, lead.family)
        return SyntheticCall(kind, audio, onset, lead.part, system, family, channel, same)

    def _near(self, members: Sequence[int], lead: Clip) -> list[int]:
        """Return clips in random order: those of the lead's speaker first, then those of its part."""
        shuffled = [members[i] for i in self.rng.permutation(len(members)).tolist()]
        clips = self.bank.clips
        return sorted(shuffled, key=lambda i: (clips[i].speaker != lead.speaker, clips[i].part != lead.part))

    def _stretch(self, order: Sequence[int], seconds: float, used: list[int]) -> Audio:
        """Return clips with pauses of faint noise between them, whole blocks; a short list is heard again."""
        parts: list[Audio] = []
        at = 0
        while sum(map(len, parts)) < seconds * SAMPLE_RATE:
            used.append(order[at % len(order)])
            parts += [self.bank.clip(used[-1]), pause(self.rng, *PAUSE_S)]
            at += 1
        return whole_blocks(np.concatenate(parts))

    def _through(self, channel: str, audio: Audio) -> Audio:
        treat = find_channel(channel)
        assert treat is not None, channel
        return treat(audio, self.rng)


def stack(calls: Sequence[Audio]) -> Audio:
    """Return float32 (n,) of each call as (N, longest); what is missing at the end of a call is lost audio."""
    rows = np.full((len(calls), max(map(len, calls))), np.nan, dtype=np.float32)
    for row, call in zip(rows, calls, strict=True):
        row[: len(call)] = call
    return rows


def onsets(calls: Sequence[SyntheticCall]) -> Ints:
    """Return (N,) first fake block of each call, NEVER where there is none."""
    return np.array([NEVER if c.onset is None else c.onset // BLOCK for c in calls])
