"""Decides from an HTTP answer whether and when to retry. Pure: the caller gives clock and random numbers."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum

LONGEST_RETRY_AFTER_S = 3600.0
"""The longest wait that a receiver may ask for."""

UNAVAILABLE = frozenset((408, 425, 429, 502, 503, 504))
INVALID = frozenset((400, 410, 413, 414, 415, 422))


class DeliveryOutcome(Enum):
    """ACCEPTED. BUSY: the receiver is away or busy; the event may be good. REFUSED: the fault is the event's or the
    receiver's. INVALID: the fault is the event's, so that no retry helps.
    """

    ACCEPTED = "accepted"
    BUSY = "busy"
    REFUSED = "refused"
    INVALID = "invalid"


def verdict(status: int) -> DeliveryOutcome:
    """Return what an HTTP status means for the delivery (RFC 9110)."""
    if 200 <= status < 300:
        return DeliveryOutcome.ACCEPTED
    if status in UNAVAILABLE:
        return DeliveryOutcome.BUSY
    return DeliveryOutcome.INVALID if status in INVALID else DeliveryOutcome.REFUSED


def backoff_s(failures: int, first_s: float, longest_s: float, jitter: float) -> float:
    """Return how long to wait, exponential with jitter: after the first failure half to all of first_s, then of twice
    as much, up to longest_s.

    failures: in a row, from 1. jitter: 0 to 1.
    """
    ceiling = longest_s if failures > 64 else min(longest_s, first_s * 2.0 ** (failures - 1))
    return ceiling * (0.5 + 0.5 * jitter)


def retry_after_s(value: str | None, now: datetime) -> float:
    """Return a Retry-After header (RFC 9110, 10.2.3), seconds or a date, as seconds from now; 0 where it says
    nothing."""
    if not value:
        return 0.0
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(LONGEST_RETRY_AFTER_S, float(value[:9]))
    try:
        until = parsedate_to_datetime(value)
        return min(LONGEST_RETRY_AFTER_S, max(0.0, (until - now).total_seconds()))
    except (ValueError, TypeError, OverflowError):
        return 0.0
