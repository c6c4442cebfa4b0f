"""The bounded buffer between capture and scoring: one row a channel, all rows in one array.

Writers are the capture threads, the reader is the scoring loop. The channels of one source are written and read
together. A live writer that finds its rows full overwrites the oldest audio, which is counted and shows as lost;
a recording waits instead. Lost audio is NaN in what is read, invalid samples are infinite: neither is evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Audio, Blocks, Chunk, Marks, all_finite

LONGEST_FILL = SAMPLE_RATE // 2
"""Samples of lost audio that are filled in; of a longer gap the rest is skipped."""
MOST_PASSED = 4
"""Turns in a row in which a row with few blocks may be passed over."""


class Ring:
    """The rows of one source in a bank; made by RingBank.open()."""

    def __init__(self, bank: RingBank, rows: slice) -> None:
        self.rows = rows
        self.lost = 0
        """Samples lost on the way in or overwritten, each once."""
        self.invalid = 0
        """Samples that were not finite."""
        self.closed = False
        self._bank = bank
        self._clock: int | None = None
        """Index after the newest sample on the source's clock."""

    def push(self, chunk: Chunk, *, wait: bool) -> None:
        """Append a chunk; a jump of its start is filled with lost audio. wait: block while full, lose nothing.

        What comes after finish() is not taken.
        """
        samples = chunk.samples
        if not all_finite(samples):
            finite = np.isfinite(samples)
            self.invalid += int((~finite).any(axis=0).sum())
            samples = np.where(finite, samples, np.float32(np.inf))
        if chunk.lost is not None:
            samples = np.where(chunk.lost, np.float32(np.nan), samples)
        with self._bank.changed:
            self._bridge(chunk, wait)
            lost = [marks for marks in (chunk.lost, chunk.concealed) if marks is not None]
            if lost:
                self.lost += int(np.any(lost, axis=(0, 1)).sum())
            self._append(samples, chunk.captured_at, wait, chunk.concealed)
            self._bank.changed.notify_all()

    def skip(self, samples: int) -> None:
        """Move the clock: for so long the source had nothing to say, and nothing was lost."""
        with self._bank.changed:
            if self._clock is not None:
                self._clock += samples

    def _bridge(self, chunk: Chunk, wait: bool) -> None:
        """Mark what is missing between the audio held and the chunk."""
        if self._clock is None:
            self._clock = chunk.start
        missing = chunk.start - self._clock
        if missing <= 0 or self.closed:
            return
        self.lost += missing
        fill = missing if missing <= LONGEST_FILL else LONGEST_FILL // BLOCK * BLOCK
        lost = np.full((self.rows.stop - self.rows.start, fill), np.nan, np.float32)
        self._append(lost, _earlier(chunk.captured_at, chunk.samples.shape[1]), wait)
        self._clock = chunk.start

    def _append(self, samples: Audio, captured_at: float, wait: bool, concealed: Marks | None = None) -> None:
        n, step = samples.shape[1], self._bank.capacity // 2
        if n <= step:
            self._write(samples, captured_at, wait, concealed)
            return
        for at in range(0, n, step):
            piece = samples[:, at : at + step]
            marks = None if concealed is None else concealed[:, at : at + step]
            self._write(piece, _earlier(captured_at, n - at - piece.shape[1]), wait, marks)

    def _write(self, samples: Audio, captured_at: float, wait: bool, concealed: Marks | None) -> None:
        """At most half of the capacity at once. captured_at: of the last sample."""
        bank, rows, n = self._bank, self.rows, samples.shape[1]
        written = int(bank.written[rows.start])
        while wait and not self.closed and written + n - int(bank.read[rows.start]) > bank.capacity:
            bank.changed.notify_all()
            bank.changed.wait(0.1)
        if self.closed:
            return
        over = written + n - bank.capacity - int(bank.read[rows.start])
        if over > 0:
            self._give_up(-(-over // BLOCK) * BLOCK)
        first = written % bank.capacity
        _wrap(bank.audio[rows], first, samples)
        if concealed is not None:
            _wrap(bank.concealed[rows], first, concealed)
            bank.concealed_to[rows] = written + n
        elif written < bank.concealed_to[rows.start] + bank.capacity:  # marks of a lap ago may stand there
            _wrap(bank.concealed[rows], first, np.zeros(samples.shape, np.bool_))
        self._stamp(written, n, captured_at)
        if not wait:
            bank.came += n
        bank.written[rows] = written + n

    def _stamp(self, written: int, n: int, captured_at: float) -> None:
        """Note for each block that gets some of these samples where it is on the clock and when it was there."""
        bank, clock = self._bank, self._clock or 0
        for block in range(written // BLOCK, (written + n - 1) // BLOCK + 1):
            slot, after = block % bank.slots, written + n - (block + 1) * BLOCK
            bank.origin[self.rows, slot] = clock - written
            bank.captured[self.rows, slot] = captured_at - after / SAMPLE_RATE if captured_at else 0.0
        self._clock = clock + n

    def _give_up(self, samples: int) -> None:
        """Move the reader past audio that will be overwritten; the next block says so by a lost sample."""
        bank, row = self._bank, self.rows.start
        going = np.arange(bank.read[row], bank.read[row] + samples) % bank.capacity
        overwritten = int(np.count_nonzero(~np.isnan(bank.audio[row, going]) & ~bank.concealed[row, going]))
        self.lost += overwritten
        bank.overwritten += overwritten
        bank.read[self.rows] += samples
        bank.torn[self.rows] = True

    def take(self, count: int) -> Blocks:
        """The next blocks of a recording, which has so many."""
        bank, rows = self._bank, self.rows
        with bank.changed:
            read = int(bank.read[rows.start])
            slots = (read // BLOCK + np.arange(count)) % bank.slots
            every = np.arange(rows.start, rows.stop)
            samples = bank.audio.reshape(len(bank.audio), bank.slots, BLOCK)[every, slots[:, None]]
            end = read + BLOCK * np.arange(1, count + 1) + bank.origin[rows.start, slots]
            concealed = None
            if read < bank.concealed_to[rows.start]:
                concealed = bank.concealed.reshape(len(bank.audio), bank.slots, BLOCK)[every, slots[:, None]]
                concealed = concealed.reshape(-1, BLOCK)
            bank.read[rows] = read + count * BLOCK
            bank.changed.notify_all()
        size = count * len(every)
        return Blocks(
            np.tile(every, count),
            samples.reshape(size, BLOCK),
            np.repeat(end, len(every)),
            np.zeros(size),
            concealed,
            turns=count,
        )

    @property
    def written(self) -> int:
        """Return the samples written so far, filled gaps included."""
        return int(self._bank.written[self.rows.start])

    @property
    def read(self) -> int:
        """Samples that were taken to be scored."""
        return int(self._bank.read[self.rows.start])

    @property
    def fill(self) -> int:
        """Return the samples that wait to be scored."""
        return int(self._bank.written[self.rows.start] - self._bank.read[self.rows.start])

    def heard_since(self, written: int) -> tuple[Audio, int]:
        """Return what was written after that and is still held, (channels, n), and `written` now; takes nothing
        away."""
        bank = self._bank
        with bank.changed:
            now = self.written
            places = np.arange(max(0, written, now - bank.capacity), now) % bank.capacity
            return bank.audio[self.rows][:, places], now

    def finish(self) -> None:
        """No more audio comes; whole blocks that are held are still read."""
        with self._bank.changed:
            self.closed = True
            self._bank.changed.notify_all()


def _wrap(ring: NDArray[Any], first: int, values: NDArray[Any]) -> None:
    """Write values (channels, n) into a ring (channels, capacity) from `first` on, and on from its beginning."""
    head = min(values.shape[1], ring.shape[1] - first)
    ring[:, first : first + head] = values[:, :head]
    if head < values.shape[1]:
        ring[:, : values.shape[1] - head] = values[:, head:]


def _earlier(captured_at: float, samples: int) -> float:
    """Return when the sample was there that came so many before; 0.0 stays 0.0."""
    return captured_at - samples / SAMPLE_RATE if captured_at else 0.0


def _first_free(busy: NDArray[np.bool_], count: int) -> int:
    """Return where so many rows in a row are free. Raises ValueError."""
    free = np.convolve(busy, np.ones(count), "valid") == 0 if count <= len(busy) else np.zeros(0, np.bool_)
    if not free.any():
        raise ValueError(f"no {count} rows of {len(busy)} are free")
    return int(np.argmax(free))


class RingBank:
    """Rows of `capacity_s` seconds for up to `rows` channels."""

    def __init__(self, rows: int, capacity_s: float) -> None:
        self.slots = max(2, round(capacity_s * SAMPLE_RATE / BLOCK))
        self.capacity = self.slots * BLOCK
        self.audio: Audio = np.zeros((rows, self.capacity), dtype=np.float32)
        self.concealed: Marks = np.zeros((rows, self.capacity), dtype=np.bool_)
        self.concealed_to = np.full(rows, -self.capacity)
        """Nothing that was written from there on is concealed; a lap later no mark is left."""
        self.written = np.zeros(rows, dtype=np.int64)
        self.read = np.zeros(rows, dtype=np.int64)
        self.torn = np.zeros(rows, dtype=np.bool_)
        """Audio before the next block to be read was overwritten."""
        self.origin = np.zeros((rows, self.slots), dtype=np.int64)
        """Of each block held: what to add to a place in samples written to get that on the source's clock."""
        self.captured = np.zeros((rows, self.slots), dtype=np.float64)
        """Of each block held: when its last sample was there, monotonic seconds."""
        self.came = self.overwritten = 0
        """Samples of live audio of all rings so far, and those of them that were lost because nobody read in time."""
        self.changed = threading.Condition()
        self._busy = np.zeros(rows, dtype=np.bool_)
        self._passed = np.zeros(rows, dtype=np.int64)
        """How often the blocks that wait in a row were left while others were taken."""

    @property
    def behind(self) -> float:
        """Share of the rows in use with more to catch up with than comes while a server rests that is in time."""
        return self.share_waiting(9 * BLOCK)

    def share_waiting(self, samples: int) -> float:
        """Share of the rows in use in which more than so many samples wait: 0 to 1."""
        used = np.count_nonzero(self._busy)
        return int(np.count_nonzero(self.written - self.read > samples)) / used if used else 0.0

    def claim(self, channels: Sequence[int]) -> list[Ring]:
        """Rings of so many channels, on free rows that follow each other. Raises ValueError where there are none."""
        with self.changed:
            firsts = _first_free(self._busy, sum(channels)) + np.cumsum([0, *channels])
            return [self.open(int(at), n) for at, n in zip(firsts, channels, strict=False)]

    def open(self, first_row: int, channels: int) -> Ring:
        """Return the ring of a source on rows that are free. Raises ValueError where there are no such rows."""
        rows = slice(first_row, first_row + channels)
        if first_row < 0 or channels < 1 or rows.stop > len(self.written):
            raise ValueError(f"rows {rows.start} to {rows.stop} of {len(self.written)}")
        with self.changed:
            self.written[rows] = self.read[rows] = 0
            if (self.concealed_to[rows] > -self.capacity).any():
                self.concealed[rows] = False
                self.concealed_to[rows] = -self.capacity
            self.torn[rows] = False
            self._busy[rows] = True
        return Ring(self, rows)

    def release(self, ring: Ring) -> None:
        """Give the rows back; the ring takes nothing more."""
        with self.changed:
            ring.closed = True
            self.written[ring.rows] = self.read[ring.rows] = 0
            self._busy[ring.rows] = False
            self.changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Until something has changed, where no block waits."""
        with self.changed:
            if not (self.written - self.read >= BLOCK).any():
                self.changed.wait(timeout_s)

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
        with self.changed:
            waiting = (self.written - self.read) // BLOCK
            if not waiting.any():
                self.changed.wait(timeout_s)
                waiting = (self.written - self.read) // BLOCK
            some = np.count_nonzero(waiting)
            if not some:
                return []
            count = next((n for n in counts if 2 * np.count_nonzero(waiting >= n) >= some), 1)
            if (self._passed[waiting > 0] >= MOST_PASSED).any():
                count = 1
            ready = np.flatnonzero(waiting >= count)
            self._passed += 1
            self._passed[ready] = 0
            self._passed[waiting == 0] = 0
            taken = [self._next(ready) for _ in range(count)]
            self.changed.notify_all()
            return taken

    def _next(self, ready: NDArray[np.int64]) -> Blocks:
        """Return one block of each of these rows."""
        position = self.read[ready]
        slots = position // BLOCK % self.slots
        samples = self.audio.reshape(len(self.audio), self.slots, BLOCK)[ready, slots]
        torn = self.torn[ready]
        if torn.any():
            samples[torn, 0] = np.nan
            self.torn[ready] = False
        end = position + BLOCK + self.origin[ready, slots]
        captured_at = self.captured[ready, slots]
        concealed = None
        if (position < self.concealed_to[ready]).any():
            concealed = self.concealed.reshape(len(self.audio), self.slots, BLOCK)[ready, slots]
        self.read[ready] = position + BLOCK
        return Blocks(ready, samples, end, captured_at, concealed)
