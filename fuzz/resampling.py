"""Stands in for the resampler while fuzzing: resampling is a library's work, takes no bytes of a peer, and costs more
than all parsers. The tests give the harnesses the real one.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from model.resample import StreamResampler

USERS = ("monitor.taps.audiosocket.connection", "monitor.rtp.rtp_stream")


class NearestResampler(StreamResampler):
    """Gives as many samples as the real one in all, each the nearest before it, and holds nothing back."""

    def __init__(self, rate_in: int, channels: int, rate_out: int = 16_000) -> None:
        super().__init__(rate_out, channels, rate_out)
        self.rate_in = rate_in

    def push(self, samples: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """See StreamResampler.push()."""
        samples = super().push(samples, last)
        begin, self._taken = self._taken, self._taken + samples.shape[1]
        first, end = (-(-at * self.rate_out // self.rate_in) for at in (begin, self._taken))
        return samples[:, np.arange(first, end) * self.rate_in // self.rate_out - begin]


def use() -> None:
    """Give it to what was imported."""
    for name in USERS:
        if name in sys.modules:
            sys.modules[name].StreamResampler = NearestResampler  # type: ignore[attr-defined]
