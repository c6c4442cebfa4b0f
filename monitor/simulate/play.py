"""`monitor simulate`: play a recorded call into a tap, as its real peer would."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.audio import Audio, Chunk
from monitor.errors import BadInputError
from monitor.simulate.plan import Impairments
from monitor.simulate.registry import PEERS, make_peer
from monitor.simulate.simulated_peer import RefusedCallError, SimulatedCall, SimulatedPeer, SimulationCounts
from monitor.sources.recording import FileSource

SPREAD_S = 0.01
"""Between the beginnings of two calls."""
MOST_PARTIES = 2


@dataclass(frozen=True)
class SimulationOptions:
    """Options of one run. to: "" = the tap's usual address."""

    tap: str
    file: Path
    to: str
    network: Impairments
    calls: int
    options: Mapping[str, str]


def simulate(simulation: SimulationOptions) -> int:
    """Play the calls. Returns the exit status: 0, or 2 where a call could not be played. Raises BadInputError."""
    peer = _peer(simulation)
    audio = read_call(simulation.file)
    to = simulation.to or peer.to
    calls = [SimulatedCall(i, audio, to, simulation.network, simulation.options) for i in range(simulation.calls)]
    counts = asyncio.run(_play(peer, calls))
    print(f"{simulation.calls - sum(counts.faults.values())} of {simulation.calls} calls played to {to}, ", end="")
    print(f"{counts.sent} frames sent, {counts.lost} lost on the way")
    for fault, count in counts.faults.most_common():
        print(f"error: {fault}" + (f" ({count} calls)" if count > 1 else ""), file=sys.stderr)
    return 2 if counts.faults else 0


def read_call(path: Path) -> Audio:
    """Return a recording as float32 (parties, n) at 16 kHz. Raises BadInputError."""
    source = FileSource(path, max_channels=MOST_PARTIES, read_ms=1000)
    pieces = [item.samples for item in source.chunks() if isinstance(item, Chunk)]
    joined: Audio = np.nan_to_num(np.concatenate([np.zeros((len(source.channels), 0), np.float32), *pieces], axis=1))
    if not joined.shape[1]:
        raise BadInputError(f"{path} holds no audio", "name a recording of a call")
    return joined


def parse_options(assignments: Sequence[str]) -> dict[str, str]:
    """Parse texts KEY=VALUE. Raises BadInputError."""
    pairs = [text.partition("=") for text in assignments]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise BadInputError(f"--with {key} is not KEY=VALUE", "write for instance --with codec=G722")
    return {key: value for key, _, value in pairs}


def _peer(simulation: SimulationOptions) -> SimulatedPeer:
    if simulation.tap not in PEERS:
        raise BadInputError(f"there is no simulator for {simulation.tap!r}", f"choose from {', '.join(PEERS)}")
    peer = make_peer(simulation.tap)
    unknown = sorted(set(simulation.options) - set(peer.options))
    if unknown:
        known = "; ".join(f"{name}: {what}" for name, what in peer.options.items()) or "it has none"
        raise BadInputError(f"{simulation.tap} has no option {', '.join(unknown)}", known)
    return peer


async def _play(peer: SimulatedPeer, calls: Sequence[SimulatedCall]) -> SimulationCounts:
    counts = SimulationCounts()

    async def one(call: SimulatedCall) -> None:
        await asyncio.sleep(call.number * SPREAD_S)
        try:
            await peer.play(call, counts)
        except RefusedCallError as error:
            counts.faults[f"the monitor refused: {error}"] += 1
        except OSError as error:
            counts.faults[f"{call.to}: {error.strerror or error}"] += 1

    await asyncio.gather(*(one(call) for call in calls))
    return counts
