"""The newest seconds of all channels, as 16-bit samples: what an alert will want to look back on. Pure.

10 s take 320 kB a channel, 128 MB for 200 calls of two parties; rows that nobody has used yet take none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Blocks

Samples = NDArray[np.int16]
FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """One block of a channel. samples: int16 (BLOCK,). end: index after its last sample. lost: samples in it that were
    lost or invalid, which are zeros here, or what stands in for them.
    """

    samples: Samples
    end: int
    lost: int


def quantised(blocks: Blocks) -> tuple[Samples, NDArray[np.int64]]:
    """Return the samples of int16 (M, BLOCK), exact where the source had 16 bits at 16 kHz; and how many of each row
    were lost."""
    finite = np.isfinite(blocks.samples)
    lost = BLOCK - np.count_nonzero(finite if blocks.concealed is None else finite & ~blocks.concealed, axis=1)
    samples = blocks.samples if finite.all() else np.where(finite, blocks.samples, np.float32(0.0))
    return np.clip(np.rint(samples * FULL_SCALE), -32768, 32767).astype(np.int16), lost


class AudioHistory:
    """rows: so many take memory as they are used; more are made when they are asked for."""

    def __init__(self, seconds: float, rows: int = 0) -> None:
        self._slots = max(1, -(-round(seconds * SAMPLE_RATE) // BLOCK) + 1)
        self._audio: Samples = np.zeros((rows, self._slots, BLOCK), dtype=np.int16)
        self._ends = np.zeros((rows, self._slots), dtype=np.int64)
        self._lost = np.zeros((rows, self._slots), dtype=np.int64)
        self._count = np.zeros(rows, dtype=np.int64)

    def open(self, rows: slice) -> None:
        """Forget what rows have heard."""
        missing = rows.stop - len(self._count)
        if missing > 0:
            more = max(missing, len(self._count))
            self._audio, self._ends, self._lost, self._count = (
                np.concatenate([old, np.zeros((more, *old.shape[1:]), old.dtype)])
                for old in (self._audio, self._ends, self._lost, self._count)
            )
        self._count[rows] = 0

    def add(self, blocks: Blocks) -> tuple[Samples, NDArray[np.int64]]:
        """Remember one block of some rows. Returns it quantised."""
        samples, lost = quantised(blocks)
        slots = self._count[blocks.rows] % self._slots
        self._audio[blocks.rows, slots] = samples
        self._ends[blocks.rows, slots] = blocks.end
        self._lost[blocks.rows, slots] = lost
        self._count[blocks.rows] += 1
        return samples, lost

    def since(self, row: int, sample: int) -> Iterator[AudioBlock]:
        """Yield the pieces of a row that end after a sample, oldest first; copies."""
        count = int(self._count[row])
        for number in range(max(0, count - self._slots), count):
            slot = number % self._slots
            end = int(self._ends[row, slot])
            if end > sample:
                yield AudioBlock(self._audio[row, slot].copy(), end, int(self._lost[row, slot]))
