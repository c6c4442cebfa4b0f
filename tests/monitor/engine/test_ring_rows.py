"""The rows of a ring bank: when audio was captured, rows that are given back, and what is concealed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ring_audio import ROOM_S, chunk, drained, heard, opened, samples

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Chunk
from monitor.engine.ring import GIVEN_UP
from monitor.engine.ring_bank import RingBank

# When it was captured.


def test_captured_at_is_when_the_last_sample_of_the_block_was_there() -> None:
    bank, ring = opened()
    for i in range(1, 9):
        ring.push(chunk(160 * (i - 1), 160, captured_at=100.0 + 0.01 * i), wait=False)
    assert [float(b.captured_at[0]) for b in drained(bank)] == pytest.approx([100.02, 100.04, 100.06, 100.08])


def test_captured_at_inside_a_chunk_and_across_chunks() -> None:
    bank, ring = opened()
    ring.push(chunk(0, 1000, captured_at=50.0), wait=False)
    ring.push(chunk(1000, 600, captured_at=60.0), wait=False)
    times = [float(b.captured_at[0]) for b in drained(bank)]
    before = [50.0 - (1000 - end) / SAMPLE_RATE for end in (320, 640, 960)]
    after = [60.0 - (1600 - end) / SAMPLE_RATE for end in (1280, 1600)]
    assert times == pytest.approx([*before, *after])


def test_captured_at_of_audio_that_waited_through_a_long_gap() -> None:
    bank, ring = opened()
    ring.push(chunk(0, BLOCK, captured_at=10.0), wait=False)
    ring.push(chunk(BLOCK + 160_000, BLOCK, captured_at=20.04), wait=False)
    found = drained(bank)
    assert float(found[0].captured_at[0]) == pytest.approx(10.0)
    assert float(found[-2].captured_at[0]) == pytest.approx(20.02), "lost audio: when the next would have come"
    assert float(found[-1].captured_at[0]) == pytest.approx(20.04)


def test_a_recording_was_not_captured() -> None:
    bank, ring = opened()
    ring.push(chunk(0, 1000), wait=True)
    ring.push(chunk(1300, 1000), wait=True)
    assert all(float(b.captured_at[0]) == 0.0 for b in drained(bank))


# Rows.


@pytest.mark.parametrize(("first", "channels"), [(0, 0), (0, 4), (3, 1), (2, 2), (-1, 1)])
def test_rows_that_are_not_there(first: int, channels: int) -> None:
    with pytest.raises(ValueError, match="rows"):
        RingBank(3, ROOM_S).open(first, channels)


def test_rows_that_were_given_back_begin_anew() -> None:
    bank, old = opened(capacity_s=0.1)
    old.push(chunk(77, bank.capacity + 100), wait=False)
    bank.release(old)
    assert bank.take(0.0) is None
    new = bank.open(0, 1)
    old.push(chunk(5000, BLOCK), wait=False)
    new.push(chunk(0, BLOCK), wait=False)
    (blocks,) = drained(bank)
    assert len(heard(blocks)) == BLOCK
    assert int(blocks.end[0]) == BLOCK
    assert new.lost == 0


def test_sources_whose_clocks_drift_apart_do_not_wait_for_each_other() -> None:
    """A minute of two devices, one of which runs 1 % fast (sound cards differ by 0.02 %): nothing piles up."""
    bank = RingBank(2, 1.0)
    slow, fast = bank.claim([1, 1])
    sent, ends = [0, 0], [0, 0]
    for tick in range(6000):
        for i, (ring, n) in enumerate(((slow, 160), (fast, 161 + (tick % 5 < 3)))):
            ring.push(Chunk(np.zeros((1, n), np.float32), sent[i], 1.0), wait=False)
            sent[i] += n
        while (blocks := bank.take(0.0)) is not None:
            for row, end in zip(blocks.rows, blocks.end, strict=True):
                ends[row] = int(end)
        assert max(slow.fill, fast.fill) < BLOCK
    assert sent == [960_000, 969_600]
    assert [s - e for s, e in zip(sent, ends, strict=True)] == [slow.fill, fast.fill], "each counts by its own clock"
    assert slow.lost == fast.lost == 0


def test_which_share_of_the_rows_waits() -> None:
    bank = RingBank(8, ROOM_S)
    rings = [bank.claim([1])[0] for _ in range(4)]
    assert bank.behind == 0.0
    for ring in rings[:3]:
        ring.push(chunk(0, 10 * BLOCK), wait=False)
    rings[3].push(chunk(0, 9 * BLOCK), wait=False)
    assert bank.behind == 0.75
    bank.release(rings[0])
    assert bank.behind == pytest.approx(2 / 3)
    drained(bank)
    assert bank.behind == 0.0


def test_what_is_concealed_is_heard_marked_in_its_place_and_counted_once() -> None:
    bank, ring = opened(capacity_s=10 * BLOCK / SAMPLE_RATE)
    rng = np.random.default_rng(4)
    at, made_up, counted = 0, np.zeros(0, np.bool_), 0
    for turn in range(60):
        marks = rng.random(500) < 0.3 if turn % 3 else np.zeros(500, np.bool_)
        whole = samples(at, 500)
        ring.push(Chunk(whole, at, 0.0, concealed=marks[None] if marks.any() else None), wait=False)
        at, made_up, counted = at + 500, np.concatenate([made_up, marks]), counted + int(marks.sum())
        assert ring.lost == counted
        for blocks in drained(bank):
            end = int(blocks.end[0])
            assert np.array_equal(blocks.samples[0], samples(end - BLOCK, BLOCK)[0])
            found = np.zeros(BLOCK, np.bool_) if blocks.concealed is None else blocks.concealed[0]
            assert np.array_equal(found, made_up[end - BLOCK : end])
    assert counted > 1000


def test_what_is_concealed_and_then_overwritten_is_lost_once() -> None:
    bank, ring = opened(capacity_s=GIVEN_UP * BLOCK / SAMPLE_RATE)
    ring.push(Chunk(samples(0, BLOCK), 0, 0.0, concealed=np.ones((1, BLOCK), np.bool_)), wait=False)
    ring.push(chunk(BLOCK, GIVEN_UP * BLOCK), wait=False)
    assert ring.lost == BLOCK
    assert all(blocks.concealed is None for blocks in drained(bank))


@given(st.lists(st.tuples(st.integers(1, 900), st.sampled_from([0, 0, 0, 7, 4000])), min_size=1, max_size=60))
def test_blocks_know_their_place_however_often_the_clock_jumps(steps: list[tuple[int, int]]) -> None:
    """Read as they come, in a ring that goes round many times."""
    bank, ring = opened(0.1)
    at = 0
    for size, jump in steps:
        at += jump
        ring.skip(jump)
        ring.push(chunk(at, size), wait=False)
        at += size
        found = drained(bank)
        for blocks in found[1:]:
            assert len(heard(blocks)) == BLOCK or jump
    assert ring.lost == 0
