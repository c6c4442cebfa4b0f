"""The newest blocks of each stream, for those that the network has to hear again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK
from monitor.scoring.rows import Ints
from monitor.scoring.speech_gate import TAIL

Floats = NDArray[np.float32]


class RecentAudio:
    """Each block stands in a slot by its number, so that a step writes what is new and moves nothing.

    held: float32 (rows, slots, BLOCK), zeros where nothing was heard. most: blocks that can be read.
    """

    def __init__(self, rows: int, most: int) -> None:
        self._slots = most + 1  # one more, for the samples that the first window shares with the block before
        self.held = np.zeros((rows, self._slots, BLOCK), np.float32)

    def before(self, rows: Ints, counts: Ints, blocks: int) -> Floats:
        """Return the last `blocks` of rows that have heard so many blocks each, and TAIL samples in front: (M, TAIL +
        blocks * BLOCK)."""
        numbers = counts[:, None] + np.arange(-blocks - 1, 0)
        found: Floats = self.held[rows[:, None], numbers % self._slots].reshape(len(rows), -1)
        return found[:, BLOCK - TAIL :]

    def add(self, rows: Ints, counts: Ints, samples: Floats) -> None:
        """Take the next blocks of rows that have heard so many blocks each: samples (M, B * BLOCK)."""
        blocks = samples.reshape(len(rows), -1, BLOCK)[:, -self._slots :]
        first = counts + samples.shape[1] // BLOCK - blocks.shape[1]
        if blocks.shape[1] == 1:
            self.held[rows, first % self._slots] = blocks[:, 0]
        else:
            self.held[rows[:, None], (first[:, None] + np.arange(blocks.shape[1])) % self._slots] = blocks
