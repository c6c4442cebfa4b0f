"""Notices of a subscriber about its connection, between the events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came for so long, not even a heartbeat: what was heard last may no longer hold."""

    seconds: float
    address: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The publisher is heard again after Silent."""

    address: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The publisher does not let this subscriber in; it tries again by itself, every few seconds."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something came that is not an event of a monitor."""

    topic: str
    reason: str
