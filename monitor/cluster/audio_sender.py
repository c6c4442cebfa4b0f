"""Sends a shard the audio of its streams, and takes the figures that it answers."""

from __future__ import annotations

import time
from functools import partial
from typing import Protocol

import numpy as np

from monitor.audio import Runs
from monitor.cluster.checkpoints import Checkpoints
from monitor.cluster.hosts import Handle, Host, UnavailableError
from monitor.cluster.jobs import Jobs
from monitor.cluster.link import Link, LinkState
from monitor.cluster.members import Members
from monitor.cluster.messages import Answer, Batch, Ints, Push, Saved, joined, no_blocks, no_states
from monitor.cluster.pending_blocks import Answered, PendingBlocks
from monitor.cluster.recovery import Recovery
from monitor.cluster.streams import Streams
from monitor.config.cluster import ClusterSection

MOST_BLOCKS = 2000
"""Blocks in one push: what a shard that has fallen behind can score in much less than a second."""
LEAST_TURNS = 5
IDLE_S = 1.0
"""A shard without any call is asked so often whether it is there."""
AGAIN_S = 0.2
"""A push that got no answer is sent again so much later."""
NO_FIGURES = -(10**9)
MOST_LOSSES = 2
"""A stream that went on from a checkpoint in so many shards which were lost goes on without it: perhaps it is the
reason.
"""


class Waiting(Protocol):
    """Holds audio that waits to be sent: monitor.engine.ring_bank.RingBank."""

    def take_waiting(self, rows: Ints, most: int) -> Runs:
        """Return the blocks that wait in some rows, as RingBank does."""
        ...


class AudioSender:
    """Belongs to the thread of the coordinator. answered: what has come and was not taken yet."""

    def __init__(
        self,
        host: Host,
        section: ClusterSection,
        jobs: Jobs,
        members: Members,
        streams: Streams,
        checkpoints: Checkpoints,
        recovery: Recovery,
    ) -> None:
        self._host, self._section, self._jobs, self._members = host, section, jobs, members
        self._streams, self._checkpoints, self._recovery = streams, checkpoints, recovery
        self.answered: list[Answered] = []

    def take_answered(self) -> list[Answered]:
        """Return the figures that have come."""
        answered, self.answered = self.answered, []
        return answered

    def forget(self, keys: Ints) -> None:
        """Let shards and checkpoints forget streams that have ended."""
        if len(keys):
            self._checkpoints.forget(keys)
            for link in self._members.links:
                if link.works:
                    link.gone += keys.tolist()

    def send(self, link: Link, bank: Waiting, now: float) -> None:
        """Send what waits for a shard whose turn it is."""
        if link.checkpoints == 0 and now >= link.checkpoint_due:
            link.checkpoint_due = now + self._section.checkpoint_s
            self._checkpoints.make(link)
        self._recovery.move(link)
        ready = self._streams.on(link.index)
        ready = ready[~self._streams.waits[ready]]
        load, batch, pending = no_states(), no_blocks(), list[PendingBlocks]()
        link.restoring = self._recovery.next_restore(link) if self.may_restore(link) else np.zeros(0, np.int64)
        if len(link.restoring):
            load, batch, pending = self._resumed(link.restoring)
        if len(ready) and len((runs := bank.take_waiting(ready, max(LEAST_TURNS, MOST_BLOCKS // len(ready)))).rows):
            pending.append(PendingBlocks(runs, len(batch.samples) + runs.firsts))
            batch = joined(batch, self._fresh(runs))
        link.due = self._next_turn(now)
        if not pending and not len(link.restoring) and now - link.sent_at < IDLE_S:
            if link.state is LinkState.LEAVING and not self._streams.uses(link.index):
                self._members.leave(link)
            return
        moved, gone = (np.array(keys, np.int64) for keys in (link.moved, link.gone))
        link.moved, link.gone = [], []
        link.number += 1
        link.push, link.pending, link.sent_at = Push(link.number, moved, gone, load, batch), pending, now
        self.push(link, now)

    def may_restore(self, link: Link) -> bool:
        """Return whether a shard can take over streams. Its own are saved first: what comes may be its end."""
        return bool(link.restores) and not (link.checkpoints and self._checkpoints.missing(link))

    def _next_turn(self, now: float) -> float:
        """Return when the next messages are due: at the same time for all shards, which then answer together."""
        every = self._section.send_ms / 1000
        return (now // every + 1) * every

    def _fresh(self, runs: Runs) -> Batch:
        streams = self._streams
        batch = Batch(streams.key[runs.rows], runs.counts, runs.samples)
        self._checkpoints.sent.add(batch, streams.sent[runs.rows])
        streams.sent[runs.rows] += runs.counts
        return batch

    def _resumed(self, rows: Ints) -> tuple[Saved, Batch, list[PendingBlocks]]:
        """Return with what rows go on in a shard, and what they still wait for."""
        given_up = rows[self._streams.losses[rows] >= MOST_LOSSES]
        if len(given_up):
            self.forget(self._streams.begin(given_up))
            detail = f"{len(given_up)} streams begin anew: every shard that had them was lost"
            self._members.notice("audio skipped", detail)
        load, batch, skipped = self._checkpoints.resume(rows)
        if len(skipped):
            self._members.notice(
                "audio skipped", f"{len(skipped)} streams go on without the audio since their checkpoint"
            )
        self._streams.waits[rows] = False
        pending = []
        for blocks in self._recovery.claim(rows):
            awaited, held = blocks.counts(rows), batch.counts
            offsets = np.where(awaited <= held, batch.ends - awaited, NO_FIGURES)
            pending.append(blocks.at(rows, offsets))
        return load, batch, pending

    def push(self, link: Link, now: float) -> None:
        """Send what waits for its answer, once more where it got lost."""
        link.again_at = float("inf")
        reference = self._host.call(link.handle, "push", link.push)
        done, failed = partial(self._done, link, link.handle), partial(self._failed, link, link.handle)
        self._jobs.add(link.index, reference, self._section.answer_s - (now - link.sent_at), done, failed)

    def _done(self, link: Link, handle: Handle, answer: Answer) -> None:
        if link.handle is not handle:
            return
        if answer.fault and answer.fault != link.fault:
            self._members.notice("model failed", f"{link.name}: {answer.fault}")
        link.answered(time.monotonic(), answer.took_s, answer.fault)
        self.answered += [blocks.answered(answer) for blocks in link.pending]
        if link.restoring is not None:
            self._streams.losses[link.restoring] = 0
        link.push, link.pending, link.restoring = None, [], None

    def _failed(self, link: Link, handle: Handle, error: Exception) -> None:
        if link.handle is not handle:
            return
        now = time.monotonic()
        if isinstance(error, UnavailableError) and now - link.sent_at < self._section.answer_s:
            link.again_at = now + AGAIN_S
        elif isinstance(error, (TimeoutError, UnavailableError)):
            self._members.lose(link, f"no answer for {now - link.sent_at:.1f} s")
        else:
            self._members.lose(link, str(error) or "its process is gone")
