"""Streams that play audio into a pool."""

from __future__ import annotations

import numpy as np
import torch
from helpers import make_scorer, voice

from model.config import BLOCK, DetectorConfig, NetworkConfig
from model.stream import Detector
from monitor.audio import Audio, Blocks
from monitor.config.schema import AlertSection, Config
from monitor.engine.pool import Pool
from monitor.engine.results import Results, Verdicts

AT_ONCE = Config(alerts=AlertSection(undecided_after_s=0.0))
"""With the first verdict undecided, where the evidence is weak."""

Rows = list[int]
Said = tuple[float, float, int, int]
"""llr, p_fake, kind and state."""


def make_detector(network: str = "cnn-lstm") -> Detector:
    """Untrained, small, takes everything that passes the gate for speech, and depends visibly on what it hears."""
    torch.manual_seed(0)
    config = NetworkConfig(kind=network, channels=(4, 6), embedding=16, hidden=12, layers=2)
    detector = Detector(DetectorConfig(network=config))
    with torch.no_grad():
        detector.network.speech.bias.fill_(5.0)
        detector.network.spoof.weight.mul_(10.0)
        detector.network.family.weight.mul_(10.0)
    return detector.prepared()


def voices(streams: int, seconds: float = 3.0) -> Audio:
    """Voices that differ: (streams, n)."""
    return np.stack([voice(seconds, hiss=bool(i % 2), seed=i + 1) for i in range(streams)])


class Player:
    """Feeds a pool from recordings, one for each row, and remembers what each row said."""

    def __init__(self, pool: Pool, audio: Audio) -> None:
        self.pool, self.audio = pool, audio
        self.at = np.zeros(len(audio), dtype=np.int64)
        self.result: list[list[Said]] = [[] for _ in audio]

    def step(self, rows: Rows) -> Results:
        index = np.array(rows, dtype=np.int64)
        samples = np.stack([self.audio[r, self.at[r] : self.at[r] + BLOCK] for r in rows])
        self.at[index] += BLOCK
        results = self.pool.step(Blocks(index, samples, self.at[index], np.zeros(len(rows))))
        for i, row in enumerate(rows):
            figures = float(results.llr[i]), float(results.p_fake[i])
            self.result[row].append((*figures, int(self.pool.kind[row]), int(self.pool.decision.state[row])))
        return results

    def play(self, blocks: int, rows: Rows | None = None) -> None:
        for _ in range(blocks):
            self.step(list(range(len(self.audio))) if rows is None else rows)


def player(audio: Audio, network: str = "cnn-lstm", config: Config | None = None) -> Player:
    return Player(Pool(make_scorer(make_detector(network), len(audio)), config or Config()), audio)


def now(some: Player, row: int, *, whole: bool = False) -> Verdicts:
    return some.pool.verdicts(slice(row, row + 1), whole=whole)


def recent(some: Player, row: int) -> tuple[float, float]:
    """llr and p_fake."""
    return float(now(some, row).llr[0]), float(now(some, row).p_fake[0])
