"""Sends the audio of calls to shards, and takes the figures that they answer. It decides nothing about calls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Blocks
from monitor.cluster.checkpoints import Checkpoints
from monitor.cluster.hosts import Handle, Host, UnavailableError
from monitor.cluster.jobs import Jobs
from monitor.cluster.link import Link, LinkState
from monitor.cluster.members import Members
from monitor.cluster.messages import Answer, Batch, Ints, Push, Saved, joined, no_blocks, no_states
from monitor.cluster.parcels import Parcel, pack
from monitor.cluster.placement import NONE
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
MOST_SAID = 1000
NO_FIGURES = -(10**9)
BLOCKS_PER_S = 50
MOST_LOSSES = 2
"""A stream that went on from a checkpoint in so many shards which were lost goes on without it: perhaps it is the
reason.
"""


class Waiting(Protocol):
    """Where audio waits to be sent: monitor.engine.ring_bank.RingBank."""

    def take_waiting(self, rows: Ints, most: int) -> list[Blocks]:
        """Return the blocks that wait in some rows, as RingBank does."""
        ...


Answered = tuple[Parcel, list[NDArray[np.float64]]]


class Coordinator:
    """All of it belongs to one thread, that which scores."""

    def __init__(self, host: Host, section: ClusterSection, rows: int) -> None:
        """rows: of the pool."""
        self._section, self._host = section, host
        self.said: deque[tuple[str, str]] = deque(maxlen=MOST_SAID)
        """Codes and details of health events, for whoever publishes them."""
        self.jobs = Jobs(host)
        self.members = Members(host, self.jobs, self._say, self._joined, self._lost)
        self.links = self.members.links
        self.streams = Streams(rows, ())
        kept_s = 2 * section.checkpoint_s + section.answer_s + 2 * section.send_ms / 1000
        most = round(rows * BLOCKS_PER_S * kept_s)
        self.checkpoints = Checkpoints(host, self.jobs, self.links, self.streams, most)
        self.recovery = Recovery(host, self.jobs, self.links, self.streams, self.checkpoints)
        self._answered: list[Answered] = []

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
        """Return the figures that have come; waits for the first of them."""
        self.jobs.collect(timeout_s)
        answered, self._answered = self._answered, []
        return answered

    def send(self, bank: Waiting, now: float) -> None:
        """Start what is to be started, and send what waits to every shard whose turn it is."""
        self.members.look(now)
        self.recovery.settle_homeless()
        for link in self.links:
            if link.works and link.push is None and (now >= link.due or self._may_restore(link)):
                self._send(link, bank, now)
            elif link.push is not None and now >= link.again_at:
                self._push(link, now)

    def next_due(self, now: float) -> float:
        """Return how many seconds nothing is to be sent, unless an answer comes."""
        due = [link.due - now for link in self.links if link.works and link.push is None]
        return min(max(0.0, min(due, default=0.05)), 0.05)

    def faults(self) -> list[str]:
        """Return which shards are missing, in words."""
        return [f"{link.name}: {link.fault or 'starting'}" for link in self.links if link.wanted and not link.works]

    def figures(self) -> list[dict[str, object]]:
        """Return the health of each shard: name, state, place, calls in its rows, busy (0 to 1), answer_ms, lost."""
        return [
            {
                "name": link.name,
                "state": link.state.value,
                "place": link.description.place if link.description else "",
                "streams": len(self.streams.on(link.index)),
                "busy": round(link.busy, 3),
                "answer_ms": round(1000 * link.answer_s, 1),
                "lost": link.lost,
            }
            for link in self.links
            if link.wanted or link.works
        ]

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
        """Some checkpoints may be gone, or could be in a better place."""
        for link in self.links:
            link.checkpoint_due = 0.0

    def _send(self, link: Link, bank: Waiting, now: float) -> None:
        if link.checkpoints == 0 and now >= link.checkpoint_due:
            link.checkpoint_due = now + self._section.checkpoint_s
            self.checkpoints.make(link)
        self.recovery.move(link)
        ready = self.streams.on(link.index)
        ready = ready[~self.streams.waits[ready]]
        load, batch, parcels = no_states(), no_blocks(), list[Parcel]()
        link.restoring = self.recovery.next_restore(link) if self._may_restore(link) else np.zeros(0, np.int64)
        if len(link.restoring):
            load, batch, parcels = self._resumed(link.restoring)
        several = bank.take_waiting(ready, max(LEAST_TURNS, MOST_BLOCKS // len(ready))) if len(ready) else []
        if several:
            fresh, parcel = self._fresh(several)
            parcels.append(parcel.at(parcel.rows, parcel.offsets + len(batch.samples)))
            batch = joined(batch, fresh)
        link.due = max(now, link.due + self._section.send_ms / 1000)
        if not parcels and not len(link.restoring) and now - link.sent_at < IDLE_S:
            if link.state is LinkState.LEAVING and not self.streams.uses(link.index):
                self.members.leave(link)
            return
        moved, gone = (np.array(keys, np.int64) for keys in (link.moved, link.gone))
        link.moved, link.gone = [], []
        link.number += 1
        link.push, link.parcels, link.sent_at = Push(link.number, moved, gone, load, batch), parcels, now
        self._push(link, now)

    def _may_restore(self, link: Link) -> bool:
        """Return whether a shard can take over streams. Its own are saved first: what comes may be its end."""
        return bool(link.restores) and not (link.checkpoints and self.checkpoints.missing(link))

    def _fresh(self, several: Sequence[Blocks]) -> tuple[Batch, Parcel]:
        batch, parcel = pack(self.streams.key, several)
        self.checkpoints.sent.add(batch, self.streams.sent[parcel.rows])
        self.streams.sent[parcel.rows] += batch.counts
        return batch, parcel

    def _resumed(self, rows: Ints) -> tuple[Saved, Batch, list[Parcel]]:
        """Return with what rows go on in a shard, and what they still wait for."""
        hopeless = rows[self.streams.losses[rows] >= MOST_LOSSES]
        if len(hopeless):
            self._forget(self.streams.begin(hopeless))
            self._say("audio skipped", f"{len(hopeless)} streams begin anew: every shard that had them was lost")
        load, batch, torn = self.checkpoints.resume(rows)
        if len(torn):
            self._say("audio skipped", f"{len(torn)} streams go on without the audio since their checkpoint")
        self.streams.waits[rows] = False
        parcels = []
        for parcel in self.recovery.claim(rows):
            awaited, held = parcel.counts(rows), batch.counts
            offsets = np.where(awaited <= held, batch.ends - awaited, NO_FIGURES)
            parcels.append(parcel.at(rows, offsets))
        return load, batch, parcels

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
        self._answered += [(parcel, parcel.figures(answer)) for parcel in link.parcels]
        if link.restoring is not None:
            self.streams.losses[link.restoring] = 0
        link.push, link.parcels, link.restoring = None, [], None

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
