"""How old live audio was when it was scored."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

STEPS = 3000
"""Steps whose latencies are remembered."""


class LatencyLog:
    """recent_ms: of the newest steps. observers: each takes the latency of every step, in s, in the scoring thread."""

    def __init__(self) -> None:
        self.recent_ms: deque[float] = deque(maxlen=STEPS)
        self.observers: list[Callable[[float], None]] = []

    def note(self, captured_at: NDArray[np.float64]) -> None:
        """Note that audio was scored now. captured_at: as of monitor.audio.Blocks; recordings are passed over."""
        if not captured_at.any():
            return
        seconds = time.monotonic() - float(captured_at.max())
        self.recent_ms.append(seconds * 1000.0)
        for observe in self.observers:
            observe(seconds)

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the recent ones; 0.0 while there are none. Any thread may ask."""
        return round(float(np.percentile(list(self.recent_ms) or [0.0], percent)), 2)
