"""Finds stalls of a live capture from its blocks and a clock. Pure: times are arguments."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.types import Condition

LOSS_S = 0.2
"""Audio that is missing by the clock counts as lost from here on; less is jitter."""
WINDOW_S = 0.25
DRIFT_GAIN = 0.01
"""Part of a window's deviation that is taken for drift of the device's clock: 25 s to follow, so that 200 ppm (more
than sound cards have) makes 5 ms, but a steady loss of 1 % reaches LOSS_S."""


class ArrivalClock:
    """Finds lost audio: less came than time passed, and no burst made up for it within WINDOW_S.

    rate: Hz of the device.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._begun: float | None = None
        self._frames = 0
        self._base: float | None = None
        self._least: float | None = None
        self._window_end = 0.0

    def new_window(self) -> None:
        """Forget the blocks since the last judgement; the next one opens a window."""
        if self._base is None:
            self._base = self._least
        self._least = None

    def add(self, frames: int, arrived: float) -> float | None:
        """Count a block that arrived at that time.

        Returns the seconds of audio found missing, 0.0 if none, when a window ends; None while it lasts.
        """
        if self._begun is None:
            self._begun = arrived - frames / self._rate
        self._frames += frames
        behind = arrived - self._begun - self._frames / self._rate
        if self._least is None:
            self._least, self._window_end = behind, arrived + WINDOW_S
        self._least = min(self._least, behind)
        return None if arrived < self._window_end else self._judge(self._least)

    def _judge(self, least: float) -> float:
        self.new_window()
        if self._base is None or least < self._base:
            self._base = least
        missing = least - self._base
        if missing > LOSS_S:
            self._frames += round(missing * self._rate)
            return missing
        self._base += DRIFT_GAIN * missing
        return 0.0


class ZeroDetector:
    """Counts exact zeros: a microphone that works always has noise."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._run_s = 0.0

    def add(self, all_zero: bool, seconds: float) -> bool:
        """Count a block; whether the input has been zero for too long."""
        self._run_s = self._run_s + seconds if all_zero else 0.0
        return self._run_s >= self._longest_s


@dataclass(frozen=True, slots=True)
class InputFault:
    code: str
    detail: str


class SourceHealth:
    """The faults of a source. Each method returns the conditions to report, none if nothing changed."""

    def __init__(self) -> None:
        self._faults: dict[str, InputFault] = {}

    def __contains__(self, code: str) -> bool:
        return code in self._faults

    def fault(self, code: str, detail: str) -> list[Condition]:
        """Report a fault that makes the audio unusable until recovered() names it."""
        if code in self._faults:
            return []
        self._faults[code] = InputFault(code, detail)
        return [Condition(code, detail, usable=False)]

    def recovered(self, *codes: str) -> list[Condition]:
        """End these faults: report "recovered", or the fault that is left."""
        over = [code for code in codes if self._faults.pop(code, None) is not None]
        if not over:
            return []
        for left in self._faults.values():
            return [Condition(left.code, left.detail, usable=False)]
        return [Condition("recovered", f"after: {', '.join(over)}", usable=True)]
