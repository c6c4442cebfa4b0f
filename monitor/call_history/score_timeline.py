"""The likelihood of one channel over a whole call, in a bounded number of points. Pure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import isnan, nan

MOST_POINTS = 2000
FIRST_STEP_S = 0.5
LONGEST_FILL_S = 2.0
"""A score stands for the time since the one before it, up to so much."""


@dataclass
class ScoreTimeline:
    """p_fake and llr (nats) of each step, NaN where no speech added evidence; of several scores in a step the highest.

    Steps double as the call grows, so that there are never more than MOST_POINTS.
    """

    step_s: float = FIRST_STEP_S
    p_fake: array[float] = field(default_factory=lambda: array("f"))
    llr: array[float] = field(default_factory=lambda: array("f"))
    _newest: int = -1

    def add(self, at_s: float, p_fake: float, llr: float) -> None:
        """Take a score, NaN where there is no new evidence. Scores come in the order of their audio."""
        while at_s >= self.step_s * MOST_POINTS:
            self._halve()
        place = max(0, int(at_s / self.step_s))
        missing = place + 1 - len(self.llr)
        if missing > 0:
            self.p_fake.extend([nan] * missing)
            self.llr.extend([nan] * missing)
        since = place - self._newest
        first = self._newest + 1 if 0 < since <= LONGEST_FILL_S / self.step_s else place
        for i in range(first, place + 1):
            self._raise_to(i, p_fake, llr)
        self._newest = place

    def _raise_to(self, place: int, p_fake: float, llr: float) -> None:
        if not isnan(llr) and not self.llr[place] >= llr:
            self.p_fake[place], self.llr[place] = p_fake, llr

    def _halve(self) -> None:
        """Join every two steps to one."""
        self.step_s *= 2
        self.p_fake, self.llr = _joined(self.p_fake), _joined(self.llr)
        self._newest //= 2


def _joined(values: array[float]) -> array[float]:
    pairs = ([v for v in values[i : i + 2] if not isnan(v)] for i in range(0, len(values), 2))
    return array("f", [max(pair, default=nan) for pair in pairs])
