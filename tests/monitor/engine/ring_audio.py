"""Audio that goes into rings, and what comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK
from monitor.audio import Blocks, Chunk
from monitor.engine.ring import Ring
from monitor.engine.ring_bank import RingBank

ROOM_S = 4.0


def samples(start: int, n: int, channels: int = 1) -> NDArray[np.float32]:
    """Each sample is its place on the source's clock, plus one so that none is zero; channels differ in sign."""
    signs = np.array([1, -1, 1, -1][:channels])
    return (np.arange(start + 1, start + n + 1)[None] * signs[:, None]).astype(np.float32)


def chunk(start: int, n: int, captured_at: float = 0.0, channels: int = 1) -> Chunk:
    return Chunk(samples(start, n, channels), start, captured_at)


def opened(capacity_s: float = ROOM_S, channels: int = 1) -> tuple[RingBank, Ring]:
    bank = RingBank(channels, capacity_s)
    return bank, bank.open(0, channels)


def drained(bank: RingBank) -> list[Blocks]:
    found = []
    while (blocks := bank.take(0.0)) is not None:
        found.append(blocks)
    return found


def heard(blocks: Blocks) -> NDArray[np.float32]:
    """The samples of the first row that were not lost, each checked to be where `end` says."""
    block, end = blocks.samples[0], int(blocks.end[0])
    known = ~np.isnan(block)
    assert np.array_equal(block[known], (np.arange(end - BLOCK, end) + 1)[known]), f"misplaced in the block to {end}"
    return block[known]
