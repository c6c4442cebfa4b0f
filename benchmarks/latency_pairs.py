"""Latency of one live stream, paired with the version before (benchmarks/before.py): benchmarks/latency.py of each
checkout, in turns, each with the weights that it ships.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from benchmarks.before import add_options, checkouts, run_python
from benchmarks.common import log, parser, platform_of, table, warn_if_busy, write

KEYS = ("p50_ms", "p99_ms")


def latencies(checkout: Path, minutes: float, folder: Path) -> dict[str, float]:
    """Return the ages in ms of the newest audio in a score that a subscriber has."""
    out, times = folder / "latency.json", ["--minutes", str(minutes), "--compare-minutes", "0.05"]
    files = ["--out", str(out), "--picture", str(folder / "latency.png")]
    run_python(["-m", "benchmarks.latency", *times, *files], checkout, folder)
    newest = json.loads(out.read_text(encoding="utf-8"))["newest"]
    return {key: float(newest[key]) for key in KEYS}


def main() -> None:
    options = parser("latency_pairs", "Latency of one live stream, paired with the version before.")
    options.add_argument("--minutes", type=float, default=0.5, help="of each run")
    add_options(options)
    given = options.parse_args()
    warn_if_busy()
    there = checkouts(given.against)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in there}
    with tempfile.TemporaryDirectory() as name:
        for i in range(given.rounds):
            for version, checkout in there.items():
                found[version].append(latencies(checkout, given.minutes, Path(name)))
            log(f"round {i + 1} of {given.rounds}")
    medians = {name: {key: statistics.median(run[key] for run in runs) for key in KEYS} for name, runs in found.items()}
    rows = [[f"age of the newest audio, {key[:3]}", *(f"{of[key]:.1f}" for of in medians.values())] for key in KEYS]
    print(table(["ms", *there], rows))
    write(given.out, {"newest": medians, "runs": found, "minutes": given.minutes, "machine": platform_of()})


if __name__ == "__main__":
    main()
