"""Resident memory of a process that scores so many streams, with rings, events and the ZeroMQ publisher.

Run it once for each number: python -m benchmarks.memory --streams 256
"""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path

import numpy as np

from benchmarks.common import configuration, parser, scorer_of, voice, write
from model.config import BLOCK
from monitor.audio import Chunk
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.engine.traces import Traces
from monitor.events.bus import Bus
from monitor.sinks.registry import open_sinks

TURNS = 150
DESKTOP = (
    "rich.console",
    "sounddevice",
    "monitor.cli.main",
    "monitor.dashboard.screen_thread",
    "monitor.session.watch",
)


def resident_mib() -> float:
    """Return the resident memory of this process, by /proc (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    options = parser("memory", "Resident memory of a process that scores streams.")
    options.add_argument("--streams", type=int, default=1)
    options.add_argument("--desktop", action="store_true", help="load what else a microphone and a screen need, too")
    given = options.parse_args()
    if given.desktop:
        for name in DESKTOP:
            import_module(name)
    config, blocks = configuration(given.weights, zeromq={"address": "tcp://127.0.0.1:*"}), voice(6.0)
    found = {"imported": resident_mib()}
    pool = Pool(scorer_of(config, given.streams), config, Traces(given.streams))
    found["network loaded"] = resident_mib()
    with Bus(open_sinks(config, "epoch"), 20_000, "epoch") as bus:
        engine = Engine(pool, RingBank(given.streams, config.serve.ring_s), bus, config, serving=True)
        calls = [engine.admit(f"call{i}", "benchmark", ["caller"], {}) for i in range(given.streams)]
        for turn in range(TURNS):
            samples = np.roll(blocks, -turn * BLOCK)[None, :BLOCK]
            for call in calls:
                call.feeds[0].ring.push(Chunk(samples, turn * BLOCK, time.monotonic()), wait=False)
            engine.begin()
            engine.turn()
        found["running"] = resident_mib()
    print(", ".join(f"{name} {mib:.0f} MiB" for name, mib in found.items()))
    write(given.out, {"streams": given.streams, "mib": {name: round(mib, 1) for name, mib in found.items()}})


if __name__ == "__main__":
    main()
