"""Limits of one peer: messages and bytes a second, and audio ahead of the clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.config.taps import WebsocketSection
from monitor.taps.websocket.handler import POLICY, BadMessageError

BURST_S = 10.0
"""A connection that stood still may send so much at once of what it held back."""


@dataclass
class PeerBudget:
    """Budgets that fill with time, up to BURST_S of it; the audio's by what is heard."""

    limits: WebsocketSection
    since: float
    messages: float = 0.0
    octets: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.at = self.since

    def message(self, size: int, now: float) -> None:
        """Count a message. Raises BadMessageError for a peer that sends too much."""
        passed, self.at = max(0.0, now - self.at), now
        self.messages = max(0.0, self.messages - passed * self.limits.max_messages_per_s) + 1
        self.octets = max(0.0, self.octets - passed * self.limits.max_bytes_per_s) + size
        if self.messages > BURST_S * self.limits.max_messages_per_s:
            raise BadMessageError("more messages than taps.websocket.max_messages_per_s", POLICY)
        if self.octets > BURST_S * self.limits.max_bytes_per_s:
            raise BadMessageError("more bytes than taps.websocket.max_bytes_per_s", POLICY)

    def audio(self, until_s: float, now: float) -> None:
        """Check the time that the audio of the call has reached, until_s. Raises BadMessageError where it is in the
        future.
        """
        if until_s - (now - self.since) > self.limits.max_ahead_s:
            raise BadMessageError("audio further ahead of the clock than taps.websocket.max_ahead_s", POLICY)
