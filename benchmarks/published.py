"""Processor time of what stands around the scorer, paired with the version before (benchmarks/before.py).

From the push of a block into its ring to the message on the ZeroMQ socket: ring, evidence, decision, events, bus and
publisher, with a scorer that gives the same figures at once. Rounds as in benchmarks/step.py.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.before import BEFORE, THIS, add_options, checkouts, times_less
from benchmarks.common import cores, log, parser, pin, platform_of, table, warn_if_busy, write

CASES = ((1, 500), (64, 500), (256, 500), (256, 40))
"""Streams, and milliseconds from score to score."""
PROGRAM = """
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.scoring.opening import open_scorer
from monitor.sinks.registry import open_sinks
from monitor.audio import Chunk
from model.figures import FIGURES

def make(rows, config, figures):
    scorer = open_scorer(config.model, rows)
    scorer.score = lambda index, samples: figures(len(index), FIGURES, len(scorer.config.families))
    return Pool(scorer, config)

def turn(engine):
    engine.begin()
    engine.turn()
"""
PROGRAM_BEFORE = """
import torch
from model.checkpoint import load_detector, weights_path
from model.packed import FIGURES
from monitor.bus import Bus
from monitor.config import Config
from monitor.engine import Engine
from monitor.pool import Pool
from monitor.ring import RingBank
from monitor.sinks.registry import open_sinks
from monitor.types import Chunk

def make(rows, config, figures):
    detector = load_detector(weights_path(config.model.weights))
    pool = Pool(detector, config, rows)
    pool._streams.hear = lambda index, several: figures(len(index), FIGURES, len(detector.config.families))
    return pool

def turn(engine):
    engine._turn()
"""
MADE = {THIS: PROGRAM, BEFORE: PROGRAM_BEFORE}
TIMED = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[1])
streams, interval, turns = map(int, sys.argv[2:5])
{make}
def figures(count, names, families):
    values = dict(level=-20.0, kind=0, warm=1, bandwidth=1, active=1, spoof=0.3, speech=0.95)
    row = [values[name] for name in names] + [1.0 / families] * families
    return np.tile(np.array(row, np.float32), (count, 1, 1))

config = Config.model_validate(dict(
    model=dict(device="cpu"), publish=dict(score_interval_ms=interval), zeromq=dict(address="tcp://127.0.0.1:*")
))
pool = make(streams, config, figures)
with Bus(open_sinks(config, "epoch"), 20_000, "epoch") as bus:
    engine = Engine(pool, RingBank(streams, 2.0), bus, config, serving=True)
    calls = [engine.admit(f"call{{i}}", "benchmark", ["caller"], {{}}) for i in range(streams)]
    audio = np.random.default_rng(0).standard_normal((1, 320)).astype(np.float32) * 0.1
    for t in range(turns + 25):
        if t == 25:
            begun = time.process_time()
        for call in calls:
            call.feeds[0].ring.push(Chunk(audio, t * 320, time.monotonic()), wait=False)
        turn(engine)
    bus.drain(60.0)
    print((time.process_time() - begun) / turns / streams * 1e6)
"""
"""Prints the microseconds of processor time a block and stream."""


def timed(make: str, checkout: Path, streams: int, interval: int, turns: int) -> float:
    """Return microseconds of processor time a block and stream, in a process that imports the checkout."""
    words = [str(checkout.resolve()), str(streams), str(interval), str(turns)]
    command = [sys.executable, "-c", TIMED.format(make=make), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return float(ran.stdout.split()[-1])


def main() -> None:
    options = parser("published", "Processor time of all but the scorer, paired with the version before.")
    add_options(options)
    given = options.parse_args()
    warn_if_busy()
    pin(cores()[-1:])
    there = checkouts(given.against)
    rows, figures = [], []
    for streams, interval in CASES:
        turns = 100 if streams > 1 else 2000
        found: dict[str, list[float]] = {name: [] for name in there}
        for _ in range(given.rounds):
            for name, checkout in there.items():
                found[name].append(timed(MADE[name], checkout, streams, interval, turns))
        medians, ratio = {name: statistics.median(us) for name, us in found.items()}, times_less(found)
        figures.append({"streams": streams, "interval_ms": interval, "us_a_block": medians, "times_less": ratio})
        rows.append([f"{streams}, {interval} ms", *(f"{us:.1f}" for us in medians.values()), f"{ratio or 1:.2f}"])
        log(f"{streams} streams, a score every {interval} ms")
    print(table(["streams", *(f"us a block, {name}" for name in there), "times less"], rows))
    write(given.out, {"cases": figures, "rounds": given.rounds, "machine": platform_of()})


if __name__ == "__main__":
    main()
