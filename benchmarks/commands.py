"""Processor time of commands, whole processes from start to exit, paired with the version before
(benchmarks/before.py).

An hour of replay is calculated from a file of --minutes and one of half a second, which is nearly all start.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.before import THIS, add_options, checkouts, exported, processor_s, times_less, weights_of
from benchmarks.common import cores, log, parser, pin, platform_of, table, warn_if_busy, write
from benchmarks.replay import make_file

START_MIN, SCORED_MIN, HOUR_MIN = 0.5 / 60, 10 / 60, 60.0
HELP, SCORE = "monitor --help", "monitor score, a file of 10 s"
START = "monitor replay --speed max --json, half a second"
HOUR = "the same, an hour of two channels, by calculation"
IMPORT = "import torch, for comparison"


def commands(folder: Path, minutes: float, weights: str) -> dict[str, list[str]]:
    """Return what to time after `python`, by name."""
    own = [] if weights == "default" else ["--weights", weights]
    replay = ["-m", "monitor", "replay", "--speed", "max", "--json", "--publish", "tcp://127.0.0.1:*", *own]
    return {
        HELP: ["-m", "monitor", "--help"],
        SCORE: ["-m", "monitor", "score", *own, str(make_file(folder / "10s", 1, SCORED_MIN))],
        START: [*replay, str(make_file(folder / "start", 2, START_MIN))],
        HOUR: [*replay, str(make_file(folder / "long", 2, minutes))],
    }


def by_the_hour(found: dict[str, dict[str, list[float]]], minutes: float) -> None:
    """Make the times of the long file those of an hour, in place."""
    for name, times in found[HOUR].items():
        found[HOUR][name] = [
            start + (whole - start) * (HOUR_MIN - START_MIN) / (minutes - START_MIN)
            for start, whole in zip(found[START][name], times, strict=True)
        ]


def main() -> None:
    options = parser("commands", "Processor time of commands, paired with the version before.")
    options.add_argument("--minutes", type=float, default=4.0, help="length of the file that is replayed")
    add_options(options)
    given = options.parse_args()
    warn_if_busy()
    pin(cores()[-1:])
    there = checkouts(given.against)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("10s", "start", "long"):
            (folder / part).mkdir()
        timed = commands(folder, given.minutes, exported(weights_of(given), folder))
        found: dict[str, dict[str, list[float]]] = {what: {name: [] for name in there} for what in timed}
        compared = []
        for i in range(given.rounds):
            for what, words in timed.items():
                for version, checkout in there.items():
                    found[what][version].append(processor_s(words, checkout, folder))
            compared.append(processor_s(["-c", "import torch"], there[THIS], folder))
            log(f"round {i + 1} of {given.rounds}")
    by_the_hour(found, given.minutes)
    rows, figures = [], list[dict[str, Any]]()
    for what, times in found.items():
        medians, ratio = {name: statistics.median(of) for name, of in times.items()}, times_less(times)
        figures.append({"command": what, "processor_s": medians, "times_less": ratio})
        rows.append([what, *(f"{s:.2f}" for s in medians.values()), f"{ratio or 1:.1f}"])
    print(table(["processor time, s", *there, "times less"], rows))
    torch_s = statistics.median(compared)
    print(f"{IMPORT}: {torch_s:.2f} s")
    more = {"import_torch_s": torch_s, "minutes": given.minutes, "rounds": given.rounds, "machine": platform_of()}
    write(given.out, {"commands": figures, **more})


if __name__ == "__main__":
    main()
