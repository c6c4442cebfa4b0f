"""Flood limits of RTP senders: packets beyond the limits are dropped before they are parsed. Pure.

What counts is the sender, host and port, or one stream of it: behind an exchange all calls are of one host, and must
not pay for one that misbehaves. A sender's running calls are heard whatever else it sends. Every memory is bounded.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from monitor.captures.ip_packets import Endpoint

MOST_UNASSIGNED = 200
"""Datagrams a second of one sender that belong to no call; then it is muted."""
MOST_UNASSIGNED_IN_ALL = 5000
"""Datagrams a second of all senders together; the rest is not read."""
MUTE_S = 10.0
MOST_KNOWN = 4096
"""Senders that are remembered as muted, and by the calls that they began; beyond it the oldest is forgotten."""
CALLS_AT_ONCE, CALLS_PER_S = 50.0, 1.0
"""Calls that one sender may begin."""

Key = tuple[Endpoint, int]
"""A sender and its SSRC."""


class FloodGuard:
    """counts: of the tap, by the reason."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._muted: OrderedDict[Endpoint | Key, float] = OrderedDict()
        self._budgets: OrderedDict[Endpoint, tuple[float, float]] = OrderedDict()
        self._unassigned: Counter[Endpoint] = Counter()
        """Datagrams of each sender in this second that belong to no call."""
        self._second = self._unassigned_in_all = 0

    def mute(self, sender: Endpoint | Key, now: float) -> None:
        """Do not listen to a sender, or to one of its streams, for MUTE_S."""
        self._muted.pop(sender, None)
        self._muted[sender] = now + MUTE_S
        if len(self._muted) > MOST_KNOWN:
            self._muted.popitem(last=False)

    def muted(self, key: Key, now: float) -> bool:
        """Return whether a datagram that belongs to no call is to be thrown away unread."""
        for sender in (key, key[0]) if self._muted else ():
            until = self._muted.get(sender)
            if until is None:
                continue
            if now < until:
                self._counts["of a sender that is muted, because it flooded"] += 1
                return True
            del self._muted[sender]
        return False

    def within_limit(self, source: Endpoint, now: float) -> bool:
        """Return whether a sender may say one more thing that belongs to no call."""
        if int(now) != self._second:
            self._second, self._unassigned_in_all = int(now), 0
            self._unassigned.clear()
        self._unassigned_in_all += 1
        if self._unassigned_in_all > MOST_UNASSIGNED_IN_ALL:
            self._counts[f"more than {MOST_UNASSIGNED_IN_ALL} datagrams a second that belong to no call"] += 1
            return False
        self._unassigned[source] += 1
        if self._unassigned[source] <= MOST_UNASSIGNED:
            return True
        self._counts[f"more than {MOST_UNASSIGNED} datagrams a second of a sender that belong to no call"] += 1
        self.mute(source, now)
        return False

    def may_begin(self, source: Endpoint, now: float) -> bool:
        """Return whether a sender may begin one more call, which it then has begun."""
        budget, at = self._budgets.pop(source, (CALLS_AT_ONCE, now))
        budget = min(CALLS_AT_ONCE, budget + CALLS_PER_S * (now - at))
        self._budgets[source] = max(0.0, budget - 1.0) if budget >= 1.0 else budget, now
        if len(self._budgets) > MOST_KNOWN:
            self._budgets.popitem(last=False)
        if budget < 1.0:
            self._counts["a new call of a sender that begins one after the other"] += 1
        return budget >= 1.0
