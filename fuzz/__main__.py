"""Fuzzes the parsers one after the other: python -m fuzz [--runs N] [--seconds S] [NAME ...]. Exit status 1 where one
has a fault. A run goes on with the corpus and the count of those before it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz.harness import HARNESSES, NASTY

FOLDER = Path("runs/fuzz")
MOST_GROWTH_MB = 300.0
"""Growth of memory over a run: the corpus and its features, which libFuzzer holds, and no more."""
HEADER = "| parser | inputs | in all | inputs/s | memory before, after | result |\n|---|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Result:
    """The result of one parser. total: inputs of all runs so far. seconds: of its process, loading included.
    artifacts: inputs that found something.
    """

    name: str
    inputs: int
    total: int
    seconds: float
    before_mb: float
    after_mb: float
    status: int
    artifacts: tuple[Path, ...]

    @property
    def fault(self) -> str:
        """Return what went wrong, or ""."""
        if self.artifacts or self.status:
            return ", ".join(str(path) for path in self.artifacts) or f"exit status {self.status}"
        grown = self.after_mb - self.before_mb
        return f"memory grew by {grown:.0f} MB" if grown > MOST_GROWTH_MB else ""

    def row(self) -> str:
        """Return a line of the table."""
        memory = f"{self.before_mb:.0f}, {self.after_mb:.0f} MB"
        rate = self.inputs / max(self.seconds, 1e-9)
        return (
            f"| {self.name} | {self.inputs} | {self.total} | {rate:.0f} | {memory} | {self.fault or 'nothing found'} |"
        )


def fuzz(name: str, runs: int, limit_s: int) -> Result:
    """Run one parser's process to its end; what it says goes to a log in its folder. limit_s: 0 = none."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    figures, total = folder / "figures.json", folder / "total"
    figures.unlink(missing_ok=True)
    earlier = int(total.read_text()) if total.is_file() else 0
    before = set(_artifacts(folder))
    begun = time.monotonic()
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "fuzz.one", name, *map(str, (runs, limit_s, earlier + 1, folder))]
        status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    seconds = time.monotonic() - begun
    found = json.loads(figures.read_text()) if figures.is_file() else {}
    new = tuple(sorted(set(_artifacts(folder)) - before))
    before_mb, after_mb = (float(found.get(key, 0.0)) for key in ("before_mb", "after_mb"))
    inputs = int(found.get("inputs", 0))
    total.write_text(str(earlier + inputs))
    return Result(name, inputs, earlier + inputs, seconds, before_mb, after_mb, status, new)


def _artifacts(folder: Path) -> list[Path]:
    return [path for kind in ("crash", "timeout", "oom", "leak") for path in folder.glob(f"{kind}-*")]


def main() -> int:
    """Run the command, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Hostile input for the parsers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(HARNESSES)} (default: all)")
    parser.add_argument("--runs", type=int, default=1_000_000, metavar="N", help="inputs for each (default: 1000000)")
    parser.add_argument("--seconds", type=int, default=0, metavar="S", help="at most for each (default: no limit)")
    wanted = parser.parse_args()
    unknown = sorted(set(wanted.names) - set(HARNESSES))
    if unknown:
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(HARNESSES)}")
    results: list[Result] = []
    for name in wanted.names or HARNESSES:
        results.append(fuzz(name, wanted.runs, wanted.seconds))
        print(results[-1].row(), flush=True)
    FOLDER.joinpath("figures.md").write_text(HEADER + "".join(f"{result.row()}\n" for result in results))
    faults = [result for result in results if result.fault]
    for result in faults:
        print(f"{result.name}: {result.fault}; see {FOLDER / result.name / 'log'}", file=sys.stderr)
    if any(result.artifacts for result in faults):
        print(f"once mended, keep the input: cp it to {NASTY}/PARSER/", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
