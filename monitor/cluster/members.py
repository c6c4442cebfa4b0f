"""Which shards there are: started, replaced when they are lost, and sent away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from monitor.cluster.hosts import Handle, Host, ShardLostError
from monitor.cluster.jobs import Jobs
from monitor.cluster.link import Link, LinkState
from monitor.cluster.messages import Description
from monitor.cluster.spares import Spares

AFTER_S, LONGEST_AGAIN_S = 2.0, 30.0
"""While others take over the calls of a lost shard, no processor is used for starting another one in its place."""
STARTING_S = 600.0
"""A shard for which the cluster has no room is waited for so long, then asked for again."""
Notice = Callable[[str, str], None]
"""Takes the code and the detail of a health event."""


class Members:
    """joined, lost: called with a shard that is ready for calls, and of one that is gone, with what was in it."""

    def __init__(
        self,
        host: Host,
        jobs: Jobs,
        notice: Notice,
        joined: Callable[[Link], None],
        lost: Callable[[Link], None],
        spares: int = 0,
    ) -> None:
        """spares: processes that are kept ready to be a shard."""
        self._host, self._jobs, self.notice = host, jobs, notice
        self._joined, self._lost = joined, lost
        self.links: list[Link] = []
        self.first: Description | None = None
        """The shard whose version and weights the others must have, too."""
        self.spares = Spares(host, jobs, spares)

    def want(self, names: Sequence[str]) -> None:
        """Have shards of these names and no others."""
        for link in self.links:
            if link.wanted and link.name not in names:
                self._send_away(link)
            link.wanted = link.name in names
        known = {link.name for link in self.links}
        for name in names:
            if name not in known:
                self.links.append(Link(len(self.links), name))

    def check(self, now: float) -> None:
        """Start what is wanted and not there."""
        for link in self.links:
            if link.state is LinkState.DOWN and link.wanted and not self._take_spare(link) and now >= link.start_at:
                self._start(link)
        if all(link.works for link in self.links if link.wanted):
            self.spares.check(now, calm=not any(link.is_late for link in self.links))

    def lose(self, link: Link, why: str) -> None:
        """Give up a shard that does not answer, or is gone. A spare takes its place; without one, another process is
        started.
        """
        worked, handle = link.works, link.handle
        link.fault = why
        link.failures += 1
        link.lost += worked
        link.state = LinkState.DOWN
        first_s = AFTER_S if any(other.works for other in self.links) else 0.0
        link.start_at = time.monotonic() + min(LONGEST_AGAIN_S, first_s if link.failures < 2 else 2.0**link.failures)
        if worked:
            self.notice("shard lost", f"{link.name}: {why}")
        elif link.failures == 1:
            self.notice("shard not started", f"{link.name}: {why}")
        self._lost(link)
        link.reset()
        self._jobs.drop(link.index)
        self._host.stop(handle)
        self.spares.wait_until(time.monotonic() + AFTER_S)
        if worked and link.wanted:
            self._take_spare(link)

    def leave(self, link: Link) -> None:
        """End a shard that has no calls any more."""
        handle = link.handle
        link.state = LinkState.DOWN
        link.reset()
        self._jobs.drop(link.index)
        self._host.stop(handle)
        self.notice("shard left", link.name)

    def close(self) -> None:
        """End all shards."""
        self.spares.close()
        for link in self.links:
            if link.handle is not None:
                self._host.stop(link.handle)
            link.state = LinkState.DOWN

    def _send_away(self, link: Link) -> None:
        if link.state is LinkState.UP:
            link.state = LinkState.LEAVING
        elif link.state is LinkState.STARTING:
            self.leave(link)

    def _start(self, link: Link) -> None:
        link.state, link.handle = LinkState.STARTING, self._host.start()
        reference = self._host.call(link.handle, "describe")
        done, failed = partial(self._described, link, link.handle), partial(self._failed, link, link.handle)
        self._jobs.add(link.index, reference, STARTING_S, done, failed)

    def _take_spare(self, link: Link) -> bool:
        """Let a spare be this shard. Returns whether there was one."""
        if (spare := self.spares.take()) is None:
            return False
        link.handle = spare.handle
        self._described(link, spare.handle, spare.description)
        return link.works

    def _described(self, link: Link, handle: Handle, found: Description) -> None:
        if link.handle is not handle:
            return
        self.first = self.first or found
        if (found.version, found.weights_hash) != (self.first.version, self.first.weights_hash):
            self.lose(link, f"{found.place} has another version of this program, or other weights")
            return
        link.description, link.state, link.fault = found, LinkState.UP, ""
        self.notice("shard joined", f"{link.name}: process {found.pid} on {found.place}, {found.device}")
        self._joined(link)

    def _failed(self, link: Link, handle: Handle, error: Exception) -> None:
        if link.handle is handle:
            why = "its process is gone" if isinstance(error, ShardLostError) and not str(error) else str(error)
            self.lose(link, why)
