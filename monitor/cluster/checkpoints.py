"""Checkpoints: states of streams in another shard's memory, and the audio since then in the server's own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np

from monitor.cluster.hosts import Handle, Host
from monitor.cluster.jobs import Jobs
from monitor.cluster.link import Link, LinkState
from monitor.cluster.messages import Batch, Ints, Saved, States
from monitor.cluster.placement import NONE
from monitor.cluster.sent_blocks import SentBlocks
from monitor.cluster.state_table import StateTable
from monitor.cluster.streams import HERE, Streams

ANSWER_TIMEOUT_S = 10.0
"""A checkpoint that takes longer is given up; the one before it holds until the next."""


class Checkpoints:
    """Makes them, fetches them, and says with what audio a stream goes on from one."""

    def __init__(self, host: Host, jobs: Jobs, links: Sequence[Link], streams: Streams, most_blocks: int) -> None:
        """most_blocks: audio that is kept at most."""
        self._host, self._jobs, self._links, self._streams = host, jobs, links, streams
        self.sent = SentBlocks(most_blocks)
        self._here = StateTable()

    def make(self, link: Link) -> None:
        """Save what a shard has, each stream's to the shard that would go on with it; without another one, here."""
        streams = self._streams
        rows = streams.on(link.index)
        up = np.array([other.state is LinkState.UP for other in self._links])
        leaving = (streams.holder[rows] >= 0) & ~up[np.maximum(streams.holder[rows], 0)]
        rows = rows[((streams.sent[rows] > streams.saved[rows]) | leaving) & ~streams.waits[rows]]
        allowed = up & (np.arange(len(up)) != link.index)
        holders = streams.ranking.best(rows, allowed)
        for index in np.unique(holders).tolist():
            some = rows[holders == index]
            self._make(link, index, streams.key[some], streams.sent[some])

    def missing(self, link: Link) -> bool:
        """Return whether some streams of a shard have no checkpoint, which they had until another shard was lost."""
        streams = self._streams
        rows = streams.on(link.index)
        return bool(((streams.holder[rows] == NONE) & (streams.sent[rows] > 0) & ~streams.waits[rows]).any())

    def _make(self, link: Link, holder: int, keys: Ints, blocks: Ints) -> None:
        states = self._host.call(link.handle, "save", link.number, keys)
        ended = partial(self._ended, link, link.handle)
        link.checkpoints += 1
        if holder == NONE:

            def done(states: States) -> None:
                self.keep(Saved(keys, blocks, states))
                ended()

            self._jobs.add(link.index, states, ANSWER_TIMEOUT_S, done, ended)
            return

        def held(_: object) -> None:
            self._note(keys, blocks, holder)
            ended()

        reference = self._host.call(self._links[holder].handle, "hold", keys, blocks, states)
        self._jobs.add(holder, reference, ANSWER_TIMEOUT_S, held, ended)

    def holders(self, rows: Ints) -> dict[int, Ints]:
        """Return which rows have their checkpoint in which shard."""
        holders = self._streams.holder[rows]
        return {index: rows[holders == index] for index in np.unique(holders[holders >= 0]).tolist()}

    def keep(self, saved: Saved) -> None:
        """Keep the states of streams here; of those that have not ended."""
        kept = saved.of(self._streams.rows_of(saved.keys) >= 0)
        if len(kept.keys):
            self._here.put(kept.keys, kept.blocks, kept.states)
            self._note(kept.keys, kept.blocks, HERE)

    def forget(self, keys: Ints) -> None:
        """Let streams end."""
        self._here.drop(keys)

    def resume(self, rows: Ints) -> tuple[Saved, Batch, Ints]:
        """Return with what states and blocks another shard goes on with some rows, and which rows have a hole: blocks
        that nobody has any more. The first block that there is says so by a lost sample.
        """
        streams = self._streams
        keys = streams.key[rows]
        saved = self._here.get(keys)
        streams.saved[rows] = 0
        streams.saved[streams.rows_of(saved.keys)] = saved.blocks
        batch = self.sent.since(keys, streams.saved[rows])
        skipped = streams.saved[rows] + batch.counts < streams.sent[rows]
        heard = skipped & (batch.counts > 0)
        batch.samples[(batch.ends - batch.counts)[heard], 0] = np.nan
        return saved, batch, rows[skipped]

    def _note(self, keys: Ints, blocks: Ints, holder: int) -> None:
        """Take note of where the checkpoints of streams are now."""
        rows = self._streams.rows_of(keys)
        newer = (rows >= 0) & (blocks >= self._streams.saved[rows])
        self._streams.saved[rows[newer]], self._streams.holder[rows[newer]] = blocks[newer], holder
        if holder != HERE:
            self._here.drop(keys[newer])
        self.sent.forget(self._streams.saved_of)

    def _ended(self, link: Link, handle: Handle, _: object = None) -> None:
        if link.handle is handle:
            link.checkpoints -= 1
            link.checkpoint_due = max(link.checkpoint_due, time.monotonic())
