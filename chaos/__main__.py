"""Delivery under faults: publishers and subscribers killed, stopped and slowed, networks cut, disks filled.

After each round every subscriber must hold exactly what the journal has: nothing lost, nothing twice, in order.
The last line is the result; exit status 0 = every round held.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from chaos import check
from chaos.hostile import Hostile
from chaos.proxy import Proxy

STANDS_STILL_S = 60.0
"""A subscriber that has come no further for so long will not; one that is late is no fault of delivery."""
FAILED = Path("runs/chaos")
"""What a round that did not hold leaves behind."""
ROUND_S = (0.6, 1.2)
FAULTS_A_ROUND = (2, 5)
ROUNDS_A_SCENE = 5
"""Then everything starts anew, in an empty folder."""
READERS = {"all": ("", 10_000, 0.0), "alerts": ("alert.", 10_000, 0.0), "slow": ("", 20, 0.0005)}
"""topic, high-water mark, pause after each event."""


class Scene:
    """One publisher, its subscribers, and the networks between them."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self._folder, self._rng = folder, rng
        self._journal = folder / "journal"
        ports = _free_port(), _free_port()
        self._addresses = [f"tcp://127.0.0.1:{port}" for port in ports]
        self._networks = [Proxy(port) for port in ports]
        self._publisher, epoch = self._start_publisher()
        self._readers: dict[str, subprocess.Popen[bytes]] = {}
        for name in READERS:
            self._store(name).write_text(json.dumps({"position": [epoch, 0, {}]}) + "\n")
            self._start_reader(name)
        self.faults: dict[str, Callable[[], None]] = {
            "publisher killed": self._kill_publisher,
            "subscriber killed": self._kill_reader,
            "subscriber stopped": self._stop_reader,
            "network cut": self._cut,
            "network held": lambda: self._network("hold"),
            "network slow": lambda: self._network("delay"),
            "network swallows": lambda: self._network("swallow"),
            "disk full": self._fill,
            "disk full, publisher killed": self._fill_and_kill,
            "hostile subscribers": self._hostile,
        }

    def round(self) -> tuple[list[str], list[str], int]:
        """Return (faults made, what does not hold, events in the journal)."""
        names = self._rng.choices(list(self.faults), k=self._rng.randint(*FAULTS_A_ROUND))
        pause = self._rng.uniform(*ROUND_S) / len(names)
        for name in names:
            time.sleep(self._rng.uniform(0, 2 * pause))
            self.faults[name]()
        last, lost = self._quiet()
        written, broken = check.journal(self._journal)
        wrong = [f"journal: {broken}"] if broken else []
        if lost:
            wrong.append(f"the publisher dropped {lost} events")
        for name in READERS:
            wrong += self._await(name, last)
        for name, (topic, _, _) in READERS.items():
            held, notices, _ = check.store(self._store(name))
            if fault := check.fault(written, held, topic):
                missed = [notice for notice in notices if notice.startswith("Missed")]
                wrong.append(f"{name}: {fault}; it said {missed or 'nothing'}")
        self._publisher.send_signal(signal.SIGHUP)
        return names, wrong, len(written)

    def close(self) -> None:
        """End everything that was started."""
        for process in (self._publisher, *self._readers.values()):
            process.kill()
            process.wait()
        for network in self._networks:
            network.close()

    def _store(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl"

    def _start_publisher(self) -> tuple[subprocess.Popen[bytes], str]:
        command = [sys.executable, "-m", "chaos.publisher", *self._addresses, str(self._journal)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._epoch = _line(process)
        return process, self._epoch

    def _start_reader(self, name: str) -> None:
        topic, mark, delay = READERS[name]
        command = [sys.executable, "-m", "chaos.reader", *(network.address for network in self._networks)]
        self._readers[name] = subprocess.Popen([*command, str(self._store(name)), topic, str(mark), str(delay)])

    def _kill_publisher(self) -> None:
        self._publisher.kill()
        self._publisher.wait()
        self._publisher, _ = self._start_publisher()

    def _kill_reader(self) -> None:
        name = self._rng.choice(list(READERS))
        self._readers[name].kill()
        self._readers[name].wait()
        self._start_reader(name)

    def _stop_reader(self) -> None:
        process = self._readers[self._rng.choice(list(READERS))]
        process.send_signal(signal.SIGSTOP)
        time.sleep(self._rng.uniform(0.1, 0.5))
        process.send_signal(signal.SIGCONT)

    def _cut(self) -> None:
        for network in self._networks:
            network.cut()

    def _network(self, mode: str) -> None:
        """Disturb the network for a while. Swallowed bytes break a stream, so its connections end with it."""
        chosen = self._rng.sample(self._networks, self._rng.randint(1, 2))
        for network in chosen:
            network.mode = mode  # type: ignore[assignment]
        time.sleep(self._rng.uniform(0.05, 0.3))
        for network in chosen:
            if mode == "swallow":
                network.cut()
            network.mode = "pass"

    def _fill(self) -> None:
        self._publisher.send_signal(signal.SIGUSR1)
        time.sleep(self._rng.uniform(0.1, 0.4))
        self._publisher.send_signal(signal.SIGUSR2)

    def _fill_and_kill(self) -> None:
        self._publisher.send_signal(signal.SIGUSR1)
        time.sleep(self._rng.uniform(0.1, 0.3))
        self._kill_publisher()

    def _hostile(self) -> None:
        """Run subscribers that come straight to the publisher, and come back each time that they are cut off."""
        hostile = Hostile(self._addresses[0], self._rng.randint(1, 10), self._rng)
        time.sleep(self._rng.uniform(0.2, 0.5))
        hostile.close()

    def _quiet(self) -> tuple[tuple[str, int], int]:
        """Publish no more. Returns the newest (epoch, seq), and how many events the publisher itself dropped."""
        self._publisher.send_signal(signal.SIGTERM)
        seq, lost = _line(self._publisher).split()
        return (self._epoch, int(seq)), int(lost)

    def _await(self, name: str, last: tuple[str, int]) -> list[str]:
        """Wait until a subscriber has come so far. Returns what is wrong when it goes on no more."""
        at, since = None, time.monotonic()
        while (reached := check.reached(self._store(name))) != last:
            if reached != at:
                at, since = reached, time.monotonic()
            if time.monotonic() - since > STANDS_STILL_S:
                return [f"{name}: stands still at {at}, the newest is {last}"]
            time.sleep(0.02)
        return []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().decode().strip()
    if not line:
        raise RuntimeError("the publisher ended by itself")
    return line


def run(rounds: int, seed: int) -> int:
    """Run so many rounds, and return how many did not hold."""
    failed, faults, events, begun = 0, Counter[str](), 0, time.monotonic()
    done = 0
    while done < rounds:
        rng = random.Random(seed + done)
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            scene, written = Scene(Path(folder), rng), 0
            try:
                for _ in range(min(ROUNDS_A_SCENE, rounds - done)):
                    names, wrong, written = scene.round()
                    done += 1
                    faults.update(names)
                    failed += bool(wrong)
                    missed = "; ".join(wrong) or "holds"
                    print(f"round {done}: {written} events, {', '.join(names)}: {missed}", flush=True)
                    if wrong:
                        shutil.copytree(folder, FAILED / f"{seed}-{done}", dirs_exist_ok=True)
            finally:
                scene.close()
            events += written
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(faults.items()))
    print(f"{events} events in {time.monotonic() - begun:.0f} s; {kinds}")
    print(f"{rounds - failed} of {rounds} rounds held: " + ("nothing lost, nothing twice" if not failed else "FAILED"))
    return failed


def main() -> int:
    """Run the command, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30), help="of the faults and their times")
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}", flush=True)
    return 1 if run(wanted.rounds, wanted.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
