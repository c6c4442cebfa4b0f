"""A cluster of two nodes whose network is cut while calls run: python -m chaos.shard_network, as root, on Linux.

The second node runs in a network namespace of its own, behind a virtual cable, on this machine. `monitor serve
--cluster HOST:PORT` has a shard on each; callers send RTP (benchmarks/callers.py). Asked for a third shard, both nodes
are full. Then the cable swallows what is sent to the second node, and later does not. Afterwards the journal is checked
as by chaos/shards.py. Exit status 0 = all held.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chaos import check
from chaos.shards import Found, free_port, look, start

SPACE, CABLE, FAR_END = "monitor-shards", "edge0", "shard0"
HEAD, NODE, PORT = "10.77.0.1", "10.77.0.2", 6399
AGAIN_S = 7.0
"""cluster.answer_s, in which nobody knows, and what chaos/shards.py allows besides."""
START_S, SETTLE_S = 120.0, 10.0
WARM_S, CUT_S, AFTER_S = 20.0, 20.0, 20.0
OPTIONS = ("cluster.shards=2", "cluster.spares=0")


def run(*words: object) -> str:
    """Run a program to its end. Returns its standard output; raises CalledProcessError."""
    done = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
    return done.stdout


def in_space(*words: object) -> list[object]:
    """Return the command that runs in the network namespace."""
    return ["ip", "netns", "exec", SPACE, *words]


@contextmanager
def cable() -> Iterator[None]:
    """Have a network namespace and a cable to it."""
    run("ip", "netns", "add", SPACE)
    try:
        run("ip", "link", "add", CABLE, "type", "veth", "peer", "name", FAR_END, "netns", SPACE)
        run("ip", "address", "add", f"{HEAD}/24", "dev", CABLE)
        run("ip", "link", "set", CABLE, "up")
        run(*in_space("ip", "address", "add", f"{NODE}/24", "dev", FAR_END))
        for device in (FAR_END, "lo"):
            run(*in_space("ip", "link", "set", device, "up"))
        yield
    finally:
        run("ip", "link", "delete", CABLE)
        run("ip", "netns", "delete", SPACE)


@contextmanager
def nodes(folder: Path) -> Iterator[None]:
    """Have a head node here and another node behind the cable, with one processor each."""
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    head = [*ray, "--head", f"--node-ip-address={HEAD}", f"--port={PORT}", "--include-dashboard=false"]
    far = in_space(*ray, f"--address={HEAD}:{PORT}", f"--node-ip-address={NODE}")
    started = []
    try:
        for name, words in (("head", head), ("node", far)):
            log = (folder / name).open("wb")
            started.append(subprocess.Popen([str(word) for word in words], stdout=log, stderr=log))
            wait_for_head()
        yield
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def wait_for_head() -> None:
    """Wait until the head node answers."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection((HEAD, PORT), 1.0):
            break
        time.sleep(0.5)
    time.sleep(SETTLE_S)


def shards(*words: str) -> str:
    """Run `monitor cluster` for this one, and return what it prints."""
    return run(sys.executable, "-m", "monitor", "cluster", f"{HEAD}:{PORT}", *words)


def watch(folder: Path, calls: int) -> Found:
    """Run a server and its callers. Returns what the journal says."""
    port, journal = free_port(), folder / "journal"
    server = start(folder, calls, port, cluster=f"{HEAD}:{PORT}", options=OPTIONS)
    seconds = WARM_S + CUT_S + AFTER_S
    words = [sys.executable, "-m", "benchmarks.callers", port, calls, seconds, folder / "begun"]
    callers = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE)
    try:
        print(shards("--shards", "3"), flush=True)
        time.sleep(WARM_S / 2)
        print(shards("--shards", "2"), flush=True)
        time.sleep(WARM_S / 2)
        print("cut", flush=True)
        run("tc", "qdisc", "add", "dev", CABLE, "root", "blackhole")
        time.sleep(CUT_S)
        print(shards(), "mended", sep="", flush=True)
        run("tc", "qdisc", "delete", "dev", CABLE, "root")
        callers.wait()
        time.sleep(3.0)
        print(shards(), flush=True)
    finally:
        callers.kill()
        server.terminate()
        server.wait(60)
    found = look(journal)
    found.alerts += filter(None, [check.journal(journal)[1]])
    return found


def main() -> int:
    """Run the command, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos.shard_network", description=__doc__)
    parser.add_argument("--calls", type=int, default=10)
    wanted = parser.parse_args()
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    with tempfile.TemporaryDirectory(prefix="chaos-network-") as name, cable(), nodes(Path(name)):
        found = watch(Path(name), wanted.calls)
    worst = max((gap for gap, _ in found.gaps.values()), default=0.0)
    print(f"{len(found.gaps)} calls, {found.scores} scores; longest time without a score: {worst:.2f} s")
    print(f"back to listening: {len(found.back)}; wrong: {found.alerts or 'nothing'}; health: {dict(found.health)}")
    held = worst <= AGAIN_S and not found.back and not found.alerts and len(found.gaps) == wanted.calls
    print("held" if held else "FAILED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
