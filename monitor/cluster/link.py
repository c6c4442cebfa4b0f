"""One shard as the server sees it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from monitor.cluster.hosts import Handle
from monitor.cluster.messages import Description, Ints, Push
from monitor.cluster.pending_blocks import PendingBlocks

WINDOW_S = 1.0
"""How busy a shard is, is measured over so long."""
LATE_S = 0.5
"""A shard whose answer took so long is behind."""


class LinkState(Enum):
    """starting: it was asked for, and has not answered yet. leaving: its calls move away. down: it is started again, or
    has left for good.
    """

    STARTING = "starting"
    UP = "up"
    LEAVING = "leaving"
    DOWN = "down"


@dataclass
class Link:
    """push: the one that waits for its answer, with its blocks. restores: rows, and the keys of their streams, that
    are to go on here from a checkpoint. moved, gone: keys that the shard does not know yet to have moved or ended.
    """

    index: int
    name: str
    state: LinkState = LinkState.DOWN
    handle: Handle = None
    description: Description | None = None
    start_at: float = 0.0
    failures: int = 0
    """How often it has failed since it last answered."""
    fault: str = ""
    wanted: bool = True
    number: int = 0
    push: Push | None = None
    pending: list[PendingBlocks] = field(default_factory=list)
    restoring: Ints | None = None
    """Rows that go on from a checkpoint in this push."""
    sent_at: float = 0.0
    again_at: float = float("inf")
    """When the push is sent again, where it got lost."""
    due: float = 0.0
    restores: deque[tuple[Ints, Ints]] = field(default_factory=deque)
    moved: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    checkpoints: int = 0
    """Jobs of the checkpoint that is being made."""
    checkpoint_due: float = 0.0
    lost: int = 0
    """Times that the shard was lost."""
    answer_s: float = 0.0
    """How long the answer to the newest push took, s."""
    busy: float = 0.0
    """Share of the time in which it scored: 0 to 1."""
    _took_s: float = 0.0
    _since: float = 0.0

    @property
    def works(self) -> bool:
        """Return whether it answers."""
        return self.state in (LinkState.UP, LinkState.LEAVING)

    def answered(self, now: float, took_s: float, fault: str) -> None:
        """Take note of an answer, for which the shard worked so long. fault: of its scorer, or ""."""
        self.answer_s, self.fault, self.failures = now - self.sent_at, fault, 0
        self._took_s += took_s
        if now - self._since >= WINDOW_S:
            self.busy = min(1.0, self._took_s / (now - self._since))
            self._took_s, self._since = 0.0, now

    def has_room(self, busy_share: float) -> bool:
        """Return whether new calls do no harm to those that it has."""
        return self.state is LinkState.UP and self.busy < busy_share and not self.is_late

    @property
    def is_late(self) -> bool:
        """Return whether it has streams that have not caught up."""
        restores = self.restores or (self.restoring is not None and len(self.restoring))
        return self.works and (self.answer_s > LATE_S or bool(restores))

    def reset(self) -> None:
        """Forget what belonged to the process that is gone."""
        self.handle = self.description = self.push = self.restoring = None
        self.again_at = float("inf")
        self.number = self.checkpoints = 0
        self.answer_s = self.busy = self._took_s = 0.0
        for each in (self.pending, self.restores, self.moved, self.gone):
            each.clear()
