"""python -m chaos.siege: hostile subscribers and idle sockets besiege a publisher; a good one must get its alerts.

The hostile ones ask for far more than any topic needs, and come back whenever they are cut off. The idle ones connect,
say nothing, and come back, too. Exit status 1 where the good subscriber lacks an alert, or memory grew too much.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.hostile import Hostile
from monitor.config.schema import Config
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.sinks.registry import open_sinks
from monitor.subscriber import Message, Missed, Subscriber
from monitor.types import Event

EVERY_S = 0.5
"""Between two alerts."""
LATEST_S = 10.0
"""After the end of the siege the good subscriber may take so long to fetch what it lacks."""
MOST_MIB = 300
PARENT = os.getppid()


def publish(address: str, seconds: float) -> None:
    """Publish an alert every EVERY_S, and print how many there were."""
    config = Config.model_validate({"zeromq": {"address": address, "heartbeat_s": 1.0}})
    epoch, until, n = wire.new_epoch(), time.monotonic() + seconds, 0
    with Bus(open_sinks(config, epoch), 20_000, epoch) as bus:
        print("ready", flush=True)
        while os.getppid() == PARENT and time.monotonic() < until + LATEST_S:
            if time.monotonic() < until:
                n += 1
                data = {"alert": f"call/caller/{n}", "n": n}
                bus.publish(Event("alert.opened", "call", "caller", n, data), wait=False)
                print(n, flush=True)
            time.sleep(EVERY_S)


def run_hostile(address: str, count: int) -> None:
    """Be `count` hostile subscribers, until killed."""
    crowd = [Hostile(address, 50, random.Random(n)) for n in range(max(1, count // 50))]
    while os.getppid() == PARENT:
        time.sleep(0.2)
    for some in crowd:
        some.close()


class IdleSockets:
    """Sockets that connect and say nothing; those that were closed come back."""

    def __init__(self, address: str, count: int) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self._at, self._count = (host, int(port)), count
        self._sockets: list[socket.socket] = []

    def reconnect(self) -> None:
        """Connect again what was closed, up to 250 a call; waits for none of them."""
        self._sockets = [one for one in self._sockets if not _closed(one)]
        for _ in range(min(250, self._count - len(self._sockets))):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(self._at)
            self._sockets.append(one)

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def _closed(one: socket.socket) -> bool:
    """Return whether a connection has ended, or was refused."""
    try:
        while data := one.recv(4096):
            del data
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def resident_mib(process: int) -> float:
    """Return the memory that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@contextlib.contextmanager
def role(*words: object) -> Iterator[subprocess.Popen[str]]:
    """Run another process of this program, and kill it at the end."""
    command = [sys.executable, "-m", "chaos.siege", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@dataclass
class Observed:
    """What a good subscriber saw. memory: of the publisher, MiB, each second. received: numbers of the alerts.
    missed: events that it was told to lack. longest_away_s: the longest time in which it did not receive.
    """

    memory: list[float] = field(default_factory=list)
    received: set[int] = field(default_factory=set)
    first_after_s: float = 0.0
    longest_away_s: float = 0.0
    missed: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def take(self, item: object, now: float) -> None:
        """Note what was received."""
        if isinstance(item, Missed):
            self.missed += item.at_most
        elif isinstance(item, Message):
            self.refused = dict(item.event.data.get("refused") or self.refused)  # type: ignore[call-overload]
            if item.event.type == "alert.opened":
                self.first_after_s = self.first_after_s or now
                self.received.add(int(str(item.event.data["n"])))


def observe(publisher: subprocess.Popen[str], address: str, idle: int, seconds: float) -> Observed:
    """Subscribe a while after the siege began, and receive until its end."""
    observed, idle_sockets = Observed(), IdleSockets(address, idle)
    begun, next_check = time.monotonic(), 0.0
    subscriber: Subscriber | None = None
    while (now := time.monotonic() - begun) < seconds + LATEST_S and publisher.poll() is None:
        if subscriber is None and now >= min(5.0, seconds / 4):
            subscriber = Subscriber(address, ["alert.", "health"], heartbeats=True)  # into the crowd
        if now >= next_check:
            next_check = now + 1.0
            idle_sockets.reconnect()
            observed.memory.append(resident_mib(publisher.pid))
            observed.longest_away_s = max(observed.longest_away_s, time.monotonic() - begun - now)
        if subscriber is None:
            time.sleep(0.1)
        else:
            observed.take(subscriber.receive(0.1), now)
    idle_sockets.close()
    if subscriber:
        subscriber.close()
    return observed


def measure(seconds: float, hostile: int, idle: int) -> dict[str, Any]:
    """Run it; returns the figures."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        role("--publish", address, "--seconds", seconds) as publisher,
        role("--run-hostile", address, "--hostile", hostile),
    ):
        assert publisher.stdout is not None
        publisher.stdout.readline()
        observed = observe(publisher, address, idle, seconds)
        publisher.kill()
        published = [int(line) for line in publisher.stdout.read().split() if line.isdigit()]
    # A subscriber that comes later gets the newest alert of a call at once; from then on it must have each.
    got, memory = observed.received, observed.memory
    missing = {n for n in published if got and n >= min(got)} - got
    return {
        "seconds": seconds,
        "hostile": hostile,
        "idle": idle,
        "alerts": len(published),
        "received": len(got),
        "first_after_s": round(observed.first_after_s, 1),
        "missing": len(missing) if got else len(published),
        "lacks": sorted(missing)[:20],
        "said_to_be_missed": observed.missed,
        "longest_away_s": round(observed.longest_away_s, 1),
        "memory_mib": {"first": round(memory[0]), "most": round(max(memory)), "last": round(memory[-1])},
        "refused": observed.refused,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chaos.siege", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hostile", type=int, default=500)
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("--publish", help=argparse.SUPPRESS)
    parser.add_argument("--run-hostile", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.publish:
        publish(given.publish, given.seconds)
    elif given.run_hostile:
        run_hostile(given.run_hostile, given.hostile)
    else:
        found = measure(given.seconds, given.hostile, given.idle)
        print(json.dumps(found))
        sys.exit(int(found["missing"] > 0 or found["memory_mib"]["most"] > MOST_MIB))


if __name__ == "__main__":
    main()
