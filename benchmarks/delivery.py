"""Measure events a second that reach a subscriber in another process, with the journal and with encryption, and what
each fsync policy costs. Every event of a run is received, in order, or the run fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import log, parser, platform_of, table, warn_if_busy, write
from monitor.config.schema import Config
from monitor.delivery import keys
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.sinks.registry import open_sinks
from monitor.sinks.zeromq import ZeromqSink
from monitor.types import Event

FSYNC = ("never", "alerts", "always")
ALERT_EVERY = 100
"""One event in so many is an alert, which is what the policy "alerts" makes durable."""

RECEIVER = """
import sys
from pathlib import Path
from monitor.delivery import keys
from monitor.subscriber import Message, Missed, Subscriber
address, count, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
pair = keys.secret_pair(Path(folder) / "reader.key_secret") if folder else None
server = keys.server(Path(folder)).public if folder else ""
with Subscriber(address, server_key=server, keys=pair) as subscriber:
    while subscriber.position is None:
        subscriber.receive(0.01)
    print("ready", flush=True)
    expected = 1
    while expected <= count:
        item = subscriber.receive(30.0)
        if item is None or isinstance(item, Missed):
            sys.exit(f"lost: {item}")
        if isinstance(item, Message) and item.event.seq:
            assert item.event.seq == expected, (item.event.seq, expected)
            expected += 1
print("done", flush=True)
"""


def event(n: int) -> Event:
    """Make an event as long as a score of the monitor."""
    data = {"state": "clear", "reason": "speech", "p_fake": 0.1234, "llr": -1.234, "net_speech_s": 12.34, "warm": True}
    families = {"gan-vocoder": 0.512, "neural-codec": 0.201, "diffusion": 0.101}
    kind = "score" if n % ALERT_EVERY else "alert.updated"
    return Event(kind, f"call{n % 50}", "caller", n * 640, data | {"families": families, "model": "0123456789ab"})


def measure(count: int, folder: Path, journal: str, key_folder: str) -> float:
    """Measure events a second from the first publish() to the last event in the other process."""
    sections: dict[str, Any] = {"zeromq": {"address": "tcp://127.0.0.1:*", "heartbeat_s": 0.2, "keys": key_folder}}
    if journal:
        sections["journal"] = {"path": str(folder / f"journal-{journal}"), "fsync": journal}
    epoch = wire.new_epoch()
    sinks = open_sinks(Config.model_validate(sections), epoch)
    address = next(sink.address for sink in sinks if isinstance(sink, ZeromqSink))
    with Bus(sinks, 20_000, epoch) as bus:
        words = [sys.executable, "-c", RECEIVER, address, str(count), key_folder]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as receiver:
            assert receiver.stdout is not None
            assert receiver.stdout.readline() == "ready\n", "the subscriber ended"
            started = time.perf_counter()
            for n in range(count):
                bus.publish(event(n), wait=True)
            if receiver.stdout.readline() != "done\n":
                raise RuntimeError("the subscriber did not get everything")
            return count / (time.perf_counter() - started)


def main() -> None:
    """Measure, and write the results."""
    made = parser("delivery", "Events a second, end to end.")
    made.add_argument("--events", type=int, default=20_000)
    made.add_argument("--folder", type=Path, default=None, help="where the journals are written: the disk to measure")
    expected = made.parse_args()
    warn_if_busy()
    results = []
    with tempfile.TemporaryDirectory(dir=expected.folder) as name:
        folder = Path(name)
        for key in ("server", "reader"):
            keys.new(folder / "keys", key)
        keys.allow(folder / "keys", str(folder / "keys" / "reader.key"))
        for encrypted in (False, True):
            for journal in ("", *FSYNC):
                home = folder / f"{encrypted}"
                home.mkdir(exist_ok=True)
                rate = measure(expected.events, home, journal, str(folder / "keys") if encrypted else "")
                results.append({"encrypted": encrypted, "journal": journal or None, "events_per_s": round(rate)})
                log(f"{'CURVE' if encrypted else 'plain'}, journal {journal or 'off'}: {rate:.0f} events/s")
    rows = [("CURVE" if r["encrypted"] else "plain", r["journal"] or "off", r["events_per_s"]) for r in results]
    print(table(("stream", "journal, fsync", "events/s"), rows))
    load = round(os.getloadavg()[0], 2)
    write(
        expected.out, {"machine": platform_of() | {"load_average": load}, "events": expected.events, "results": results}
    )


if __name__ == "__main__":
    main()
