"""One source's rows of the buffer between capture and scoring (ring_bank.py).

The channels of one source are written and read together. A live writer that finds its rows full overwrites the oldest
audio, which is counted and shows as lost; a recording waits instead. Lost audio is NaN in what is read, invalid samples
are infinite: neither is evidence. Whether samples are finite is asked of all that is read together, not of each packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Audio, Blocks, Chunk, Marks
from monitor.engine.ring_samples import LOST, LOST_BITS, earlier, mark_invalid, write_wrapped

if TYPE_CHECKING:
    from monitor.engine.ring_bank import RingBank

LONGEST_FILL = SAMPLE_RATE // 2
"""Samples of lost audio that are filled in; of a longer gap the rest is skipped."""
ONE_BLOCK = (1, BLOCK)
GIVEN_UP = 4
"""One part in so many of a full ring is given up at once: every loss takes the scorer more time and spoils the evidence
around it, however short it is.
"""


class Ring:
    """The rows of one source in a bank; made by RingBank.open()."""

    def __init__(self, bank: RingBank, rows: slice) -> None:
        self.rows = rows
        self.lost = 0
        """Samples lost on the way in or overwritten, each once."""
        self.closed = False
        self._bank = bank
        # Views of the bank's rows: to index all of its arrays for each packet would cost more than the copy itself.
        self._audio, self._written, self._read = bank.audio[rows], bank.written[rows], bank.read[rows]
        self._stamps = tuple(zip(bank.origin[rows], bank.captured[rows], strict=True))
        self._blocks, self._captured = self._audio[0].reshape(-1, BLOCK), bank.captured[rows.start]
        self._most = bank.capacity // 2
        """Samples that are written at once."""
        self._end = 0
        """Samples written, as in the bank."""
        self._room_to = 0
        """Up to there nothing that is still to be read is overwritten; the reader may have gone on since."""
        self._marked_to = -1
        """Up to there marks of concealed samples of a lap ago may stand in the way."""
        self._shift = self._shifted_to = 0
        """What the newest block has in `origin`, and the block before which all slots do not have it yet."""
        self._plain_to = 0
        """Up to there a whole block of one channel can be written without another look at any of these."""
        self._clock: int | None = None
        """Index after the newest sample on the source's clock."""

    def push(self, chunk: Chunk, *, wait: bool) -> None:
        """Append a chunk; a jump of its start is filled with lost audio. wait: block while full, lose nothing.

        What comes after finish() is not taken.
        """
        samples, start, captured_at, lost, concealed = chunk
        bank = self._bank
        with bank.lock:
            if (
                start == self._clock
                and self._end < self._plain_to
                and samples.shape == ONE_BLOCK
                and lost is concealed is None
            ):
                self._write_block(samples, start, captured_at, wait)
                return
            if start != self._clock or lost is not None or concealed is not None:
                self._bridge(chunk, wait)
                marks = [given for given in (lost, concealed) if given is not None]
                if marks:
                    self.lost += int(np.any(marks, axis=(0, 1)).sum())
                if lost is not None:
                    samples = np.where(lost, LOST, samples)
            n = samples.shape[1]
            if n <= self._most:
                self._write(samples, n, captured_at, wait, concealed)
            else:
                self._write_pieces(samples, captured_at, wait, concealed)
            if bank.waiting_threads:
                bank.changed.notify_all()

    def skip(self, samples: int) -> None:
        """Move the clock: for so long the source had nothing to say, and nothing was lost."""
        with self._bank.changed:
            if self._clock is not None:
                self._clock += samples
                self._plain_to = 0

    def _write_block(self, samples: Audio, start: int, captured_at: float, wait: bool) -> None:
        """Write what most calls send, at half the cost of _write(): one block of one channel, before _plain_to."""
        bank, end = self._bank, self._end
        slot = end // BLOCK % bank.slots
        self._blocks[slot], self._captured[slot] = samples, captured_at
        if not wait:
            bank.came += BLOCK
        self._clock = start + BLOCK
        self._end = self._written[0] = end + BLOCK
        if bank.waiting_threads:
            bank.changed.notify_all()

    def _bridge(self, chunk: Chunk, wait: bool) -> None:
        """Mark what is missing between the audio held and the chunk."""
        if self._clock is None:
            self._clock = chunk.start
        missing = chunk.start - self._clock
        if missing <= 0 or self.closed:
            return
        self.lost += missing
        fill = missing if missing <= LONGEST_FILL else LONGEST_FILL // BLOCK * BLOCK
        lost = np.full((self.rows.stop - self.rows.start, fill), LOST)
        self._write_pieces(lost, earlier(chunk.captured_at, chunk.samples.shape[1]), wait)
        self._clock = chunk.start

    def _write_pieces(self, samples: Audio, captured_at: float, wait: bool, concealed: Marks | None = None) -> None:
        n, step = samples.shape[1], self._most
        for at in range(0, n, step):
            piece = samples[:, at : at + step]
            marks = None if concealed is None else concealed[:, at : at + step]
            size = piece.shape[1]
            self._write(piece, size, earlier(captured_at, n - at - size), wait, marks)

    def _write(self, samples: Audio, n: int, captured_at: float, wait: bool, concealed: Marks | None) -> None:
        """Write n samples, at most half of the capacity. captured_at: of the last one."""
        bank, written = self._bank, self._end
        end = written + n
        if end > self._room_to:
            self._make_room(end, wait)
        if self.closed:
            return
        first = written % bank.capacity
        if first + n <= bank.capacity:
            self._audio[:, first : first + n] = samples
        else:
            write_wrapped(self._audio, first, samples)
        if concealed is not None:
            write_wrapped(bank.concealed[self.rows], first, concealed)
            bank.concealed_to[self.rows], bank.any_concealed = end, True
            self._marked_to = end + bank.capacity
        elif written < self._marked_to:
            write_wrapped(bank.concealed[self.rows], first, np.zeros(samples.shape, np.bool_))
        self._stamp(written, end, captured_at)
        if not wait:
            bank.came += n
        self._end = end
        if len(self._written) == 1:
            self._written[0] = end
            plain = end % BLOCK == 0 and end >= self._marked_to and end // BLOCK >= self._shifted_to
            self._plain_to = self._room_to if plain else 0
        else:
            self._written.fill(end)

    def _make_room(self, end: int, wait: bool) -> None:
        """Wait until samples up to `end` have room, or give up the oldest."""
        bank = self._bank
        while wait and not self.closed and end - self._read.item(0) > bank.capacity:
            bank.changed.notify_all()
            bank.wait_for_change(0.1)
        over = end - bank.capacity - self._read.item(0)
        if over > 0 and not self.closed:
            self._give_up(max(-(-over // BLOCK), bank.slots // GIVEN_UP) * BLOCK)
        self._room_to = self._read.item(0) + bank.capacity

    def _stamp(self, written: int, end: int, captured_at: float) -> None:
        """Note for each block that gets some of these samples where it is on the clock and when it was there."""
        slots, clock, first = self._bank.slots, self._clock or 0, written // BLOCK
        if not written:
            self._shift = clock
            for origin, _ in self._stamps:
                origin.fill(clock)
        elif clock - written != self._shift:
            self._shift, self._shifted_to = clock - written, first + slots + 1
        for block in range(first, (end - 1) // BLOCK + 1):
            slot = block % slots
            at = captured_at - (end - (block + 1) * BLOCK) / SAMPLE_RATE if captured_at else 0.0
            for origin, captured in self._stamps:
                if block < self._shifted_to:
                    origin[slot] = self._shift
                captured[slot] = at
        self._clock = clock + end - written

    def _give_up(self, samples: int) -> None:
        """Move the reader past audio that will be overwritten; the next block says so by a lost sample."""
        bank, row = self._bank, self.rows.start
        going = np.arange(bank.read[row], bank.read[row] + samples) % bank.capacity
        there = bank.audio[row, going].view(np.uint32) != LOST_BITS
        overwritten = int(np.count_nonzero(there & ~bank.concealed[row, going]))
        self.lost += overwritten
        bank.overwritten += overwritten
        bank.read[self.rows] += samples
        bank.overrun[self.rows] = bank.any_overrun = True

    def take(self, count: int) -> Blocks:
        """Return the next blocks of a recording, which has so many."""
        bank, rows = self._bank, self.rows
        with bank.changed:
            read = int(bank.read[rows.start])
            slots = (read // BLOCK + np.arange(count)) % bank.slots
            every = np.arange(rows.start, rows.stop)
            samples = bank.audio.reshape(len(bank.audio), bank.slots, BLOCK)[every, slots[:, None]]
            mark_invalid(samples)
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
        """Return how many samples were taken to be scored."""
        return int(self._bank.read[self.rows.start])

    @property
    def fill(self) -> int:
        """Return the samples that wait to be scored, those that were taken and have no score yet included."""
        bank, row = self._bank, self.rows.start
        return int(bank.written[row] - bank.read[row] + bank.unscored[row])

    def heard_since(self, written: int) -> tuple[Audio, int]:
        """Return what was written after that and is still held, (channels, n), and `written` now; takes nothing
        away."""
        bank = self._bank
        with bank.changed:
            now = self.written
            places = np.arange(max(0, written, now - bank.capacity), now) % bank.capacity
            return bank.audio[self.rows][:, places], now

    def finish(self) -> None:
        """Note that no more audio comes; whole blocks that are held are still read."""
        with self._bank.changed:
            self.close()
            self.report()
            self._bank.changed.notify_all()

    def close(self) -> None:
        """Take nothing more; belongs under the bank's lock."""
        self.closed, self._plain_to = True, 0

    def report(self) -> None:
        """Note that more than scores is to be reported of it. Any thread may call this."""
        self._bank.pending.add(self)
