"""The channels of a call side by side on one clock, made of streams that begin, pause and end as they like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio
from monitor.rtp.sound import Sound, join


class Aligner:
    """Puts what the streams of a call give next to each other. Indices are samples at 16 kHz since the call began."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.taken = 0
        """Samples given out so far."""
        self._held: list[list[Sound]] = [[] for _ in channels]
        self._clock = [0] * len(channels)
        """Index after the newest sample held, of each channel."""

    def put(self, channel: int, sound: Sound, begin: int | None = None) -> None:
        """Append sound to a channel, not before the index begin. What comes after its turn moves the rest."""
        if not len(sound):
            return
        at = max(self._clock[channel], self.taken, begin or 0)
        self._held[channel] += [Sound(np.zeros(at - self._clock[channel], np.float32)), sound]
        self._clock[channel] = at + len(sound)

    def take(self, until: int) -> tuple[Audio, NDArray[np.bool_] | None]:
        """Everything before that index, float32 (channels, n), silence where a channel has nothing; and bool (channels,
        n) of what is concealed, or None.
        """
        n = max(0, until - self.taken)
        out, concealed = np.zeros((len(self._held), n), np.float32), np.zeros((len(self._held), n), np.bool_)
        for row, held in enumerate(self._held):
            joined = join(held)
            ready = min(n, len(joined))
            out[row, :ready] = joined.samples[:ready]
            if joined.concealed is not None:
                concealed[row, :ready] = joined.concealed[:ready]
            self._held[row] = [joined.after(ready)]
            self._clock[row] = max(self._clock[row], self.taken + n)
        self.taken += n
        return out, concealed if concealed.any() else None

    @property
    def end(self) -> int:
        """Index after the last sample of any channel."""
        return max([self.taken, *self._clock])
