"""Measures what a cluster costs: the processor time of `monitor serve --cluster` beside `monitor serve`, for the same
calls.

Both get the same callers (callers.py), one after the other in turns, on this machine. Counted is the time of the server
and of every process that it started, Ray's own included, from the first call to the last.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import RESULTS, configuration, machine, parser, scorer_of, table, warn_if_busy, write
from chaos.shards import family_s, free_port, look, start

BAR = 1.5
SETTLE_S = 3.0
ALIKE = 0.02
"""Rounds count in which the numbers of scores differ by less: what is lost costs nothing."""


def measure(calls: int, seconds: float, weights: str, *, clustered: bool) -> tuple[float, int]:
    """Return the processor time in s, and how many scores were published."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        server = start(folder, calls, port, cluster="local" if clustered else "", weights=weights)
        time.sleep(SETTLE_S)
        before = family_s(server.pid)
        words = [port, calls, seconds, folder / "begun"]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.callers", *map(str, words)], stdout=subprocess.DEVNULL, check=True
        )
        used = family_s(server.pid) - before
        time.sleep(SETTLE_S)
        server.send_signal(signal.SIGINT)
        server.wait(60)
        return used, look(folder / "journal").scores


def main() -> None:
    options = parser("cluster", "Processor time of monitor serve with and without a cluster.")
    options.set_defaults(out=RESULTS / "cluster.json")
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    warn_if_busy()
    found: dict[bool, list[tuple[float, int]]] = {False: [], True: []}
    for _ in range(given.rounds):
        for clustered, rounds in found.items():
            rounds.append(measure(given.calls, given.seconds, given.weights, clustered=clustered))
    pairs = list(zip(found[False], found[True], strict=True))
    ratios = [many[0] / one[0] for one, many in pairs if abs(many[1] - one[1]) <= ALIKE * one[1]]
    rows = [
        [
            "with a cluster" if clustered else "one process",
            *(f"{used:.1f} s, {scores} scores" for used, scores in rounds),
        ]
        for clustered, rounds in found.items()
    ]
    print(table(["", *(f"round {number + 1}" for number in range(given.rounds))], rows))
    if not ratios:
        sys.exit("error: in no round did both score as much; take fewer calls, or a machine with less else to do")
    ratio = float(np.median(ratios))
    verdict = "met" if ratio <= BAR else "MISSED"
    print(f"{given.calls} calls: {ratio:.2f} times the processor time ({len(ratios)} rounds); at most {BAR}: {verdict}")
    figures = {"calls": given.calls, "seconds": given.seconds, "ratios": [round(each, 3) for each in ratios]}
    write(given.out, figures | {"machine": machine(scorer_of(configuration(given.weights)))})


if __name__ == "__main__":
    main()
