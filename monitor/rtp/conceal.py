"""Fills lost audio with the voice around it, continued from both sides.

ITU-T G.711, appendix I, repeats the last period of the voice, at full strength for 10 ms and silent after 60 ms. A
monitor plays nothing and has the packet behind the loss, too: so the voice also goes on backwards from there, and the
one fades into the other.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio

LONGEST_S = 0.06
"""The rest of a longer loss is not concealed."""
FULL_S = 0.01
SHORTEST_PERIOD_S, LONGEST_PERIOD_S = 0.0025, 0.015
"""The periods of a voice of 66 to 400 Hz."""
HISTORY_S = 0.04
"""How much is searched on either side: two periods or more."""


class ConcealedSpans:
    """The concealed parts of a stream: begins and ends in samples at 16 kHz, until they have been taken."""

    def __init__(self) -> None:
        self._spans: deque[tuple[int, int]] = deque()

    def add(self, begin: int, end: int) -> None:
        """Note a span behind all others."""
        self._spans.append((begin, end))

    def take(self, first: int, count: int) -> NDArray[np.bool_] | None:
        """Return bool (count,) of the samples from first on, and forget the spans that end in them; None for none."""
        if not self._spans or self._spans[0][0] >= first + count:
            return None
        concealed = np.zeros(count, np.bool_)
        for begin, end in self._spans:
            concealed[max(0, begin - first) : max(0, end - first)] = True
        while self._spans and self._spans[0][1] <= first + count:
            self._spans.popleft()
        return concealed


def conceal(before: Audio, after: Audio, n: int, rate: int) -> Audio:
    """Return float32 (n,) to stand between what was heard before, (b,), and after it, (a,), all at that rate in Hz.

    Only HISTORY_S next to the loss is looked at; NaN counts as silence. Beyond LONGEST_S after `before` it is silence.
    """
    forwards = _continuation(before, n, rate)
    if n > round(LONGEST_S * rate) or not len(after):
        return forwards
    backwards = _continuation(after[::-1], n, rate)[::-1]
    share = (np.arange(n, dtype=np.float32) + 0.5) / np.float32(n)
    return np.asarray(forwards * (1 - share) + backwards * share, np.float32)


def _continuation(recent: Audio, n: int, rate: int) -> Audio:
    """Return the last period again and again, fading: float32 (n,)."""
    history = np.nan_to_num(recent[-round(HISTORY_S * rate) :])
    period = _period(history, rate)
    if not period:
        return np.zeros(n, np.float32)
    cycle = history[-period:].copy()
    seam = min(period // 4, len(history) - period)
    if seam:  # so that the end of a cycle leads to its beginning
        share = (np.arange(seam, dtype=np.float32) + 1) / np.float32(seam + 1)
        earlier = history[-period - seam : -period]
        cycle[-seam:] = cycle[-seam:] * (1 - share) + earlier * share
    fade = 1 - (np.arange(n, dtype=np.float32) / rate - FULL_S) / (LONGEST_S - FULL_S)
    return np.asarray(np.resize(cycle, n) * fade.clip(0.0, 1.0), np.float32)


def _period(history: Audio, rate: int) -> int:
    """Return the samples after which the end of the history is most alike to itself; all there are where they are too
    few."""
    shortest, longest = round(SHORTEST_PERIOD_S * rate), round(LONGEST_PERIOD_S * rate)
    longest = min(longest, len(history) // 2)
    if longest <= shortest:
        return len(history)
    size = len(history) - longest
    newest = history[-size:]
    products = np.correlate(history, newest, "valid")  # of lags longest, longest - 1 .. 0
    squares = np.concatenate([[0.0], np.cumsum(np.square(history, dtype=np.float64))])
    energies = squares[size:] - squares[: len(squares) - size]
    alike = products[: longest - shortest + 1] / np.sqrt(energies[: longest - shortest + 1] + 1e-9)
    return longest - int(np.argmax(alike))
