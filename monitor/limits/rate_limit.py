"""Limits how often a peer may ask: a token bucket each. Pure; the caller gives the time, in seconds."""

from __future__ import annotations

from collections import OrderedDict

MAX_PEERS = 10_000
"""Beyond it the peer that has asked least recently is forgotten."""


class RateLimit:
    """per_s: requests a second in the long run. burst: at once after a pause."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._peers: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def allows(self, peer: bytes, now: float) -> bool:
        """Count one request of a peer; False for one too many, which costs it nothing more."""
        tokens, at = self._peers.get(peer, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_s)
        allowed = tokens >= 1.0
        self._peers[peer] = (tokens - 1.0 if allowed else tokens, now)
        self._peers.move_to_end(peer)
        if len(self._peers) > MAX_PEERS:
            self._peers.popitem(last=False)
        return allowed
