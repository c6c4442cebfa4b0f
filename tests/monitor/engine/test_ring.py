"""The ring: what goes in comes out in blocks, in order, with its place in time; what is lost is counted once."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from ring_audio import ROOM_S, chunk, drained, heard, opened, samples

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Blocks, Chunk
from monitor.engine import ring_bank
from monitor.engine.ring import GIVEN_UP, LONGEST_FILL, Ring
from monitor.engine.ring_bank import MOST_PASSED, RingBank

JOIN_S = 30.0


# What goes in comes out.


@given(st.lists(st.integers(0, 1500), min_size=1, max_size=12), st.integers(0, 10_000))
def test_any_split_gives_the_same_blocks(sizes: list[int], begin: int) -> None:
    bank, ring = opened()
    at = begin
    for size in sizes:
        ring.push(chunk(at, size), wait=False)
        at += size
    found = drained(bank)
    total = sum(sizes)
    assert [int(b.end[0]) for b in found] == [begin + BLOCK * (i + 1) for i in range(total // BLOCK)]
    whole = samples(begin, total // BLOCK * BLOCK)
    assert np.array_equal(np.concatenate([b.samples for b in found], 1) if found else whole[:, :0], whole)
    assert (ring.lost, ring.written, ring.fill) == (0, total, total % BLOCK)


def test_channels_of_a_source_stay_in_step() -> None:
    bank, ring = opened(channels=2)
    for at in range(0, 5 * BLOCK, 100):
        ring.push(chunk(at, 100, channels=2), wait=False)
    found = drained(bank)
    assert len(found) == 5
    for blocks in found:
        assert blocks.rows.tolist() == [0, 1]
        assert blocks.end[0] == blocks.end[1]
        assert np.array_equal(blocks.samples[0], -blocks.samples[1])


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_what_waits_is_taken_together_by_those_that_have_it(blocks: list[int]) -> None:
    bank = RingBank(3, ROOM_S)
    rings = [bank.open(row, 1) for row in range(3)]
    for ring, n in zip(rings, blocks, strict=True):
        ring.push(chunk(0, n * BLOCK + 5), wait=False)
    ends: list[list[int]] = [[], [], []]
    left = list(blocks)
    while several := bank.take_several(0.0, (4, 2)):
        having = [n for n in left if n]
        most = next((k for k in (4, 2) if 2 * sum(n >= k for n in having) >= len(having)), 1)
        assert len(several) == most
        assert several[0].rows.tolist() == [row for row, n in enumerate(left) if n >= most]
        for taken in several:
            assert taken.rows.tolist() == several[0].rows.tolist()
            for i, row in enumerate(taken.rows.tolist()):
                end = int(taken.end[i])
                assert np.array_equal(taken.samples[i], samples(end - BLOCK, BLOCK)[0])
                ends[row].append(end)
        left = [n - most if n >= most else n for n in left]
    assert ends == [[BLOCK * (i + 1) for i in range(n)] for n in blocks]


def test_a_call_that_ended_with_less_than_the_others_have_is_not_passed_over_for_ever() -> None:
    bank = RingBank(3, ROOM_S)
    ended, *others = [bank.open(row, 1) for row in range(3)]
    ended.push(chunk(0, 2 * BLOCK), wait=False)
    ended.finish()
    at = turns = 0
    while ended.fill >= BLOCK:
        for ring in others:
            ring.push(chunk(at, 4 * BLOCK), wait=False)
        at += 4 * BLOCK
        assert bank.take_several(0.0, (4, 2))
        turns += 1
    assert turns == 2 * (MOST_PASSED + 1)


def test_of_many_rows_fewer_blocks_are_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_bank, "MOST_BLOCKS", 24)
    bank = RingBank(3, 1.0)
    for row in range(3):
        bank.open(row, 1).push(chunk(0, 25 * BLOCK), wait=False)
    taken = iter(lambda: len(bank.take_several(0.0, (16, 8, 4, 2))), 0)
    assert list(taken) == [8, 8, 8, 1]


def test_sources_in_one_bank_do_not_wait_for_each_other() -> None:
    bank = RingBank(3, ROOM_S)
    one, two = bank.open(0, 1), bank.open(1, 2)
    one.push(chunk(0, BLOCK), wait=False)
    two.push(chunk(7, 2 * BLOCK, channels=2), wait=False)
    first, second = drained(bank)
    assert first.rows.tolist() == [0, 1, 2]
    assert first.end.tolist() == [BLOCK, 7 + BLOCK, 7 + BLOCK]
    assert second.rows.tolist() == [1, 2]


def test_what_is_not_finite_is_marked() -> None:
    bank, ring = opened(channels=2)
    bad = samples(0, BLOCK, 2)
    bad[0, 5], bad[1, 5], bad[1, 9] = np.nan, np.inf, -np.inf
    ring.push(Chunk(bad, 0, 0.0), wait=False)
    (blocks,) = drained(bank)
    assert np.isposinf(blocks.samples).sum(axis=1).tolist() == [1, 2]
    assert not np.isnan(blocks.samples).any(), "only lost audio is NaN"
    assert ring.lost == 0


# Lost on the way in.


@pytest.mark.parametrize("gap", [1, 160, BLOCK, 1000, LONGEST_FILL])
@pytest.mark.parametrize("before", [BLOCK, 500])
def test_a_gap_is_filled_with_lost_audio(before: int, gap: int) -> None:
    bank, ring = opened()
    ring.push(chunk(0, before), wait=False)
    ring.push(chunk(before + gap, 3 * BLOCK), wait=False)
    found = drained(bank)
    heard_samples = np.concatenate([heard(b) for b in found])
    joined = np.concatenate([b.samples[0] for b in found])
    assert np.flatnonzero(np.isnan(joined)).tolist() == list(range(before, before + gap))[: len(joined) - before]
    assert len(heard_samples) == len(joined) - gap
    assert ring.lost == gap
    assert [int(b.end[0]) for b in found] == [BLOCK * (i + 1) for i in range((before + gap + 3 * BLOCK) // BLOCK)]


@pytest.mark.parametrize("gap", [LONGEST_FILL + 1, 50_000, 3600 * SAMPLE_RATE])
@pytest.mark.parametrize("before", [BLOCK, 500])
def test_most_of_a_long_gap_is_skipped_and_the_clock_jumps(before: int, gap: int) -> None:
    bank, ring = opened()
    after = before + gap
    ring.push(Chunk(np.ones((1, before), np.float32), 0, 0.0), wait=False)
    ring.push(Chunk(np.ones((1, 3 * BLOCK), np.float32), after, 0.0), wait=False)
    found = drained(bank)
    ends = [int(b.end[0]) for b in found]
    joined = np.concatenate([b.samples[0] for b in found])
    assert np.flatnonzero(np.isnan(joined)).tolist() == list(range(before, before + LONGEST_FILL))
    assert ring.lost == gap
    skipped = gap - LONGEST_FILL
    behind = [end - BLOCK * (i + 1) for i, end in enumerate(ends)]
    assert set(behind) == {0, skipped}
    first = behind.index(skipped)
    assert BLOCK * first <= before + LONGEST_FILL < BLOCK * (first + 1), "from the first block that holds what followed"


def test_two_long_gaps_that_wait_together_each_move_the_clock() -> None:
    bank, ring = opened()
    ring.push(chunk(0, BLOCK), wait=False)
    ring.push(chunk(100_000, BLOCK), wait=False)
    ring.push(chunk(500_000, BLOCK), wait=False)
    found = [b for b in drained(bank) if len(heard(b))]
    assert [int(b.end[0]) for b in found] == [BLOCK, 100_000 + BLOCK, 500_000 + BLOCK]


def test_a_gap_is_filled_even_where_the_ring_is_shorter() -> None:
    bank, ring = opened(capacity_s=0.1)
    ring.push(chunk(0, BLOCK), wait=False)
    ring.push(chunk(BLOCK + LONGEST_FILL, BLOCK), wait=False)
    found = drained(bank)
    assert int(found[-1].end[0]) == LONGEST_FILL + 2 * BLOCK
    assert len(heard(found[-1])) == BLOCK
    assert ring.lost == LONGEST_FILL + BLOCK, "the gap, and the block that the filling overwrote"


def test_a_recording_with_a_gap_waits_too() -> None:
    bank, ring = opened(capacity_s=0.1)
    ring.push(chunk(0, bank.capacity), wait=True)
    late = chunk(bank.capacity + 1000, 4 * BLOCK)
    writer = threading.Thread(target=ring.push, args=(late,), kwargs={"wait": True}, daemon=True)
    writer.start()
    writer.join(0.2)
    assert writer.is_alive(), "the ring is full"
    found = []
    while writer.is_alive() or ring.fill >= BLOCK:
        found += [b for b in [bank.take(0.05)] if b is not None]
    assert sum(len(heard(b)) for b in found) == (bank.capacity + 1000 + 4 * BLOCK) // BLOCK * BLOCK - 1000
    assert ring.lost == 1000


# Too slow.


@pytest.mark.parametrize("extra", [1, 160, BLOCK, 2 * BLOCK, 2 * BLOCK + 1])
def test_a_full_ring_gives_up_a_part_of_it_the_oldest(extra: int) -> None:
    bank, ring = opened(capacity_s=0.2)
    for at in range(0, bank.capacity + extra, 80):
        ring.push(chunk(at, min(80, bank.capacity + extra - at)), wait=False)
    part = bank.capacity // GIVEN_UP // BLOCK * BLOCK
    gone = -(-extra // part) * part
    assert ring.lost == gone
    assert ring.fill == bank.capacity + extra - gone
    found = drained(bank)
    assert [int(b.end[0]) for b in found][:2] == [gone + BLOCK, gone + 2 * BLOCK]
    assert np.flatnonzero(np.isnan(found[0].samples[0])).tolist() == [0], "the block after the loss says so"
    assert all(len(heard(b)) == BLOCK for b in found[1:])
    ring.push(chunk(bank.capacity + extra, 2 * BLOCK), wait=False)
    assert all(len(heard(b)) == BLOCK for b in drained(bank)), "only that one"


def test_a_chunk_larger_than_the_ring_leaves_its_end() -> None:
    bank, ring = opened(capacity_s=0.1)
    n = 20 * bank.capacity + 7
    ring.push(chunk(0, n), wait=False)
    found = drained(bank)
    assert ring.lost + len(found) * BLOCK + ring.fill == n
    assert int(found[-1].end[0]) == n - n % BLOCK
    assert len(np.concatenate([heard(b) for b in found])) == len(found) * BLOCK - 1


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(0, 900), st.sampled_from([0, 0, 0, 1, 333, 2000, 9000, 40_000])),
            st.tuples(st.just("take"), st.integers(1, 4), st.just(0)),
        ),
        max_size=40,
    ),
    st.sampled_from([0.04, 0.1, 0.5]),
)
def test_every_sample_is_heard_or_lost_once_and_in_its_place(
    turns: list[tuple[str, int, int]], capacity_s: float
) -> None:
    bank, ring = opened(capacity_s)
    clock, found = 0, []
    for what, n, gap in turns:
        if what == "push":
            clock += gap if ring.written else 0
            ring.push(chunk(clock, n), wait=False)
            clock += n
        else:
            found += [b for b in (bank.take(0.0) for _ in range(n)) if b is not None]
        assert ring.fill <= bank.capacity
    found += drained(bank)
    torn = sum(bool(np.isnan(b.samples[0, 0])) and not np.isnan(b.samples[0, 1:]).all() for b in found)
    delivered = sum(len(heard(b)) for b in found)
    rest = bank.audio[0, np.arange(ring.written - ring.fill, ring.written) % bank.capacity]
    missing = clock - ring.lost - delivered - int((~np.isnan(rest)).sum())
    assert 0 <= missing <= torn, "but for one marked sample in a block after a loss"
    assert all(int(a.end[0]) + BLOCK <= int(b.end[0]) for a, b in pairwise(found))


# Recordings wait.


def consumed_while(bank: RingBank, ring: Ring, items: list[Chunk]) -> tuple[list[Blocks], threading.Thread]:
    """Push items from a thread that waits for room, while this one takes."""

    def produce() -> None:
        for item in items:
            ring.push(item, wait=True)
        ring.finish()

    producer = threading.Thread(target=produce, daemon=True)
    producer.start()
    found = []
    while not (ring.closed and ring.fill < BLOCK):
        blocks = bank.take(1.0)
        if blocks is not None:
            found.append(blocks)
    producer.join(JOIN_S)
    return found, producer


@pytest.mark.parametrize("size", [1000, 333, 160, 5000])
def test_a_waiting_writer_loses_nothing(size: int) -> None:
    bank, ring = opened(capacity_s=0.1)
    n = 300 * BLOCK
    found, producer = consumed_while(bank, ring, [chunk(at, min(size, n - at)) for at in range(0, n, size)])
    assert not producer.is_alive()
    assert [int(b.end[0]) for b in found] == [BLOCK * (i + 1) for i in range(300)]
    assert all(len(heard(b)) == BLOCK for b in found)
    assert ring.lost == 0


def test_several_writers_and_one_reader_at_speed() -> None:
    bank = RingBank(3, 0.1)
    rings = [bank.open(i, 1) for i in range(3)]
    n = 200 * BLOCK

    def produce(ring: Ring, size: int) -> None:
        for at in range(0, n, size):
            ring.push(chunk(at, min(size, n - at)), wait=True)
        ring.finish()

    writers = [
        threading.Thread(target=produce, args=pair, daemon=True) for pair in zip(rings, (160, 320, 777), strict=True)
    ]
    for writer in writers:
        writer.start()
    got: dict[int, list[NDArray[np.float32]]] = {0: [], 1: [], 2: []}
    while not all(r.closed and r.fill < BLOCK for r in rings):
        blocks = bank.take(1.0)
        for i, row in enumerate([] if blocks is None else blocks.rows.tolist()):
            got[row].append(blocks.samples[i])
    for writer in writers:
        writer.join(JOIN_S)
        assert not writer.is_alive()
    for row in range(3):
        assert np.array_equal(np.concatenate(got[row]), samples(0, n)[0])
        assert rings[row].lost == 0


def test_finish_lets_a_waiting_writer_go_and_keeps_what_is_held() -> None:
    bank, ring = opened(capacity_s=0.1)
    ring.push(chunk(0, bank.capacity), wait=True)
    writer = threading.Thread(target=ring.push, args=(chunk(bank.capacity, 4 * BLOCK),), kwargs={"wait": True})
    writer.start()
    ring.finish()
    writer.join(JOIN_S)
    assert not writer.is_alive()
    ring.push(chunk(bank.capacity + 4 * BLOCK, BLOCK), wait=False)
    found = drained(bank)
    assert np.array_equal(np.concatenate([heard(b) for b in found]), samples(0, bank.capacity)[0])
    assert ring.lost == 0


def test_a_reader_is_woken_by_a_block_and_gives_up_without_one() -> None:
    bank, ring = opened()
    assert bank.take(0.01) is None
    ring.push(chunk(0, BLOCK - 1), wait=False)
    assert bank.take(0.01) is None
    later = threading.Timer(0.05, ring.push, args=(chunk(BLOCK - 1, 1),), kwargs={"wait": False})
    later.start()
    blocks = bank.take(JOIN_S)
    later.join(JOIN_S)
    assert blocks is not None
    assert int(blocks.end[0]) == BLOCK
