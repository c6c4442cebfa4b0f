"""A block that comes whole takes a shorter way into its ring, and must leave there what its pieces would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from ring_audio import drained, opened, samples

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Blocks, Chunk

Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["live", "blocks", "take"]), st.integers(1, 12)),
        st.tuples(st.sampled_from(["jump", "skip", "concealed", "lost", "odd"]), st.integers(1, 2 * BLOCK)),
        st.tuples(st.sampled_from(["concealed", "odd"]), st.just(BLOCK)),
    ),
    max_size=20,
)
"""live: blocks that are taken one by one, as in a call that is in time. blocks: without anybody who takes them."""


class _Played:
    """A ring of eight blocks, each chunk of which is pushed in so many pieces."""

    def __init__(self, pieces: int) -> None:
        self.bank, self.ring = opened(8 * BLOCK / SAMPLE_RATE)
        self.pieces, self.clock, self.found = pieces, 700, list[Blocks]()

    def step(self, what: str, n: int) -> None:
        if what in ("live", "blocks", "take"):
            for _ in range(n):
                if what != "take":
                    self.push("block", BLOCK)
                if what != "blocks" and (blocks := self.bank.take(0.0)):
                    self.found.append(blocks)
        elif what in ("skip", "jump"):
            self.clock += n
            if what == "skip":
                self.ring.skip(n)
        else:
            self.push(what, n)

    def push(self, what: str, n: int) -> None:
        for part in np.array_split(np.arange(self.clock, self.clock + n), min(n, self.pieces)):
            start, size = int(part[0]), len(part)
            marks = {what: part[None] % 3 == 0} if what in ("concealed", "lost") else {}
            end_s = 100.0 + (start + size) / SAMPLE_RATE
            self.ring.push(Chunk(samples(start, size), start, end_s, **marks), wait=False)
        self.clock += n

    def all(self) -> list[Blocks]:
        return self.found + drained(self.bank)


@given(STEPS)
def test_blocks_that_come_whole_are_written_as_pieces_are(steps: list[Step]) -> None:
    whole, pieces = _Played(1), _Played(2)
    for played in (whole, pieces):
        for step in steps:
            played.step(*step)
    for a, b in zip(whole.all(), pieces.all(), strict=True):
        assert np.array_equal(a.samples, b.samples, equal_nan=True)
        assert a.end == b.end
        assert a.captured_at == pytest.approx(b.captured_at, abs=1e-9)
        assert np.array_equal(_marks(a), _marks(b))
    assert whole.ring.lost == pieces.ring.lost


def _marks(blocks: Blocks) -> NDArray[np.bool_]:
    return np.zeros(blocks.samples.shape, np.bool_) if blocks.concealed is None else blocks.concealed
