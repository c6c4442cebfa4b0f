"""A publisher under test: the real bus, journal and ZeroMQ sink, fed with scripted events in bursts at full speed.

SIGUSR1: the disk is full (no file may grow). SIGUSR2: there is room again. SIGTERM: publish no more, say the last
number once the journal has it, and go on serving. SIGHUP: publish again.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

from monitor.config.schema import Config
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.sinks.registry import open_sinks
from monitor.types import Event

PARENT = os.getppid()
"""This process ends when that one has ended."""
BURST, PAUSE_S = 100, 0.05
CALLS = 5
HOSTILE_NAMES = ("\U00010348" * 100, "a.42", "a_42", "../../etc/passwd", "a\x00b", "\ud800", "")
"""Names of calls that no file name, topic or screen should trip over."""
ROOM_BYTES = 700
"""What the disk still holds when it is said to be full: not a whole number of lines."""


def scripted(n: int) -> Event:
    """Make the n-th event: mostly scores, as a monitor publishes them, with states and alerts among them."""
    call, step = f"call{n % CALLS}", n // CALLS % 20
    if n % 10 == 9:
        call = HOSTILE_NAMES[n // 10 % len(HOSTILE_NAMES)]
    kind = {3: "state.changed", 5: "alert.opened", 9: "alert.updated", 13: "alert.closed"}.get(step, "score")
    data = {"n": n, "p_fake": n % 1000 / 1000, "llr": 1.25, "state": "clear", "filler": "x" * (n * 37 % 200)}
    return Event(kind, call, "caller", n * 640, data)


class ScriptedCommands:
    """Requests made by signals."""

    def __init__(self, journal: Path) -> None:
        self.quiet = False
        self._journal = journal
        self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "quiet", True))
        signal.signal(signal.SIGHUP, lambda *_: setattr(self, "quiet", False))
        signal.signal(signal.SIGUSR1, lambda *_: self._limit(self._size() + ROOM_BYTES))
        signal.signal(signal.SIGUSR2, lambda *_: self._limit(self._hard))

    def _size(self) -> int:
        return self._journal.stat().st_size if self._journal.exists() else 0

    def _limit(self, size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, self._hard))


def main(address: str, replay: str, journal: str) -> None:
    """Publish and serve until killed."""
    config = Config.model_validate(
        {
            "zeromq": {"address": address, "replay_address": replay, "heartbeat_s": 0.2, "replay_events": 300},
            "journal": {"path": journal, "rotate_mib": 1},
        }
    )
    orders, epoch = ScriptedCommands(Path(journal)), wire.new_epoch()
    with Bus(open_sinks(config, epoch), 20_000, epoch) as bus:
        print(epoch, flush=True)
        n = 0
        while os.getppid() == PARENT:
            while not orders.quiet:
                for _ in range(random.randrange(2 * BURST)):
                    n = bus.publish(scripted(n), wait=False).seq
                time.sleep(PAUSE_S)
            while not bus.drain(0.1):
                pass
            print(n, sum(status.dropped for status in bus.status()), flush=True)
            while orders.quiet and os.getppid() == PARENT:
                time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
