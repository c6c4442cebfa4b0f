"""The inputs of a simulator, and how it keeps time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.simulate.plan import Impairments, departures


class RefusedCallError(Exception):
    """The monitor did not take the call; the text is what it said."""


@dataclass(frozen=True)
class SimulatedCall:
    """One call to play. audio: float32 (parties, n) at 16 kHz, full scale 1.0. number: 0, 1, 2 ... of the calls of
    this run. options: of the tap, such as codec or secret.
    """

    number: int
    audio: Audio
    to: str
    network: Impairments
    options: Mapping[str, str]

    def departures(self, frames: int, frame_s: float, party: int = 0) -> list[tuple[float, int]]:
        """Return when each frame of a party is sent; the same in every run."""
        return departures(frames, frame_s, self.network, np.random.default_rng([self.number, party]))


@dataclass
class SimulationCounts:
    """Counts over all calls of a run. sent: frames. lost: frames that the network lost. faults: by their text."""

    sent: int = 0
    lost: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class SimulatedPeer(Protocol):
    """A simulator. to: its usual address. options: name to what it means; any other is refused."""

    to: str
    options: Mapping[str, str]

    async def play(self, call: SimulatedCall, counts: SimulationCounts) -> None:
        """Play one call from its first to its last message. Raises RefusedCallError and OSError."""
        ...


def number(options: Mapping[str, str], key: str, usual: float) -> float:
    """Return an option that is a number. Raises BadInputError."""
    try:
        return float(options.get(key, usual))
    except ValueError as error:
        raise BadInputError(f"{key}={options[key]} is not a number", f"write for instance {key}=20") from error


async def paced(plan: list[tuple[float, int]]) -> AsyncIterator[int]:
    """Yield the numbers of frames, each at its time, counted from now: sleeping too long does not add up."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for at, frame in plan:
        wait = begun + at - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        yield frame
