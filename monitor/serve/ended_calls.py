"""Calls that have ended, with the last that a screen showed of them; the newest of them are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from monitor.views import CallRow, View

MOST_ENDED = 300
"""Each takes a few kB: the likelihood over its last minutes. The spectrogram, which is large, is let go of."""


class EndedCalls:
    """Written by the scoring loop, read by the screens. now: seconds since 1970, UTC."""

    def __init__(self, now: Callable[[], float], most: int = MOST_ENDED) -> None:
        self._now, self._most = now, most
        self._kept: OrderedDict[str, tuple[CallRow, View]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, row: CallRow, view: View, why: str) -> None:
        """Keep a call that has just ended. row, view: as they were last. why: it ended."""
        channels = tuple(replace(c, spectrogram=np.zeros_like(c.spectrogram[:0]), fault="") for c in view.channels)
        ended = replace(row, ended=self._now(), why=why, worst=replace(row.worst, spectrogram=channels[0].spectrogram))
        with self._lock:
            self._kept[row.call] = ended, replace(view, channels=channels, finished=True)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def rows(self) -> tuple[CallRow, ...]:
        """Return them as rows of a table, the newest first."""
        with self._lock:
            return tuple(row for row, _ in reversed(self._kept.values()))

    def call(self, name: str) -> View | None:
        """Return the last view of a call."""
        with self._lock:
            kept = self._kept.get(name)
        return None if kept is None else kept[1]
