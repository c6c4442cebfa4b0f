"""Finds the alert threshold from the scores of genuine speech. Pure.

Where the speech is too short to see so few alarms as are wanted, the tail of its scores is continued as an exponential
(peaks over threshold; Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, chapter 4, shape 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.config import BLOCK_S
from monitor.config.schema import AlertSection
from monitor.engine.decision import hold_blocks

Floats = NDArray[np.float64]

STEP = 0.05
"""Nats between two thresholds that are tried."""
SEEN_OFTEN = 3.0
"""Alarms that the speech must be long enough to show at the wanted rate; below it the tail is continued."""
MINUTE = round(60.0 / BLOCK_S)
TAIL = 0.25
"""Share of the minutes whose peaks make the tail."""
FEWEST_PEAKS = 5


@dataclass(frozen=True)
class OperatingPoint:
    """alarms: counted at the threshold, in all the speech. per_hour: expected, of net speech. seen: it was counted,
    not continued from the tail.
    """

    alert_llr: float
    alarms: int
    per_hour: float
    seen: bool


def alarms(llr: Sequence[Floats], config: AlertSection) -> int:
    """Count alerts that decide() would open on channels, each an array of the llr of its blocks of net speech."""
    return sum(len(_openings(x, config)) for x in llr)


def _openings(x: Floats, config: AlertSection) -> list[int]:
    """Return the blocks at which an alert opens: once the hold is over, and not again before the close hold was."""
    can_open = np.flatnonzero(_held(x >= config.alert_llr, config.alert_hold_s))
    can_close = np.flatnonzero(_held(x < config.close_llr, config.close_hold_s))
    found: list[int] = []
    at = 0
    while (i := int(np.searchsorted(can_open, at))) < len(can_open):
        found.append(int(can_open[i]))
        j = int(np.searchsorted(can_close, found[-1], side="right"))
        if j == len(can_close):
            break
        at = int(can_close[j]) + 1
    return found


def _held(true: NDArray[np.bool_], seconds: float) -> NDArray[np.bool_]:
    """Return whether so long a run of blocks ends here."""
    blocks = hold_blocks(seconds)
    runs = np.zeros(len(true), dtype=np.bool_)
    if len(true) >= blocks:
        count = np.cumsum(np.concatenate([[0], true]))
        runs[blocks - 1 :] = count[blocks:] - count[:-blocks] == blocks
    return runs


def hours(llr: Sequence[Floats]) -> float:
    """Return the hours of net speech."""
    return sum(map(len, llr)) * BLOCK_S / 3600.0


def at_threshold(config: AlertSection, alert_llr: float) -> AlertSection:
    """Return the settings with another alert threshold; the lower ones give way to it."""
    lower = {key: min(getattr(config, key), alert_llr) for key in ("suspicious_llr", "close_llr")}
    return config.model_copy(update={"alert_llr": alert_llr, **lower})


def peaks(llr: Sequence[Floats], config: AlertSection) -> Floats:
    """Return the highest threshold at which an alert would have opened, of each minute of net speech."""
    hold = hold_blocks(config.alert_hold_s)
    found = []
    for x in llr:
        if len(x) < hold:
            continue
        held = sliding_window_view(x, hold).min(axis=1)
        found += [float(held[a : a + MINUTE].max()) for a in range(0, len(held), MINUTE)]
    return np.array(found)


def find_threshold(
    llr: Sequence[Floats], config: AlertSection, per_hour: float, highest: float
) -> OperatingPoint | None:
    """Return the lowest threshold with at most so many alarms an hour; None where none up to `highest` has.

    Raises ValueError where there is too little speech to say anything.
    """
    speech_hours = hours(llr)
    if speech_hours * per_hour < SEEN_OFTEN:
        return _continued(llr, config, per_hour, highest, speech_hours)
    low, high = 0, int(highest / STEP)
    if alarms(llr, at_threshold(config, high * STEP)) > speech_hours * per_hour:
        return None
    while low < high:
        middle = (low + high) // 2
        if alarms(llr, at_threshold(config, middle * STEP)) <= speech_hours * per_hour:
            high = middle
        else:
            low = middle + 1
    count = alarms(llr, at_threshold(config, high * STEP))
    return OperatingPoint(round(high * STEP, 2), count, count / speech_hours, seen=True)


def _continued(
    llr: Sequence[Floats], config: AlertSection, per_hour: float, highest: float, speech_hours: float
) -> OperatingPoint | None:
    """Extrapolate from the peaks above a level that a quarter of the minutes reach."""
    of_minutes = peaks(llr, config)
    level = float(np.quantile(of_minutes, 1 - TAIL)) if len(of_minutes) else 0.0
    above = of_minutes[of_minutes > level] - level
    if len(above) < FEWEST_PEAKS:
        needed = round(FEWEST_PEAKS / TAIL)
        raise ValueError(f"{speech_hours * 60:.0f} minutes of speech are too few: at least {needed} are needed")
    rate = len(above) / speech_hours
    threshold = level + float(above.mean()) * float(np.log(max(rate / per_hour, 1.0)))
    threshold = round(float(np.ceil(threshold / STEP)) * STEP, 2)
    if threshold > highest:
        return None
    expected = rate * float(np.exp(-(threshold - level) / above.mean()))
    return OperatingPoint(threshold, alarms(llr, at_threshold(config, threshold)), expected, seen=False)
