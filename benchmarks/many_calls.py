"""Measures `monitor serve` with 200 live calls at once, on two cores that it shares with the callers.

Callers (callers.py) send RTP of PCMU in packets of 20 ms, each from a port of its own; this process subscribes to the
scores. The age of a score is counted from the packet with the last of its audio leaving its caller to the score
arriving here: network, jitter buffer, ring, network, bus and ZeroMQ. Every call scores a fixed grid of its audio
(serve.score_interval_ms), so that a call that lags or lost audio is seen at once. --misbehaving adds peers that flood,
lie, stall and vanish (misbehaving_peers.py), from which the calls must not suffer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import (
    RESULTS,
    configuration,
    cores,
    log,
    machine,
    parser,
    pin,
    scorer_of,
    table,
    warn_if_busy,
    write,
)
from benchmarks.latency import beats_of, slope_per_hour
from benchmarks.programs import END_S, START_S, free_address, helper, kernel_drops, start
from benchmarks.received import resources
from model.config import SAMPLE_RATE
from monitor.events import wire
from monitor.subscriber import Missed, Subscriber

SETTLE_S = 5.0
"""Calls that come in, and what torch's first steps cost, belong to the start."""
BAR_MS = 500.0
PACKET_S = 0.02
LATER_S = 6.0
"""The misbehaving begin when the callers are in: all come from one host, whose share of the rows they would take."""


@dataclass
class ReceivedEvents:
    """Times are time.monotonic(). scores: (source port of the call, index after the newest sample, received). beats:
    what heartbeats say. process: (time, resident MiB, processor s) of the monitor. ended: last words, by source port.
    codes: of health events.
    """

    scores: list[tuple[int, int, float]] = field(default_factory=list)
    beats: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    process: list[tuple[float, float, float]] = field(default_factory=list)
    ended: dict[int, dict[str, Any]] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    missed: int = 0


def port_of(call: str, prefix: str) -> int:
    """Return the source port of a call of ours, named rtp-PORT-HOST-SOURCE_PORT-SSRC; 0 for another."""
    return int(call.removeprefix(prefix).partition("-")[0]) if call.startswith(prefix) else 0


def take(received_events: ReceivedEvents, message: wire.Message, now: float, prefix: str) -> None:
    """Note what matters of an event."""
    event = message.event
    if event.type == "score" and not message.snapshot:
        received_events.scores.append((port_of(event.call, prefix), event.sample, now))
    elif event.type == "health":
        code = str(event.data.get("code"))
        detail = re.sub(r"\d+", "N", str(event.data.get("detail")))
        received_events.codes[f"{code}: {detail}" if code in ("refused", "not heard") else code] += 1
        if code == "heartbeat" and "calls" in event.data:
            received_events.beats.append((now, dict(event.data)))
    elif event.type == "call.ended" and not message.snapshot and (port := port_of(event.call, prefix)):
        received_events.ended[port] = dict(event.data)


def listen(
    subscriber: Subscriber,
    server: subprocess.Popen[bytes],
    received_events: ReceivedEvents,
    prefix: str,
    over: subprocess.Popen[str],
) -> None:
    """Receive until the callers have said goodbye and their calls have ended."""
    sample_at = progress_at = time.monotonic() + 1.0
    until = float("inf")
    while server.poll() is None and (now := time.monotonic()) < until:
        item = subscriber.receive(0.2)
        if isinstance(item, wire.Message):
            take(received_events, item, time.monotonic(), prefix)
        elif isinstance(item, Missed):
            received_events.missed += item.at_most
        if now >= sample_at:
            sample_at = now + 1.0
            received_events.process.append((now, *resources(server.pid)))
        if now >= progress_at and received_events.beats:
            progress_at = now + 10.0
            beat, memory = (
                received_events.beats[-1][1],
                received_events.process[-1][1] if received_events.process else 0.0,
            )
            log(f"{beat['calls']} calls, p99 {beat['latency_p99_ms']} ms, lost {beat['lost_s']} s, {memory:.0f} MiB")
        if until == float("inf") and over.poll() is not None:
            until = now + 3.0


def ages(received_events: ReceivedEvents, starts: dict[int, float]) -> NDArray[np.float64]:
    """Return (seconds since the first caller began, age in ms) of each score of our callers after the start: (n, 2)."""
    started = min(starts.values())
    rows = [
        (at - started, (at - starts[port] - sample / SAMPLE_RATE + PACKET_S) * 1000)
        for port, sample, at in received_events.scores
        if port in starts
    ]
    found = np.array(rows, dtype=np.float64).reshape(-1, 2)
    kept: NDArray[np.float64] = found[found[:, 0] >= min(SETTLE_S, found[:, 0].max(initial=0.0) / 2)]
    return kept


def figures(
    received_events: ReceivedEvents, starts: dict[int, float], sent: dict[str, float], dropped: int
) -> dict[str, Any]:
    """Return the figures of one run."""
    aged = ages(received_events, starts)
    if not len(aged):
        sys.exit("error: no score came; is another monitor using the port?")
    process = np.array([row for row in received_events.process if row[1]])
    kept = process[process[:, 0] >= min(starts.values()) + SETTLE_S]
    kept = kept if len(kept) > 1 else process
    p50, p99 = np.percentile(aged[:, 1], [50, 99])
    fill = beats_of(received_events.beats, "ring_fill_s")
    ended = [last for port, last in received_events.ended.items() if port in starts]
    lost = sum(float(last["lost_s"]) for last in ended)
    if len(ended) < len(starts):  # what calls lost that never ended stands in the heartbeats alone
        lost = max(lost, float(beats_of(received_events.beats, "lost_s").max(initial=0.0)))
    return {
        "calls": len(starts),
        "calls_ended": len(ended),
        "scores": len(aged),
        "missed_events": received_events.missed,
        "age_p50_ms": round(float(p50), 1),
        "age_p99_ms": round(float(p99), 1),
        "age_max_ms": round(float(aged[:, 1].max()), 1),
        "age_growth_ms_per_hour": slope_per_hour(aged[:, 0], aged[:, 1]),
        "ring_fill_max_s": round(float(fill.max(initial=0.0)), 3),
        "lost_s_of_all_calls": round(lost, 2),
        "datagrams_dropped_by_the_system": dropped,
        "memory_mib": {"start": round(kept[0, 1], 1), "end": round(kept[-1, 1], 1), "max": round(kept[:, 1].max(), 1)},
        "memory_growth_mib_per_hour": slope_per_hour(kept[:, 0], kept[:, 1]),
        "cores_used_by_the_monitor": round(float(np.diff(kept[[0, -1], 2])[0] / np.diff(kept[[0, -1], 0])[0]), 3),
        "callers": sent,
        "said": dict(received_events.codes),
    }


def run(calls: int, seconds: float, weights: str, misbehaving: int, screen: str, folder: Path) -> dict[str, Any]:
    """Return one run of everything."""
    address = free_address()
    port, tcp = (int(free_address().rpartition(":")[2]) for _ in range(2))
    start_file, log_file = folder / "begun", folder / "log"
    room = calls + misbehaving
    words = ["serve", "--rtp", f"127.0.0.1:{port}", "--publish", address, "--screen", screen]
    words += ["--set", f"serve.max_calls={room}"]
    words += ["--weights", weights] if weights != "default" else []
    words += ["--audiosocket", f"127.0.0.1:{tcp}"] if misbehaving else []
    received_events = ReceivedEvents()
    with (
        log_file.open("wb") as output,
        Subscriber(address, ("score.", "call.", "health"), heartbeats=True) as subscriber,
    ):
        server = start(words, output)
        helpers: list[subprocess.Popen[str]] = []
        try:
            until = time.monotonic() + START_S
            while not received_events.beats and server.poll() is None and time.monotonic() < until:
                if isinstance(item := subscriber.receive(0.2), wire.Message):
                    take(received_events, item, time.monotonic(), "")
            if not received_events.beats:
                sys.exit(f"error: the monitor did not start: {log_file.read_text(errors='replace')[-500:]}")
            helpers.append(helper("callers", port, calls, seconds, start_file))
            while misbehaving and not start_file.exists() and helpers[0].poll() is None:
                time.sleep(0.1)
            if misbehaving:
                helpers.append(helper("misbehaving_peers", port, tcp, misbehaving, LATER_S, seconds - LATER_S))
            listen(subscriber, server, received_events, f"rtp-{port}-127.0.0.1-", helpers[0])
            dropped = kernel_drops(port)
            sent, *nuisance = (json.loads(each.communicate(timeout=END_S)[0]) for each in helpers)
        finally:
            for each in helpers:
                each.terminate()
                each.wait(END_S)
            server.terminate()
            server.wait(END_S)
    starts = {int(source): at for source, at in json.loads(start_file.read_text()).items()}
    return figures(received_events, starts, sent, dropped) | ({"misbehaving": nuisance[0]} if nuisance else {})


def report(found: dict[str, Any]) -> str:
    keys = ["calls", "age_p50_ms", "age_p99_ms", "age_max_ms", "ring_fill_max_s", "lost_s_of_all_calls"]
    rows = [[key.replace("_", " "), found[key]] for key in [*keys, "cores_used_by_the_monitor"]]
    rows.append(["memory MiB", f"{found['memory_mib']['start']:.0f} to {found['memory_mib']['end']:.0f}"])
    return table(["", "measured"], rows)


def row(found: dict[str, Any], minutes: float, misbehaving: int) -> str:
    """Return a row of the table in docs/taps.md."""
    keys = ("age_p50_ms", "age_p99_ms", "age_max_ms", "lost_s_of_all_calls", "cores_used_by_the_monitor")
    cells = [found["calls"], misbehaving, f"{minutes:g}", *(found[key] for key in keys), found["memory_mib"]["max"]]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    options = parser("many_calls", "Many live RTP calls in monitor serve, on two cores with their callers.")
    options.set_defaults(out=None)
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--misbehaving", type=int, default=0, help="so many peers flood, lie, stall and vanish")
    options.add_argument("--screen", default="off", help="of the monitor: off, or plain")
    given = options.parse_args()
    warn_if_busy()
    pin(cores()[:2])
    scorer = scorer_of(configuration(given.weights))
    with tempfile.TemporaryDirectory() as name:
        found = run(given.calls, given.minutes * 60.0, given.weights, given.misbehaving, given.screen, Path(name))
    print(report(found))
    kept = found["age_p99_ms"] <= BAR_MS and not found["lost_s_of_all_calls"]
    kept = kept and not found["datagrams_dropped_by_the_system"] and found["calls_ended"] == given.calls
    print(
        f"{given.calls} calls in real time, nothing lost, age p99 at most {BAR_MS:g} ms: {'met' if kept else 'MISSED'}"
    )
    more = {"minutes": given.minutes, "bar_ms": BAR_MS, "bar_met": bool(kept), "machine": machine(scorer)}
    print(row(found, given.minutes, given.misbehaving))
    named = "many-calls-misbehaving.json" if given.misbehaving else "many-calls.json"
    write(given.out or RESULTS / named, found | more)


if __name__ == "__main__":
    main()
