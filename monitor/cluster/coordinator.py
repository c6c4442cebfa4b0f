"""Sends the audio of calls to shards, and takes the figures that they answer. It decides nothing about calls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
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
from monitor.cluster.pending_blocks import Answered, PendingBlocks, together
from monitor.cluster.placement import NONE
from monitor.cluster.recovery import Recovery
from monitor.cluster.streams import Streams
from monitor.config.cluster import ClusterSection
from monitor.views import ShardView

MOST_BLOCKS = 2000
"""Blocks in one push: what a shard that has fallen behind can score in much less than a second."""
LEAST_TURNS = 5
IDLE_S = 1.0
"""A shard without any call is asked so often whether it is there."""
AGAIN_S = 0.2
"""A push that got no answer is sent again so much later."""
TOGETHER_S = 0.02
LONGEST_WAIT_S = 0.05
MOST_SAID = 1000
NO_FIGURES = -(10**9)
BLOCKS_PER_S = 50
MOST_LOSSES = 2
"""A stream that went on from a checkpoint in so many shards which were lost goes on without it: perhaps it is the
reason.
"""


class Waiting(Protocol):
    """Where audio waits to be sent: monitor.engine.ring_bank.RingBank."""

    def take_waiting(self, rows: Ints, most: int) -> Runs:
        """Return the blocks that wait in some rows, as RingBank does."""
        ...


class Coordinator:
    """All of it belongs to one thread, that which scores."""

    def __init__(self, host: Host, section: ClusterSection, rows: int) -> None:
        """rows: of the pool."""
        self._section, self._host = section, host
        self.said: deque[tuple[str, str]] = deque(maxlen=MOST_SAID)
        """Codes and details of health events, for whoever publishes them."""
        self.jobs = Jobs(host)
        self.members = Members(host, self.jobs, self._say, self._joined, self._lost, section.spares)
        self.links = self.members.links
        self.streams = Streams(rows, ())
        kept_s = 2 * section.checkpoint_s + section.answer_s + 2 * section.send_ms / 1000
        most = round(rows * BLOCKS_PER_S * kept_s)
        self.checkpoints = Checkpoints(host, self.jobs, self.links, self.streams, most)
        self.recovery = Recovery(host, self.jobs, self.links, self.streams, self.checkpoints)
        self._answered: list[Answered] = []
        self._answered_at = 0.0
        """When the first of these came."""

    def want(self, shards: int, leaving: Sequence[str] = ()) -> None:
        """Have so many shards, none of them with one of these names."""
        names: list[str] = []
        number = 0
        while len(names) < shards:
            number += 1
            if f"shard-{number}" not in leaving:
                names.append(f"shard-{number}")
        known = len(self.links)
        self.members.want(names)
        for link in self.links[known:]:
            self.streams.ranking.add_shard(link.name)
        self.recovery.choose()
        self._checkpoint_soon()

    @property
    def has_room(self) -> bool:
        """Return whether a shard can take a further call without harm to others."""
        return any(link.has_room(self._section.busy_share) for link in self.links)

    @property
    def works(self) -> bool:
        """Return whether any shard answers."""
        return any(link.works for link in self.links)

    def place(self, rows: Ints, call: str) -> None:
        """Choose the shard of a call that begins: the first by its rank that has room, else the first."""
        streams = self.streams
        streams.ranking.place(rows, call)
        room = np.array([link.has_room(self._section.busy_share) for link in self.links], np.bool_)
        up = np.array([link.state is LinkState.UP for link in self.links], np.bool_)
        found = streams.ranking.best(rows, room if room.any() else up)
        streams.shard[rows] = streams.wanted[rows] = found

    def begin(self, rows: Ints) -> None:
        """Let new streams begin in rows, which are cold, where those before them were."""
        self._forget(self.streams.begin(rows))
        self.streams.waits[rows] = self.streams.shard[rows] == NONE

    def forget(self, rows: Ints) -> None:
        """Let the streams of rows end."""
        self._forget(self.streams.forget(rows))

    def collect(self, timeout_s: float) -> list[Answered]:
        """Return the figures that have come, waiting for the first of them. What other shards are about to answer
        is waited for a moment longer: to decide about all streams together costs less.
        """
        self.jobs.collect(timeout_s)
        if not self._answered:
            return []
        now = time.monotonic()
        self._answered_at = self._answered_at or now
        if any(link.push is not None for link in self.links) and now - self._answered_at < TOGETHER_S:
            return []
        answered, self._answered, self._answered_at = self._answered, [], 0.0
        return together(answered)

    def send(self, bank: Waiting, now: float) -> None:
        """Start what is to be started, and send what waits to every shard whose turn it is."""
        self.members.check(now)
        self.recovery.resume_unassigned()
        for link in self.links:
            if link.works and link.push is None and (now >= link.due or self._may_restore(link)):
                self._send(link, bank, now)
            elif link.push is not None and now >= link.again_at:
                self._push(link, now)

    def next_due(self, now: float) -> float:
        """Return how many seconds nothing is to be sent, unless an answer comes."""
        due = [link.due - now for link in self.links if link.works and link.push is None]
        if self._answered:
            due.append(self._answered_at + TOGETHER_S - now)
        return min(max(0.0, min(due, default=LONGEST_WAIT_S)), LONGEST_WAIT_S)

    def faults(self) -> list[str]:
        """Return which shards are missing, in words."""
        return [f"{link.name}: {link.fault or 'starting'}" for link in self.links if link.wanted and not link.works]

    def shards(self) -> tuple[ShardView, ...]:
        """Return the health of each shard."""
        return tuple(
            ShardView(
                link.name,
                link.state.value,
                description.place if (description := link.description) else "",
                len(self.streams.on(link.index)),
                round(link.busy, 3),
                round(1000 * link.answer_s, 1),
                link.lost,
            )
            for link in self.links
            if link.wanted or link.works
        )

    def figures(self) -> list[dict[str, object]]:
        """Return the same by name, as heartbeats have it."""
        return [asdict(shard) for shard in self.shards()]

    def close(self) -> None:
        """End all shards."""
        self.members.close()

    def _forget(self, keys: Ints) -> None:
        if len(keys):
            self.checkpoints.forget(keys)
            for link in self.links:
                if link.works:
                    link.gone += keys.tolist()

    def _say(self, code: str, detail: str) -> None:
        self.said.append((code, detail))

    def _joined(self, link: Link) -> None:
        link.due = link.sent_at = time.monotonic()
        self.recovery.choose(link)
        self._checkpoint_soon()

    def _lost(self, link: Link) -> None:
        self.recovery.take_over(link)
        self._checkpoint_soon()

    def _checkpoint_soon(self) -> None:
        """Make checkpoints soon: some may be gone, or could be in a better place."""
        for link in self.links:
            link.checkpoint_due = 0.0

    def _send(self, link: Link, bank: Waiting, now: float) -> None:
        if link.checkpoints == 0 and now >= link.checkpoint_due:
            link.checkpoint_due = now + self._section.checkpoint_s
            self.checkpoints.make(link)
        self.recovery.move(link)
        ready = self.streams.on(link.index)
        ready = ready[~self.streams.waits[ready]]
        load, batch, pending = no_states(), no_blocks(), list[PendingBlocks]()
        link.restoring = self.recovery.next_restore(link) if self._may_restore(link) else np.zeros(0, np.int64)
        if len(link.restoring):
            load, batch, pending = self._resumed(link.restoring)
        if len(ready) and len((runs := bank.take_waiting(ready, max(LEAST_TURNS, MOST_BLOCKS // len(ready)))).rows):
            pending.append(PendingBlocks(runs, len(batch.samples) + runs.firsts))
            batch = joined(batch, self._fresh(runs))
        link.due = self._next_turn(now)
        if not pending and not len(link.restoring) and now - link.sent_at < IDLE_S:
            if link.state is LinkState.LEAVING and not self.streams.uses(link.index):
                self.members.leave(link)
            return
        moved, gone = (np.array(keys, np.int64) for keys in (link.moved, link.gone))
        link.moved, link.gone = [], []
        link.number += 1
        link.push, link.pending, link.sent_at = Push(link.number, moved, gone, load, batch), pending, now
        self._push(link, now)

    def _may_restore(self, link: Link) -> bool:
        """Return whether a shard can take over streams. Its own are saved first: what comes may be its end."""
        return bool(link.restores) and not (link.checkpoints and self.checkpoints.missing(link))

    def _next_turn(self, now: float) -> float:
        """Return when the next messages are due: at the same time for all shards, which then answer together."""
        every = self._section.send_ms / 1000
        return (now // every + 1) * every

    def _fresh(self, runs: Runs) -> Batch:
        streams = self.streams
        batch = Batch(streams.key[runs.rows], runs.counts, runs.samples)
        self.checkpoints.sent.add(batch, streams.sent[runs.rows])
        streams.sent[runs.rows] += runs.counts
        return batch

    def _resumed(self, rows: Ints) -> tuple[Saved, Batch, list[PendingBlocks]]:
        """Return with what rows go on in a shard, and what they still wait for."""
        given_up = rows[self.streams.losses[rows] >= MOST_LOSSES]
        if len(given_up):
            self._forget(self.streams.begin(given_up))
            self._say("audio skipped", f"{len(given_up)} streams begin anew: every shard that had them was lost")
        load, batch, torn = self.checkpoints.resume(rows)
        if len(torn):
            self._say("audio skipped", f"{len(torn)} streams go on without the audio since their checkpoint")
        self.streams.waits[rows] = False
        pending = []
        for blocks in self.recovery.claim(rows):
            awaited, held = blocks.counts(rows), batch.counts
            offsets = np.where(awaited <= held, batch.ends - awaited, NO_FIGURES)
            pending.append(blocks.at(rows, offsets))
        return load, batch, pending

    def _push(self, link: Link, now: float) -> None:
        link.again_at = float("inf")
        reference = self._host.call(link.handle, "push", link.push)
        done, failed = partial(self._done, link, link.handle), partial(self._failed, link, link.handle)
        self.jobs.add(link.index, reference, self._section.answer_s - (now - link.sent_at), done, failed)

    def _done(self, link: Link, handle: Handle, answer: Answer) -> None:
        if link.handle is not handle:
            return
        if answer.fault and answer.fault != link.fault:
            self._say("model failed", f"{link.name}: {answer.fault}")
        link.answered(time.monotonic(), answer.took_s, answer.fault)
        self._answered += [blocks.answered(answer) for blocks in link.pending]
        if link.restoring is not None:
            self.streams.losses[link.restoring] = 0
        link.push, link.pending, link.restoring = None, [], None

    def _failed(self, link: Link, handle: Handle, error: Exception) -> None:
        if link.handle is not handle:
            return
        now = time.monotonic()
        if isinstance(error, UnavailableError) and now - link.sent_at < self._section.answer_s:
            link.again_at = now + AGAIN_S
        elif isinstance(error, (TimeoutError, UnavailableError)):
            self.members.lose(link, f"no answer for {now - link.sent_at:.1f} s")
        else:
            self.members.lose(link, str(error) or "its process is gone")
