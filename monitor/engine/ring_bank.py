"""The bounded buffer between capture and scoring: one row a channel, all rows in one array.

Writers are the capture threads, through the rings of their sources (ring.py); the reader is the scoring loop.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Audio, Blocks, Marks, Runs
from monitor.engine.ring import Ring
from monitor.engine.ring_samples import mark_invalid
from monitor.scoring.rows import Ints, as_slice

MOST_PASSED = 4
"""Turns in a row in which a row with few blocks may be passed over."""
FEWER, KEPT = 0.1, 2
"""Share of the rows that may have fewer blocks than the others where these are taken together; blocks that a row may
keep then."""
MOST_BLOCKS, ALWAYS = 2048, 4
"""Blocks of all rows that are taken at once: more cost no less each, and memory. So many of each may be in any case."""


class RingBank:
    """Rows of `capacity_s` seconds for up to `rows` channels."""

    def __init__(self, rows: int, capacity_s: float) -> None:
        self.slots = max(2, round(capacity_s * SAMPLE_RATE / BLOCK))
        self.capacity = self.slots * BLOCK
        self.audio: Audio = np.zeros((rows, self.capacity), dtype=np.float32)
        self.concealed: Marks = np.zeros((rows, self.capacity), dtype=np.bool_)
        self.any_concealed = self.any_overrun = False
        self._blocks = self.audio.reshape(rows, self.slots, BLOCK)
        self.concealed_to = np.full(rows, -self.capacity)
        """Nothing that was written from there on is concealed; a lap later no mark is left."""
        self.written = np.zeros(rows, dtype=np.int64)
        self.read = np.zeros(rows, dtype=np.int64)
        self.unscored = np.zeros(rows, dtype=np.int64)
        """Samples that were taken and whose scores have not come yet, as from the shards of a cluster."""
        self.overrun = np.zeros(rows, dtype=np.bool_)
        """Audio before the next block to be read was overwritten."""
        self.origin = np.zeros((rows, self.slots), dtype=np.int64)
        """For each block held: what to add to a place in samples written to get that on the source's clock."""
        self.captured = np.zeros((rows, self.slots), dtype=np.float64)
        """For each block held: when its last sample was there, monotonic seconds."""
        self.came = self.overwritten = 0
        """Samples of live audio of all rings so far, and those of them that were lost because nobody read in time."""
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.waiting_threads = 0
        """While there are none nobody need be woken, which costs more than to ask."""
        self.pending: set[Ring] = set()
        """Rings of which more than scores is to be reported: a condition, or their end."""
        self._busy = np.zeros(rows, dtype=np.bool_)
        self._passed = np.zeros(rows, dtype=np.int64)
        """How often the blocks that wait in a row were left while others were taken."""

    @property
    def behind(self) -> float:
        """Share of the rows in use with more to catch up with than comes while a server rests that is in time."""
        return self.share_waiting(9 * BLOCK)

    def share_waiting(self, samples: int) -> float:
        """Share of the rows in use in which more than so many samples have no score yet: 0 to 1."""
        used = np.count_nonzero(self._busy)
        late = (self.written - self.read + self.unscored > samples) & self._busy
        return int(np.count_nonzero(late)) / used if used else 0.0

    def claim(self, channels: Sequence[int]) -> list[Ring]:
        """Return rings of so many channels, on free rows that follow each other. Raises ValueError where there are
        none.
        """
        with self.changed:
            firsts = _first_free(self._busy, sum(channels)) + np.cumsum([0, *channels])
            return [self.open(int(at), n) for at, n in zip(firsts, channels, strict=False)]

    def open(self, first_row: int, channels: int) -> Ring:
        """Return the ring of a source on rows that are free. Raises ValueError where there are no such rows."""
        rows = slice(first_row, first_row + channels)
        if first_row < 0 or channels < 1 or rows.stop > len(self.written):
            raise ValueError(f"rows {rows.start} to {rows.stop} of {len(self.written)}")
        with self.changed:
            self.written[rows] = self.read[rows] = self.unscored[rows] = 0
            if (self.concealed_to[rows] > -self.capacity).any():
                self.concealed[rows] = False
                self.concealed_to[rows] = -self.capacity
            self.overrun[rows] = False
            self._busy[rows] = True
        return Ring(self, rows)

    def release(self, ring: Ring) -> None:
        """Give the rows back; the ring takes nothing more."""
        with self.changed:
            ring.close()
            self.pending.discard(ring)
            self.written[ring.rows] = self.read[ring.rows] = 0
            self._busy[ring.rows] = False
            self.changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait until something has changed, where no block waits."""
        with self.changed:
            if not (self.written - self.read >= BLOCK).any():
                self.wait_for_change(timeout_s)

    def wait_for_change(self, timeout_s: float) -> None:
        """Wait for a change; belongs under the lock."""
        self.waiting_threads += 1
        try:
            self.changed.wait(timeout_s)
        finally:
            self.waiting_threads -= 1

    def take(self, timeout_s: float) -> Blocks | None:
        """Return the next block of every row that has one, or None after timeout_s or when woken without any."""
        taken = self.take_several(timeout_s, ())
        return taken[0] if taken else None

    def take_several(self, timeout_s: float, counts: Sequence[int]) -> list[Blocks]:
        """Return the next blocks of rows that have some, the same rows in each; [] after timeout_s or when woken
        without any.

        counts: how many it may be at once beside 1, largest first. It is the first that half of the rows that have any
        have, and those rows alone; nobody is passed over more than MOST_PASSED times, as a call that has ended with
        less would be for ever.
        """
        with self.lock:
            waiting = (self.written - self.read) // BLOCK
            some = waiting.nonzero()[0]
            if not len(some):
                self.wait_for_change(timeout_s)
                waiting = (self.written - self.read) // BLOCK
                some = waiting.nonzero()[0]
                if not len(some):
                    return []
            ready, count = some, 1
            if counts and waiting.max() > 1:
                count = self._count(waiting, some, counts)
                ready = (waiting >= count).nonzero()[0]
            taken = [self._next(ready) for _ in range(count)]
            self.changed.notify_all()
            return taken

    def _count(self, waiting: Ints, some: Ints, counts: Sequence[int]) -> int:
        """Return how many blocks are taken at once, and note which of the rows that have `some` are passed over."""
        most = max(ALWAYS, MOST_BLOCKS // len(some))
        count = next((n for n in counts if n <= most and 2 * np.count_nonzero(waiting >= n) >= len(some)), 1)
        if (self._passed[some] >= MOST_PASSED).any():
            count = 1
        passed = (waiting > 0) & (waiting < count)
        self._passed = np.where(passed, self._passed + 1, 0)
        return count

    def take_waiting(self, rows: Ints, most: int) -> Runs:
        """Return the blocks that wait in some rows, at most so many of each, and of nearly all rows as many, so that
        they can be scored together. They count as unscored until scored() is said. Waits for nothing.
        """
        with self.changed:
            counts = _alike(np.minimum((self.written[rows] - self.read[rows]) // BLOCK, most))
            rows, counts = rows[counts > 0], counts[counts > 0]
            firsts = np.cumsum(counts) - counts
            each = np.repeat(rows, counts)
            position = self.read[each] + BLOCK * (np.arange(len(each)) - np.repeat(firsts, counts))
            held = self._held(each, position)
            if self.any_overrun:
                held[0][firsts[self.overrun[rows]], 0] = np.nan
                self._clear_overrun(rows)
            self.read[rows] += counts * BLOCK
            self.unscored[rows] += counts * BLOCK
            self.changed.notify_all()
        return Runs(rows, counts, *held)

    def scored(self, rows: Ints) -> None:
        """Note that the scores of one block of each row have come."""
        self.unscored[rows] -= BLOCK

    def _next(self, ready: Ints) -> Blocks:
        """Return one block of each of these rows."""
        rows = as_slice(ready)
        held = self._held(ready, self.read[rows].copy())
        if self.any_overrun:
            held[0][self.overrun[ready], 0] = np.nan
            self._clear_overrun(ready)
        self.read[rows] += BLOCK
        return Blocks(ready, *held)

    def _clear_overrun(self, rows: Ints) -> None:
        self.overrun[rows] = False
        self.any_overrun = bool(self.overrun.any())

    def _held(self, rows: Ints, position: Ints) -> tuple[Audio, Ints, NDArray[np.float64], Marks | None]:
        """Return copies of the blocks at these places, with what Blocks has beside them."""
        slots = position // BLOCK % self.slots
        samples = self._blocks[rows, slots]
        mark_invalid(samples)
        end = position + BLOCK + self.origin[rows, slots]
        concealed = None
        if self.any_concealed and (position < self.concealed_to[rows]).any():
            concealed = self.concealed.reshape(len(self.audio), self.slots, BLOCK)[rows, slots]
        return samples, end, self.captured[rows, slots], concealed


def _alike(waiting: Ints) -> Ints:
    """Return how many blocks to take of rows in which so many wait (M,): as many as nearly all have. The others keep
    a block or two for the next time, when most have as many again; those that are further behind catch up.
    """
    if not waiting.any():
        return waiting
    count = np.quantile(waiting[waiting > 0], FEWER, method="lower")
    return np.where(waiting > count + KEPT, waiting, np.minimum(waiting, count))


def _first_free(busy: NDArray[np.bool_], count: int) -> int:
    """Return where so many rows in a row are free. Raises ValueError."""
    free = np.convolve(busy, np.ones(count), "valid") == 0 if count <= len(busy) else np.zeros(0, np.bool_)
    if not free.any():
        raise ValueError(f"no {count} rows of {len(busy)} are free")
    return int(np.argmax(free))
