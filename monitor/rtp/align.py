"""The channels of a call side by side on one clock, made of streams that begin, pause and end as they like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.types import Audio


class Aligner:
    """Puts what the streams of a call give next to each other. Indices are samples at 16 kHz since the call began."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.taken = 0
        """Samples given out so far."""
        self._held: list[list[Audio]] = [[] for _ in channels]
        self._clock = [0] * len(channels)
        """Index after the newest sample held, of each channel."""

    def put(self, channel: int, samples: Audio, begin: int | None = None) -> None:
        """Append audio (n,) to a channel, not before the index begin. What comes after its turn moves the rest."""
        if not len(samples):
            return
        at = max(self._clock[channel], self.taken, begin or 0)
        self._held[channel] += [np.zeros(at - self._clock[channel], np.float32), samples]
        self._clock[channel] = at + len(samples)

    def take(self, until: int) -> Audio:
        """Everything before that index, float32 (channels, n): silence where a channel has nothing."""
        n = max(0, until - self.taken)
        out = np.zeros((len(self._held), n), np.float32)
        for row, held in enumerate(self._held):
            joined = np.concatenate([np.zeros(0, np.float32), *held])
            ready = min(n, len(joined))
            out[row, :ready] = joined[:ready]
            self._held[row] = [joined[ready:]]
            self._clock[row] = max(self._clock[row], self.taken + n)
        self.taken += n
        return out

    @property
    def end(self) -> int:
        """Index after the last sample of any channel."""
        return max([self.taken, *self._clock])
