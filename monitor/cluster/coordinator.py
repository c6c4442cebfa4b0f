"""Which shard scores which call, and when audio goes there. It decides nothing about calls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from monitor.cluster.audio_sender import AudioSender, Waiting
from monitor.cluster.checkpoints import Checkpoints
from monitor.cluster.hosts import Host
from monitor.cluster.jobs import Jobs
from monitor.cluster.link import Link, LinkState
from monitor.cluster.members import Members
from monitor.cluster.messages import Ints
from monitor.cluster.pending_blocks import Answered, together
from monitor.cluster.placement import NONE
from monitor.cluster.recovery import Recovery
from monitor.cluster.streams import Streams
from monitor.config.cluster import ClusterSection
from monitor.views import ShardView

TOGETHER_S = 0.02
LONGEST_WAIT_S = 0.05
MOST_NOTICES = 1000
BLOCKS_PER_S = 50


class Coordinator:
    """All of it belongs to one thread, that which scores."""

    def __init__(self, host: Host, section: ClusterSection, rows: int) -> None:
        """rows: of the pool."""
        self._section = section
        self.notices: deque[tuple[str, str]] = deque(maxlen=MOST_NOTICES)
        """Codes and details of health events, for whoever publishes them."""
        self.jobs = Jobs(host)
        self.members = Members(host, self.jobs, self._notice, self._joined, self._lost, section.spares)
        self.links = self.members.links
        self.streams = Streams(rows, ())
        kept_s = 2 * section.checkpoint_s + section.answer_s + 2 * section.send_ms / 1000
        most = round(rows * BLOCKS_PER_S * kept_s)
        self.checkpoints = Checkpoints(host, self.jobs, self.links, self.streams, most)
        self.recovery = Recovery(host, self.jobs, self.links, self.streams, self.checkpoints)
        self.sender = AudioSender(host, section, self.jobs, self.members, self.streams, self.checkpoints, self.recovery)
        self._answered_at = 0.0
        """When the first answer came that was not collected yet."""

    def want(self, shards: int, leaving: Sequence[str] = ()) -> None:
        """Have so many shards, none of them with one of these names."""
        every = (f"shard-{number}" for number in range(1, shards + len(leaving) + 1))
        names = [name for name in every if name not in leaving][:shards]
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
        self.sender.forget(self.streams.begin(rows))
        self.streams.waits[rows] = self.streams.shard[rows] == NONE

    def forget(self, rows: Ints) -> None:
        """Let the streams of rows end."""
        self.sender.forget(self.streams.forget(rows))

    def collect(self, timeout_s: float) -> list[Answered]:
        """Return the figures that have come, waiting for the first of them. What other shards are about to answer
        is waited for a moment longer: to decide about all streams together costs less.
        """
        self.jobs.collect(timeout_s)
        if not self.sender.answered:
            return []
        now = time.monotonic()
        self._answered_at = self._answered_at or now
        if any(link.push is not None for link in self.links) and now - self._answered_at < TOGETHER_S:
            return []
        self._answered_at = 0.0
        return together(self.sender.take_answered())

    def send(self, bank: Waiting, now: float) -> None:
        """Start what is to be started, and send what waits to every shard whose turn it is."""
        self.members.check(now)
        self.recovery.resume_unassigned()
        for link in self.links:
            if link.works and link.push is None and (now >= link.due or self.sender.may_restore(link)):
                self.sender.send(link, bank, now)
            elif link.push is not None and now >= link.again_at:
                self.sender.push(link, now)

    def next_due(self, now: float) -> float:
        """Return how many seconds nothing is to be sent, unless an answer comes."""
        due = [link.due - now for link in self.links if link.works and link.push is None]
        if self.sender.answered:
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

    def _notice(self, code: str, detail: str) -> None:
        self.notices.append((code, detail))

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
