"""Calls that go from one shard to another: from one that is lost, to one that joins, from one that leaves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from monitor.cluster.checkpoints import ANSWER_TIMEOUT_S, Checkpoints
from monitor.cluster.hosts import Handle, Host
from monitor.cluster.jobs import Jobs
from monitor.cluster.link import Link, LinkState
from monitor.cluster.messages import Ints, Saved, States
from monitor.cluster.pending_blocks import PendingBlocks
from monitor.cluster.placement import NONE
from monitor.cluster.streams import Streams

AT_ONCE = 32
"""Streams that go on from checkpoints in one push, beside which a shard's other streams must not wait long. Those whose
shard was lost while it did this go on one by one: what is wrong with one of them is not to cost the others.
"""


class Recovery:
    """Belongs to the thread of the coordinator."""

    def __init__(self, host: Host, jobs: Jobs, links: list[Link], streams: Streams, checkpoints: Checkpoints) -> None:
        self._host, self._jobs, self._links = host, jobs, links
        self._streams, self._checkpoints = streams, checkpoints
        self.unanswered: list[PendingBlocks] = []
        """Blocks whose shard was lost before it answered."""

    def take_over(self, link: Link) -> None:
        """Find other shards for all that a lost one had."""
        streams = self._streams
        if link.restoring is not None:
            streams.losses[link.restoring] += 1
        self.unanswered += link.pending
        rows = streams.on(link.index)
        streams.shard[rows] = NONE
        streams.waits[rows] = True
        streams.lose_holder(link.index)
        self._fetch(rows)

    def _fetch(self, rows: Ints) -> None:
        """Fetch the checkpoints of rows that have no shard; then each goes on in its best one. Rows without any in a
        shard are for resume_unassigned().
        """
        for index, some in self._checkpoints.holders(rows).items():
            keys = self._streams.key[some]
            reference = self._host.call(self._links[index].handle, "held", keys)
            done, failed = partial(self._fetched, keys), partial(self._not_fetched, keys)
            self._jobs.add(index, reference, ANSWER_TIMEOUT_S, done, failed)

    def resume_unassigned(self) -> None:
        """Let rows go on that no shard was there for."""
        rows = self._streams.on(NONE)
        if len(rows) and any(link.state is LinkState.UP for link in self._links):
            self._settle(rows[self._streams.holder[rows] < 0])

    def choose(self, link: Link | None = None) -> None:
        """Say anew where streams should be: with a shard that joined, those that prefer it; without one, all on shards
        that leave.
        """
        streams = self._streams
        rows = np.flatnonzero((streams.key > 0) & (streams.shard != NONE))
        best = streams.ranking.best(rows, self._up())
        if link is not None:
            moving = best == link.index
        else:
            leaving = np.array([each.state is LinkState.LEAVING for each in self._links])
            moving = leaving[streams.wanted[rows]] & (best != NONE)
        streams.wanted[rows[moving]] = best[moving]

    def move(self, link: Link) -> None:
        """Let some streams leave a shard that nothing is on its way to, for where they should be."""
        streams = self._streams
        rows = streams.on(link.index)
        rows = rows[(streams.wanted[rows] != link.index) & ~streams.waits[rows]][:AT_ONCE]
        if not len(rows):
            return
        streams.waits[rows] = True
        keys, blocks = streams.key[rows], streams.sent[rows]
        seen = blocks > 0
        if not seen.all():
            self._arrive(link, rows[~seen])
        if not seen.any():
            return
        reference = self._host.call(link.handle, "save", link.number, keys[seen])

        def done(states: States) -> None:
            self._checkpoints.keep(Saved(keys[seen], blocks[seen], states))
            self._arrive(link, self._still(keys[seen], link))

        self._jobs.add(link.index, reference, ANSWER_TIMEOUT_S, done, partial(self._stays, link, link.handle, keys))

    def next_restore(self, link: Link) -> Ints:
        """Return the rows that go on next in a shard, and have not ended meanwhile."""
        while link.restores:
            rows, keys = link.restores.popleft()
            rows = rows[(self._streams.key[rows] == keys) & (self._streams.shard[rows] == link.index)]
            if len(rows):
                return np.asarray(rows)
        return np.zeros(0, np.int64)

    def claim(self, rows: Ints) -> list[PendingBlocks]:
        """Take out what is unanswered of some rows."""
        found, left = [], []
        for blocks in self.unanswered:
            mine = np.isin(blocks.runs.rows, rows)
            if mine.any():
                found.append(blocks.of(mine))
            if not mine.all():
                left.append(blocks.of(~mine))
        self.unanswered = left
        return found

    def _up(self) -> NDArray[np.bool_]:
        return np.array([link.state is LinkState.UP for link in self._links], np.bool_)

    def _still(self, keys: Ints, link: Link) -> Ints:
        rows = self._streams.rows_of(keys)
        rows = rows[rows >= 0]
        return np.asarray(rows[self._streams.shard[rows] == link.index])

    def _arrive(self, link: Link, rows: Ints) -> None:
        link.moved += self._streams.key[rows].tolist()
        self._queue(rows, self._streams.wanted[rows])

    def _stays(self, link: Link, handle: Handle, keys: Ints, _: Exception) -> None:
        """Leave a stream whose move failed: the next one tries again, unless the shard is lost."""
        if link.handle is handle:
            self._streams.waits[self._still(keys, link)] = False

    def _settle(self, rows: Ints) -> None:
        self._queue(rows, self._streams.ranking.best(rows, self._up()))

    def _queue(self, rows: Ints, shards: Ints) -> None:
        """Let rows go on in shards, or wait for one."""
        streams = self._streams
        streams.shard[rows] = streams.wanted[rows] = shards
        streams.waits[rows] = True
        for index in np.unique(shards[shards >= 0]).tolist():
            some = rows[shards == index]
            if not self._links[index].works:
                streams.shard[some] = NONE
                continue
            suspect = streams.losses[some] > 0
            for piece in (*_pieces(some[~suspect], AT_ONCE), *_pieces(some[suspect], 1)):
                self._links[index].restores.append((piece, streams.key[piece]))

    def _fetched(self, keys: Ints, saved: Saved) -> None:
        self._checkpoints.keep(saved)
        self._not_fetched(keys)

    def _not_fetched(self, keys: Ints, _: object = None) -> None:
        streams, rows = self._streams, self._streams.rows_of(keys)
        rows = rows[rows >= 0]
        rows = rows[streams.shard[rows] == NONE]
        streams.holder[rows[streams.holder[rows] >= 0]] = NONE
        self._settle(rows)


def _pieces(rows: Ints, size: int) -> Iterator[Ints]:
    for at in range(0, len(rows), size):
        yield rows[at : at + size]
