"""The bounded buffer between capture and scoring: one row a channel, all rows in one array.

Writers are the capture threads, the reader is the scoring loop. The channels of one source are written and read
together. A live writer that finds its rows full overwrites the oldest audio, which is counted and shows as lost;
a recording waits instead. Lost audio is NaN in what is read, invalid samples are infinite: neither is evidence.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, SAMPLE_RATE
from monitor.types import Audio, Chunk

LONGEST_FILL = SAMPLE_RATE // 2
"""Samples of lost audio that are filled in; of a longer gap the rest is skipped."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """One block of each row that had one. rows: int64 (M,). samples: float32 (M, BLOCK). end: int64 (M,), index
    after the last sample on the stream's clock. captured_at: float64 (M,), monotonic seconds, 0.0 for recordings.
    """

    rows: NDArray[np.int64]
    samples: Audio
    end: NDArray[np.int64]
    captured_at: NDArray[np.float64]


class Ring:
    """The rows of one source in a bank; made by RingBank.open()."""

    def __init__(self, bank: RingBank, rows: slice) -> None:
        self.rows = rows
        self.lost = 0
        """Samples lost on the way in or overwritten."""
        self.invalid = 0
        """Samples that were not finite."""
        self.closed = False
        self._bank = bank
        self._next: int | None = None

    def push(self, chunk: Chunk, *, wait: bool) -> None:
        """Append a chunk; a jump of its start is filled with lost audio. wait: block while full, lose nothing."""
        samples = chunk.samples
        finite = np.isfinite(samples)
        if not finite.all():
            self.invalid += int((~finite).any(axis=0).sum())
            samples = np.where(finite, samples, np.float32(np.inf))
        bank = self._bank
        step = bank.capacity // 2
        with bank.changed:
            self._bridge(chunk.start)
            for at in range(0, samples.shape[1], step):
                self._append(samples[:, at : at + step], chunk.captured_at, wait)
            bank.changed.notify_all()

    def _bridge(self, start: int) -> None:
        """Mark what is missing between the audio held and `start`."""
        bank, written = self._bank, int(self._bank.written[self.rows.start])
        if self._next is None:
            bank.origin[self.rows] = start - written
            self._next = start
        missing = start - self._next
        if missing <= 0:
            return
        self.lost += missing
        fill = missing if missing <= LONGEST_FILL else LONGEST_FILL // BLOCK * BLOCK
        channels = self.rows.stop - self.rows.start
        self._append(np.full((channels, fill), np.nan, np.float32), float(bank.captured[self.rows.start]), wait=False)
        if missing > fill:
            bank.jump_at[self.rows] = bank.written[self.rows]
            bank.jump[self.rows] += missing - fill
        self._next = start

    def _append(self, samples: Audio, captured_at: float, wait: bool) -> None:
        bank, rows, n = self._bank, self.rows, samples.shape[1]
        written = int(bank.written[rows.start])
        while wait and not self.closed and written + n - int(bank.read[rows.start]) > bank.capacity:
            bank.changed.notify_all()
            bank.changed.wait(0.1)
        over = written + n - bank.capacity - int(bank.read[rows.start])
        first = written % bank.capacity
        head = min(n, bank.capacity - first)
        bank.audio[rows, first : first + head] = samples[:, :head]
        bank.audio[rows, : n - head] = samples[:, head:]
        bank.written[rows] = written + n
        bank.captured[rows] = captured_at
        if over > 0:
            self._overwritten(-(-over // BLOCK) * BLOCK)
        self._next = (self._next or 0) + n

    def _overwritten(self, samples: int) -> None:
        """Move the reader past audio that is gone; the next block says so by a lost sample."""
        bank = self._bank
        bank.read[self.rows] += samples
        self.lost += samples
        bank.audio[self.rows, int(bank.read[self.rows.start]) % bank.capacity] = np.nan

    @property
    def written(self) -> int:
        """Samples written so far, filled gaps included."""
        return int(self._bank.written[self.rows.start])

    @property
    def fill(self) -> int:
        """Samples that wait to be scored."""
        return int(self._bank.written[self.rows.start] - self._bank.read[self.rows.start])

    def finish(self) -> None:
        """No more audio comes; whole blocks that are held are still read."""
        with self._bank.changed:
            self.closed = True
            self._bank.changed.notify_all()


class RingBank:
    """Rows of `capacity_s` seconds for up to `rows` channels."""

    def __init__(self, rows: int, capacity_s: float) -> None:
        self.capacity = max(2, round(capacity_s * SAMPLE_RATE / BLOCK)) * BLOCK
        self.audio: Audio = np.zeros((rows, self.capacity), dtype=np.float32)
        self.written = np.zeros(rows, dtype=np.int64)
        self.read = np.zeros(rows, dtype=np.int64)
        self.origin = np.zeros(rows, dtype=np.int64)
        """Index on the stream's clock of a row's first sample written, moved on by what was skipped of long gaps."""
        self.jump = np.zeros(rows, dtype=np.int64)
        self.jump_at = np.zeros(rows, dtype=np.int64)
        """Samples to move the origin by, once the reader has come to a place (in samples written)."""
        self.captured = np.zeros(rows, dtype=np.float64)
        """When the newest sample of a row was there, monotonic seconds."""
        self.changed = threading.Condition()

    def open(self, first_row: int, channels: int) -> Ring:
        """The ring of a source on rows that are free. Raises ValueError where there are no such rows."""
        rows = slice(first_row, first_row + channels)
        if channels < 1 or rows.stop > len(self.written):
            raise ValueError(f"rows {rows.start} to {rows.stop} of {len(self.written)}")
        for array in (self.written, self.read, self.origin, self.jump, self.captured):
            array[rows] = 0
        return Ring(self, rows)

    def release(self, ring: Ring) -> None:
        """Give the rows back."""
        with self.changed:
            self.written[ring.rows] = self.read[ring.rows] = 0

    def take(self, timeout_s: float) -> Blocks | None:
        """The next block of every row that has one, or None after timeout_s or when woken without any."""
        with self.changed:
            ready = np.flatnonzero(self.written - self.read >= BLOCK)
            if not len(ready):
                self.changed.wait(timeout_s)
                ready = np.flatnonzero(self.written - self.read >= BLOCK)
                if not len(ready):
                    return None
            position = self.read[ready]
            blocks = self.audio.reshape(len(self.audio), -1, BLOCK)
            samples = blocks[ready, position % self.capacity // BLOCK]
            end = position + BLOCK
            self.read[ready] = end
            passed = (self.jump != 0) & (self.read > self.jump_at)
            self.origin[passed] += self.jump[passed]
            self.jump[passed] = 0
            newest = self.captured[ready]
            age = (self.written[ready] - end) / SAMPLE_RATE
            self.changed.notify_all()
            return Blocks(ready, samples, end + self.origin[ready], np.where(newest > 0, newest - age, 0.0))
