"""Detects that scoring falls behind live audio. Pure: the caller gives the clock and the counts."""

from __future__ import annotations

CHECK_S = 1.0
"""Between two looks at the counts."""
REPEAT_S = 10.0
"""While audio is lost, it is reported again so often, with the share of that time."""
CALM_S = 5.0
"""Scoring keeps up again when nothing was lost for so long."""


class PaceCheck:
    """Follows how much live audio came, and how much of it was overwritten before it was scored.

    lost_share: of the newest report, 0 to 1; 0.0 while scoring keeps up.
    """

    def __init__(self) -> None:
        self.lost_share = 0.0
        self._next_check = 0.0
        self._reported_at = self._lost_at = float("-inf")
        self._came = self._lost = 0
        """Counts up to which all was reported."""
        self._lost_before = 0
        """The losses at the last check."""

    @property
    def fault(self) -> str:
        """Return what is wrong, in words; "" while scoring keeps up."""
        share = max(1, round(100 * self.lost_share))
        return f"scoring is too slow: {share} % of the audio lost" if self.lost_share else ""

    def check(self, now: float, came: int, lost: int) -> bool:
        """Look at the counts so far (samples that came, and that were lost), at most every CHECK_S.

        Returns whether there is something to report: audio is lost, is still lost, or is lost no longer.
        """
        if now < self._next_check:
            return False
        self._next_check = now + CHECK_S
        if lost > self._lost_before:
            self._lost_at, self._lost_before = now, lost
        elif not self.lost_share:
            self._came = came  # what came before the first loss has no part in its share
        if self.lost_share and now - self._lost_at >= CALM_S:
            return self._report(now, came, lost, 0.0)
        due = not self.lost_share or now - self._reported_at >= REPEAT_S
        if lost > self._lost and due:
            return self._report(now, came, lost, min(1.0, (lost - self._lost) / max(1, came - self._came)))
        return False

    def _report(self, now: float, came: int, lost: int, share: float) -> bool:
        self.lost_share, self._reported_at, self._came, self._lost = share, now, came, lost
        return True
