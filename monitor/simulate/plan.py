"""Send times of the frames of a call over a network that loses, delays and reorders: pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

OVERTAKEN = 0.05
"""Share of the frames that others overtake on a network that reorders."""
OVERTAKEN_BY = 2.5
"""Frames that overtake such a one."""


@dataclass(frozen=True)
class Impairments:
    """Faults of a network. loss: share of the frames that never arrive, 0 to 1. jitter_ms: longest delay of a frame.
    reorder: late frames are overtaken by others; without it they hold up those behind them.
    """

    loss: float = 0.0
    jitter_ms: float = 0.0
    reorder: bool = False


def departures(
    frames: int, frame_s: float, network: Impairments, random: np.random.Generator
) -> list[tuple[float, int]]:
    """Return (seconds since the beginning, number of the frame) of each frame that arrives, in the order of arrival."""
    times = np.arange(frames) * frame_s + random.uniform(0.0, network.jitter_ms / 1000.0, frames)
    if network.reorder:
        times += (random.random(frames) < OVERTAKEN) * OVERTAKEN_BY * frame_s
    else:
        times = np.maximum.accumulate(times) if frames else times
    arrives = random.random(frames) >= network.loss
    return [(float(times[i]), int(i)) for i in np.argsort(times, kind="stable") if arrives[i]]


def in_order(plan: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return the plan over TCP, where no frame overtakes another: an early frame waits for those before it."""
    frames = sorted(plan, key=lambda departure: departure[1])
    return list(zip(accumulate((at for at, _ in frames), max), (frame for _, frame in frames), strict=True))
