"""Listening in: the sound of one channel for one browser, out of the ring that scoring reads. Off unless asked for.

Who listens to what is said as a health event, so that a journal holds it. Nothing is stored for it, and nothing
waits: a browser that is too slow misses what the ring no longer holds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import numpy as np

from monitor.audio import Audio
from monitor.engine.calls import Call
from monitor.types import SAMPLE_RATE

STEP_S = 0.06
LEAD_S = 0.2
"""So much of what was already heard comes first, so that a late packet makes no hole."""


class ListenerSocket(Protocol):
    """The browser that listens."""

    async def send_text(self, data: str) -> None: ...

    async def send_bytes(self, data: bytes) -> None: ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None: ...


def pcm16(samples: Audio) -> bytes:
    """Convert to 16 bits, little-endian. What was lost (NaN) or invalid (infinite) is silent."""
    sound = np.where(np.isfinite(samples), samples, np.float32(0.0))
    return np.asarray(np.clip(np.rint(sound * 32_768), -32_768, 32_767), "<i2").tobytes()


class ListenIn:
    """calls: those that run. notice: says a code and a detail."""

    def __init__(self, calls: Callable[[], Sequence[Call]], notice: Callable[[str, str], None]) -> None:
        self._calls, self._notice = calls, notice

    async def play(self, socket: ListenerSocket, call: str, channel: str, peer: str) -> AsyncIterator[None]:
        """Send {"rate": Hz} and then PCM of 16 bits, until the call ends."""
        found = next((c for c in self._calls() if c.name == call and channel in c.channels), None)
        if found is None:
            await socket.close(1000, "there is no such call any more")
            return
        self._notice("listened in", f"{peer} hears {call}, {channel}")
        row = found.rows.start + found.channels.index(channel)
        ring = found.feed_of(row).ring
        place = row - ring.rows.start
        await socket.send_text(json.dumps({"rate": SAMPLE_RATE}))
        at = ring.written - round(LEAD_S * SAMPLE_RATE)
        while not ring.closed:
            samples, at = ring.heard_since(at)
            if samples.shape[1]:
                await socket.send_bytes(pcm16(samples[place]))
            await asyncio.sleep(STEP_S)
            yield
        await socket.close(1000, "the call has ended")
