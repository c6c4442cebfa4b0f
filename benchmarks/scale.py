"""How many machines 10 000 to 1 000 000 calls at once take: costs measured here, and a simulation of a cluster.

Measured, processor time of one core: what a shard spends on a block of 20 ms of a stream, and what the server that has
the taps (the edge) spends on it, from the RTP packet to the published event; bytes of a block, a checkpoint, an event.
Simulated, second by second, from a seed: calls arrive at random (Poisson), last as calls do (log-normal), and are
placed at random on the machines that have room, as rendezvous hashing does; machines die, their calls go on elsewhere.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import cores, log, parser, pin, platform_of, table, warn_if_busy, write
from benchmarks.scale_costs import StreamCosts, measure

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
SIZES = (10_000, 100_000, 1_000_000)
BLOCKS_PER_S = 50
LONGEST_S = 7200


@dataclass(frozen=True)
class Plan:
    """Assumptions. calls: at once, on average. length_s, spread: mean of a call, and sigma of its logarithm.
    parties: streams of a call. cores: of a machine of shards. busy: share of its time for which it takes new calls.
    days: between two deaths of a machine. repair_s: until there is another. checkpoint_s, network_gbit: of a machine.
    """

    calls: int = 10_000
    length_s: float = 180.0
    spread: float = 1.0
    parties: int = 2
    cores: int = 16
    busy: float = 0.8
    days: float = 30.0
    repair_s: int = 120
    checkpoint_s: float = 2.0
    network_gbit: float = 10.0
    seconds: int = 1800
    seed: int = 1


@dataclass(frozen=True)
class ScaleOutcome:
    """Result of one simulation. refused: share of new calls. busiest: highest share of a machine's processors that was
    in use. deaths: of machines. moved: calls by death. lost_s: seconds of calls that machines were too busy for.
    """

    refused: float
    busiest: float
    deaths: int
    moved: float
    lost_s: int


def capacity(plan: Plan, costs: StreamCosts) -> int:
    """Return calls for which a machine's processors suffice to the full."""
    return int(plan.cores * 1e6 / (costs.shard_us * BLOCKS_PER_S * plan.parties))


def simulate(plan: Plan, machines: int, full: int) -> ScaleOutcome:
    """Run a cluster. full: as of capacity(). One machine dies half-way in any case."""
    rng = np.random.default_rng(plan.seed)
    mean = math.log(plan.length_s) - plan.spread**2 / 2
    ends = np.zeros((LONGEST_S, machines), np.int64)
    # Calls that are going on are long ones more often, and any part of one is left (the inspection paradox).
    left = rng.lognormal(mean + plan.spread**2, plan.spread, plan.calls) * rng.random(plan.calls)
    np.add.at(ends, (_steps(left), rng.integers(machines, size=plan.calls)), 1)
    active, back = ends.sum(axis=0), np.zeros(machines, np.int64)
    room, dies = int(full * plan.busy), 1 / (plan.days * 86_400)
    came = refused = lost = deaths = moved = 0
    busiest = 0.0
    for second in range(plan.seconds):
        now = second % LONGEST_S
        active -= ends[now]
        ends[now] = 0
        alive = back <= second
        dead = alive & (rng.random(machines) < dies)
        dead[0] |= second == plan.seconds // 2
        if dead.any() and (alive & ~dead).any():
            deaths, moved = deaths + int(dead.sum()), moved + int(active[dead].sum())
            back[dead], alive = second + plan.repair_s, alive & ~dead
            _move(ends, active, dead, alive, rng)
        new = int(rng.poisson(plan.calls / plan.length_s))
        free = np.flatnonzero(alive & (active < room))
        came += new
        if len(free):
            where = rng.choice(free, new)
            np.add.at(ends, ((now + _steps(rng.lognormal(mean, plan.spread, new))) % LONGEST_S, where), 1)
            active += np.bincount(where, minlength=machines)
        else:
            refused += new
        busiest = max(busiest, float(active.max()) / full)
        lost += int(np.maximum(active - full, 0).sum())
    return ScaleOutcome(refused / came, busiest, deaths, moved / max(deaths, 1), lost)


def _steps(seconds: NDArray[np.float64]) -> Ints:
    return np.asarray(np.clip(seconds, 1, LONGEST_S - 1), np.int64)


def _move(ends: Ints, active: Ints, dead: Mask, alive: Mask, rng: np.random.Generator) -> None:
    """Let the calls of dead machines go on at others."""
    places = np.flatnonzero(alive)
    for second, count in enumerate(ends[:, dead].sum(axis=1).tolist()):
        if count:
            where = np.bincount(rng.choice(places, count), minlength=len(active))
            ends[second] += where
            active += where
    ends[:, dead] = 0
    active[dead] = 0


def machines_for(plan: Plan, costs: StreamCosts) -> tuple[int, ScaleOutcome]:
    """Return the fewest machines that refuse less than 1 call in 10 000 and lose no audio, though one dies."""
    full = capacity(plan, costs)
    low = max(2, math.ceil(plan.calls / (full * plan.busy)))
    machines, step = low, max(1, low // 100)
    while (found := simulate(plan, machines, full)).refused >= 1e-4 or found.lost_s:
        machines += step
    return machines, found


def edge_calls(plan: Plan, costs: StreamCosts) -> tuple[int, int]:
    """Return calls that one edge carries: by its processor, of which it uses one core, and by its network."""
    by_processor = plan.busy * 1e6 / (costs.edge_us * BLOCKS_PER_S * plan.parties)
    by_network = plan.network_gbit * 1e9 / 8 * plan.busy / (plan.parties * stream_bytes(plan, costs))
    return int(by_processor), int(by_network)


def stream_bytes(plan: Plan, costs: StreamCosts) -> float:
    """Return the bytes a second that a stream costs between edge and shards, checkpoints included."""
    return BLOCKS_PER_S * (costs.block_bytes + costs.figure_bytes) + 2 * costs.state_bytes / plan.checkpoint_s


def main() -> None:
    options = parser("scale", "Machines for 10 000 to 1 000 000 calls, from costs measured here.")
    for name, value in asdict(Plan()).items():
        if name != "calls":
            options.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options.add_argument("--costs", type=Path, help="take the costs of an earlier run, instead of measuring them")
    given = options.parse_args()
    if given.costs:
        costs = StreamCosts(**json.loads(given.costs.read_text(encoding="utf-8"))["costs"])
    else:
        warn_if_busy()
        pin(cores()[-1:])
        costs = measure(given.weights)
    plan = Plan(**{name: getattr(given, name) for name in asdict(Plan()) if name != "calls"})
    print(table(["cost", "measured"], [[name, f"{value:.1f}"] for name, value in asdict(costs).items()]))
    by_processor, by_network = edge_calls(plan, costs)
    rows, figures = [], []
    for calls in SIZES:
        started, sized = time.monotonic(), replace(plan, calls=calls)
        machines, found = machines_for(sized, costs)
        edges = math.ceil(calls / min(by_processor, by_network))
        gbit = calls * plan.parties * stream_bytes(plan, costs) * 8 / 1e9
        share = calls / machines / capacity(plan, costs)
        rows.append(
            [f"{calls:,}", machines, f"{share:.0%}", f"{found.busiest:.0%}", f"{found.moved:.0f}", edges, f"{gbit:.1f}"]
        )
        figures.append({"calls": calls, "machines": machines, "edges": edges, "gbit_s": gbit, **asdict(found)})
        log(f"{calls} calls: {machines} machines, simulated in {time.monotonic() - started:.0f} s")
    head = ["calls", "machines", "busy", "busiest", "calls of a dead machine", "edges", "Gbit/s"]
    print(table(head, rows))
    print(f"an edge carries {by_processor} calls by its processor, {by_network} by its network")
    write(given.out, {"costs": asdict(costs), "plan": asdict(plan), "sizes": figures, "machine": platform_of()})


if __name__ == "__main__":
    main()
