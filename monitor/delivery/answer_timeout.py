"""Counts the time that an answer has been waited for while this process ran. Pure; seconds of one clock.

A process that was stopped (SIGSTOP, a suspended machine), starved by others or busy with what it received was not
waiting: its clock went on and the answer may lie in its socket. So that of the time between two steps at most
LONGEST_STEP_S counts, and while an answer is awaited it steps at least that often. Nor can anybody answer who is away:
of the time in which the publisher's stream is not heard, GONE_S count.
"""

from __future__ import annotations

LONGEST_STEP_S = 0.25
GONE_S = 3.0
ANSWER_S, LONGEST_ANSWER_S = 1.0, 8.0


class AnswerTimeout:
    """attempt: for the request as it was last made; total: since the first of them."""

    def __init__(self, now: float) -> None:
        self._advanced_at = now
        self._within = ANSWER_S
        self._silent_s = self.attempt = self.total = 0.0

    def advance(self, now: float) -> None:
        """Let time pass until now."""
        passed = min(now - self._advanced_at, LONGEST_STEP_S)
        self._advanced_at = now
        self.attempt += passed
        if self._silent_s < GONE_S:
            self.total += passed
        self._silent_s += passed

    def message_came(self) -> None:
        """Note that a message of the publisher came."""
        self._silent_s = 0.0

    @property
    def is_due(self) -> bool:
        """Return whether the request is to be made again."""
        return self.attempt >= self._within

    def retried(self) -> None:
        """Double the time allowed for the repeated request, so that a slow answer can still arrive."""
        self.attempt, self._within = 0.0, min(2 * self._within, LONGEST_ANSWER_S)

    def answer_came(self, now: float) -> None:
        """Restart the timeout: an answer came, or the publisher was away. Keep the allowance that grew."""
        self._advanced_at = now
        self._within = max(self._within / 2, ANSWER_S)
        self.attempt = self.total = 0.0
