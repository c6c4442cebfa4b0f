"""Shards of a cluster killed while they score: python -m chaos.shards --minutes 5 --calls 200.

`monitor serve --cluster` on this machine with two shards; callers send RTP (benchmarks/callers.py), and every --every
seconds one shard's process is killed with -9, one after the other. Afterwards the journal is checked: every call was
scored again within 3 s, none fell back to "listening", no alert is missing or there twice. Exit status 0 = all held.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from chaos import check
from monitor.journal import journal_files

AGAIN_S = 3.0
START_S, SPREAD_S = 180.0, 10.0
TICKS = os.sysconf("SC_CLK_TCK")
JOINED = re.compile(r"(shard-\d+): process (\d+) ")


@dataclass
class Found:
    """What a journal says. gaps: longest time between two scores of each call, in s, and when it began. back: calls
    that had a verdict and were listening again. alerts: what is wrong with their order. health: codes, counted.
    """

    gaps: dict[str, tuple[float, float]] = field(default_factory=dict)
    back: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    opened: int = 0
    scores: int = 0
    health: Counter[str] = field(default_factory=Counter)


def look(path: Path) -> Found:
    """Read all events of a journal."""
    found, last, judged = Found(), dict[str, float](), set[str]()
    alerts: dict[str, list[str]] = defaultdict(list)
    for event in events(path):
        call, at = f"{event['call']}/{event['channel']}", datetime.fromisoformat(event["time"]).timestamp()
        if event["type"] == "score":
            found.scores += 1
            gap = at - last.get(call, at)
            found.gaps[call] = max(found.gaps.get(call, (0.0, 0.0)), (gap, last.get(call, at)))
            last[call] = at
            if event["state"] != "listening":
                judged.add(call)
            elif call in judged and call not in found.back:
                found.back.append(call)
        elif event["type"] in ("alert.opened", "alert.closed"):
            alerts[call].append(event["type"].removeprefix("alert.") + " " + event["alert"].rpartition("/")[2])
            found.opened += event["type"] == "alert.opened"
        elif event["type"] == "health":
            found.health[event["code"]] += 1
    for call, seen in alerts.items():
        expected = [f"{what} {number}" for number in range(1, len(seen) // 2 + 2) for what in ("opened", "closed")]
        if seen != expected[: len(seen)]:
            found.alerts.append(f"{call}: {', '.join(seen)}")
    return found


def events(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a journal so far."""
    every = []
    for file in [*journal_files.rotated_files(path), *([path] if path.exists() else [])]:
        for line in file.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                with contextlib.suppress(ValueError):
                    every.append(json.loads(line))
    return [event for event in every if "seq" in event and "type" in event]


def shards(path: Path) -> dict[str, int]:
    """Return the process of each shard that has joined, the newest."""
    with path.open("rb") as lines:
        text = "\n".join(line.decode() for line in lines if b'"shard joined"' in line)
    return {name: int(pid) for name, pid in JOINED.findall(text)}


def family_s(pid: int) -> float:
    """Return the processor time in s of a process and of all that it has started, and of what has ended of those."""
    total = 0.0
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, stat[11:15])) / TICKS
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(family_s(int(child)) for child in (task / "children").read_text().split())
    return total


def is_there(journal: Path, count: int) -> bool:
    """Return whether a server listens, and has so many shards."""
    return journal.exists() and b'"listening"' in journal.read_bytes() and len(shards(journal)) >= count


def start(
    folder: Path,
    calls: int,
    port: int,
    *,
    cluster: str = "local",
    options: Sequence[str] = (),
    weights: str = "default",
) -> subprocess.Popen[bytes]:
    """Start `monitor serve`, and wait until it listens; with a cluster, until two shards are there. cluster: its
    address; "" = none. options: of --set.
    """
    words = ["serve", "--rtp", f"127.0.0.1:{port}", "--no-publish", "--screen", "off", "--weights", weights]
    words += ["--cluster", cluster] if cluster else []
    words += ["--journal", str(folder / "journal")]
    words += [word for text in (f"serve.max_calls={calls}", *options) for word in ("--set", text)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "monitor", *words], stdin=subprocess.DEVNULL, stderr=log)
    until = time.monotonic() + START_S
    while not is_there(folder / "journal", 2 * bool(cluster)):
        if server.poll() is not None or time.monotonic() > until:
            server.kill()
            sys.exit(f"error: the server did not start: {(folder / 'log').read_text()[-500:]}")
        time.sleep(0.5)
    return server


def free_port() -> int:
    """Return a UDP port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(
    folder: Path, calls: int, minutes: float, every_s: float, options: Sequence[str] = ()
) -> tuple[Found, int, str, float]:
    """Return what the journal says, how many shards were killed, what is wrong with the journal, and the processor time
    in s that the server and the shards used while calls ran.
    """
    port = free_port()
    server, journal, killed = start(folder, calls, port, options=options), folder / "journal", 0
    before = family_s(server.pid)
    words = [port, calls, minutes * 60 + SPREAD_S, folder / "begun"]
    callers = subprocess.Popen([sys.executable, "-m", "benchmarks.callers", *map(str, words)], stdout=subprocess.PIPE)
    try:
        due = time.monotonic() + SPREAD_S + every_s
        while callers.poll() is None and server.poll() is None:
            time.sleep(0.2)
            if time.monotonic() < due:
                continue
            due += every_s
            name = f"shard-{killed % 2 + 1}"
            with contextlib.suppress(ProcessLookupError):
                os.kill(shards(journal)[name], signal.SIGKILL)
                killed += 1
                print(f"{killed}: {name} killed", flush=True)
        used = family_s(server.pid) - before
        time.sleep(3.0)
    finally:
        callers.kill()
        server.send_signal(signal.SIGINT)
        server.wait(60)
    return look(journal), killed, check.journal(journal)[1], used


def main() -> int:
    """Run the command, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos.shards", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two kills")
    parser.add_argument("--set", action="append", default=[], dest="options", metavar="KEY=VALUE", help="a setting")
    parser.add_argument("--keep", type=Path, help="folder that keeps the journal")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-shards-") as name:
        folder = wanted.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        found, killed, broken, used = run(folder, wanted.calls, wanted.minutes, wanted.every, wanted.options)
    late = {call: gap for call, (gap, _) in found.gaps.items() if gap > AGAIN_S}
    worst = max((gap for gap, _ in found.gaps.values()), default=0.0)
    print(f"{len(found.gaps)} calls, {found.scores} scores, {killed} shards killed, {found.opened} alerts")
    print(f"longest time without a score: {worst:.2f} s; over {AGAIN_S:g} s: {len(late)} calls")
    print(f"back to listening: {len(found.back)} calls; alerts out of order: {found.alerts or 'none'}")
    print(f"journal: {broken or 'whole'}; health: {dict(found.health)}; processor time of all: {used:.1f} s")
    held = not (late or found.back or found.alerts or broken) and len(found.gaps) == wanted.calls and killed > 0
    print("held" if held else "FAILED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
