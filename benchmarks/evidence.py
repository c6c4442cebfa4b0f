"""Measure the cost of keeping evidence: the scoring thread, the writer's thread, memory, and an alert.

Processor time of each part a turn (20 ms of audio of all channels), so that other programs on the machine hardly show.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import parser, platform_of, table, voice, write
from model.config import BLOCK, BLOCK_S
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine.calls import Call, Feed
from monitor.engine.ring_bank import RingBank
from monitor.sinks.evidence_sink import EvidenceSink
from monitor.types import Event

PARTIES = ("caller", "callee")


def calls(count: int) -> Iterator[Call]:
    """Make calls of two parties, on rows of their own."""
    bank = RingBank(count * len(PARTIES), 0.04)
    for number in range(count):
        rings = bank.claim([1] * len(PARTIES))
        feeds = tuple(Feed((name,), ring, live=True) for name, ring in zip(PARTIES, rings, strict=True))
        yield Call(f"call{number}", "benchmark", feeds)


def turns(rows: int, seconds: float) -> Iterator[Blocks]:
    """Yield live audio of so many rows."""
    loop = voice(4.0)
    places = np.arange(rows) * 997 % (len(loop) - BLOCK)
    for turn in range(round(seconds / BLOCK_S)):
        at = (places + turn * BLOCK) % (len(loop) - BLOCK)
        samples = loop[at[:, None] + np.arange(BLOCK)]
        yield Blocks(np.arange(rows), samples, np.full(rows, (turn + 1) * BLOCK), np.full(rows, 1.0))


def measure(count: int, seconds: float, retain: str) -> dict[str, Any]:
    """Return figures of so many calls for so long, with an alert in the middle."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    score, pump = [], []
    with tempfile.TemporaryDirectory() as name:
        config = Config.model_validate({"evidence_store": {"path": name, "retain": retain}})
        sink = EvidenceSink(config, "20260131T120000Z-bench1")
        live = list(calls(count))
        for call in live:
            sink.recorder.add_event(call.rows, Event("call.started", call.name, "", 0, {"channels": list(PARTIES)}))
        for number, blocks in enumerate(turns(count * len(PARTIES), seconds)):
            started = time.thread_time()
            sink.recorder.add_blocks(blocks)
            score.append(time.thread_time() - started)
            started = time.thread_time()
            sink.tick()
            pump.append(time.thread_time() - started)
            if number == round(seconds / BLOCK_S / 2):
                sink.recorder.add_event(live[0].rows, alert(live[0], int(blocks.end[0])))
        started = time.thread_time()
        sink.close()
        closing = time.thread_time() - started
        size = sum(f.stat().st_size for f in Path(name).rglob("*") if f.is_file())
    return {
        "scoring_thread_us": round(statistics.median(score) * 1e6, 1),
        "writer_ms": round(sum(pump) / len(pump) * 1e3, 3),
        "writer_share_of_a_core": round(sum(pump) / len(pump) / BLOCK_S, 3),
        "alert_ms": round(closing * 1e3, 1),
        "memory_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024),
        "disk_mb": round(size / 1e6, 1),
        "dropped_blocks": sink.recorder.dropped,
    }


def alert(call: Call, sample: int) -> Event:
    """Make an alert on the caller's channel."""
    return Event("alert.opened", call.name, PARTIES[0], sample, {"alert": f"{call.name}/{PARTIES[0]}/1"})


def main() -> None:
    options = parser("evidence", "What keeping evidence costs.")
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--seconds", type=float, default=24.0)
    options.add_argument("--retain", choices=("none", "alerts", "all"), default="alerts")
    given = options.parse_args()
    found = measure(given.calls, given.seconds, given.retain)
    print(table(["figure", f"{given.calls} calls, {given.retain}"], [[k, v] for k, v in found.items()]))
    about = {"calls": given.calls, "seconds": given.seconds, "retain": given.retain, "machine": platform_of()}
    write(given.out, found | about)


if __name__ == "__main__":
    main()
