"""Packets of a stream by what became of them; jitter_buffer.py counts them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PacketCounts:
    """Packets since the start. late: came after they were given up. rejected: outside any window that can be."""

    received: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0
    reordered: int = 0
    rejected: int = 0
