"""Detects that a further call would do harm to those that there are. The caller gives the clock."""

from __future__ import annotations

from collections.abc import Callable

from model.config import SAMPLE_RATE
from monitor.engine.ring_bank import RingBank

MANY = 0.5
"""Share of the streams that wait from which the server itself is behind, not a few senders ahead of their time."""
WAITING_S, FOR_S = 0.25, 1.0
"""While so much audio has waited in so many streams for so long, no further call should be taken."""
BEHIND = "scoring is behind with the calls that there are"
CALM_S = 5.0
"""No call is taken until the reason is gone for so long: what a new one costs shows only after a second or two."""


class OverloadCheck:
    """reason: why no further call should be taken; "" = one may be. Other threads may read it."""

    def __init__(
        self, bank: RingBank, waiting_s: float = WAITING_S, more: Callable[[], str] = lambda: "", calm_s: float = CALM_S
    ) -> None:
        """more: returns a reason of another kind, or ""."""
        self.reason = ""
        self._bank, self._samples, self._more, self._calm_s = bank, round(waiting_s * SAMPLE_RATE), more, calm_s
        self._refuses_until = 0.0
        self._waiting_since: float | None = None

    def check(self, now: float) -> None:
        """Find out whether there is a reason now. To be called in every turn."""
        if reason := self._find(now):
            self.reason, self._refuses_until = reason, now + self._calm_s
        elif now >= self._refuses_until:
            self.reason = ""

    def _find(self, now: float) -> str:
        if self._bank.share_waiting(self._samples) < MANY:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        is_behind = self._waiting_since is not None and now - self._waiting_since >= FOR_S
        return BEHIND if is_behind else self._more()
