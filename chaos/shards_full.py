"""More calls than two shards carry: python -m chaos.shards_full --calls 300.

`monitor serve --cluster` on this machine with two shards. Callers send RTP (benchmarks/callers.py), one more every
--spread / --calls seconds, until there are more than the machine can score; then none is added for --hold seconds. New
calls must be refused, with the reason in health events, heartbeats and /metrics; those that were taken must lose no
audio, and be scored as soon as before. The age of a score is counted from the packet with the last of its audio leaving
its caller to the event's time. Exit status 0 = all held.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from chaos import check
from chaos.shards import events, family_s, free_port, start
from model.config import SAMPLE_RATE

BAR_S = 1.0
"""Age of a score, 99th percentile, also while calls are refused."""
SETTLE_S = 3.0
AT_ONCE_S = 2.0
CALL = re.compile(r"rtp-\d+-127\.0\.0\.1-(\d+)-\d+")
METRICS = ("calls_refused_total", "shard_busy_share", "audio_lost_seconds_total", "audio_waiting_seconds")


@dataclass
class Taken:
    """ages: (seconds since the first call, s) of each score. lost_s: of each call that was taken. reasons: of calls
    that were not, with the seconds at which it was said.
    """

    ages: list[tuple[float, float]] = field(default_factory=list)
    lost_s: dict[str, float] = field(default_factory=dict)
    reasons: list[tuple[float, str]] = field(default_factory=list)
    health: Counter[str] = field(default_factory=Counter)


def look(every: Sequence[dict[str, Any]], starts: dict[str, float], to_wall_s: float) -> Taken:
    """Read what a server says of the calls of callers. to_wall_s: from their clock to that of events. One that was
    refused at first and taken later begins when the server says so.
    """
    found, first, begun = Taken(), min(starts.values()) + to_wall_s, dict[str, float]()
    for event in every:
        at = datetime.fromisoformat(event["time"]).timestamp()
        if event["type"] == "call.started" and (named := CALL.fullmatch(event["call"])):
            start_at = starts[named[1]] + to_wall_s
            begun[event["call"]] = start_at if at - start_at < AT_ONCE_S else at
        elif event["type"] == "score" and event["call"] in begun:
            found.ages.append((at - first, at - begun[event["call"]] - event["sample"] / SAMPLE_RATE))
        elif event["type"] == "call.ended":
            found.lost_s[event["call"]] = event["lost_s"]
        elif event["type"] == "health":
            found.health[event["code"]] += 1
            if event["code"] == "refused":
                found.reasons.append((at - first, event["detail"]))
    return found


def metrics(port: int) -> dict[str, float]:
    """Return some figures of a running server, by the last words of their names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {
        line.split("speech_monitor_")[1].rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(tuple(f"speech_monitor_{name}" for name in METRICS))
    }


def run(folder: Path, calls: int, spread_s: float, hold_s: float, options: Sequence[str]) -> tuple[Taken, str, float]:
    """Return what the journal says, what is wrong with it, and how many calls were refused by /metrics."""
    port, listen = free_port(), free_port()
    server = start(folder, calls, port, options=[f"metrics.listen=127.0.0.1:{listen}", *options])
    words = [port, calls, spread_s + hold_s, folder / "begun", spread_s]
    command = [sys.executable, "-m", "benchmarks.callers", *map(str, words)]
    callers = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    before, begun, refused = family_s(server.pid), time.monotonic(), 0.0
    to_wall_s = time.time() - time.monotonic()
    try:
        while callers.poll() is None and server.poll() is None:
            time.sleep(5.0)
            with contextlib.suppress(OSError):
                figures = metrics(listen)
                refused = figures["calls_refused_total"]
                cores = (family_s(server.pid) - before) / (time.monotonic() - begun)
                print(f"{time.monotonic() - begun:.0f} s: {figures}, {cores:.2f} cores", flush=True)
        time.sleep(SETTLE_S)
        print(callers.communicate()[0].strip())
    finally:
        callers.kill()
        server.send_signal(signal.SIGINT)
        server.wait(60)
    journal = folder / "journal"
    starts = json.loads((folder / "begun").read_text())
    return look(events(journal), starts, to_wall_s), check.journal(journal)[1], refused


def percentiles(ages: Sequence[float]) -> str:
    """Return the middle, the 99th percentile and the highest in ms, in words."""
    if not ages:
        return "no scores"
    p50, p99, most = 1000 * np.percentile(ages, [50, 99, 100])
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {most:.0f} ms, {len(ages)} scores"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos.shards_full", description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--spread", type=float, default=90.0, help="seconds in which they come")
    parser.add_argument("--hold", type=float, default=30.0, help="seconds more")
    parser.add_argument("--set", action="append", default=[], dest="options", metavar="KEY=VALUE", help="a setting")
    parser.add_argument("--keep", type=Path, help="folder that keeps the journal")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-full-") as name:
        folder = wanted.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        found, broken, refused = run(folder, wanted.calls, wanted.spread, wanted.hold, wanted.options)
    first = min((at for at, _ in found.reasons), default=float("inf"))
    lost = {call: lost_s for call, lost_s in found.lost_s.items() if lost_s > 0}
    before, after = ([age for at, age in found.ages if (at < first) == early] for early in (True, False))
    print(
        f"{wanted.calls} calls: {len(found.lost_s)} taken, {refused:.0f} refused by /metrics, first after {first:.1f} s"
    )
    print(f"said: {sorted({detail.partition(';')[0] for _, detail in found.reasons})}; health: {dict(found.health)}")
    print(f"age of scores until then: {percentiles(before)}")
    print(f"age of scores after it: {percentiles(after)}")
    print(f"calls that lost audio: {len(lost)} ({sum(lost.values()):.2f} s); journal: {broken or 'whole'}")
    p99 = float(np.percentile(after, 99)) if after else float("inf")
    held = refused > 0 and bool(found.reasons) and not lost and not broken and p99 <= BAR_S
    print("held" if held else "FAILED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
