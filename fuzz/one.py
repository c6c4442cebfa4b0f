"""Fuzzes one parser, in a process of its own: python -m fuzz.one NAME RUNS SECONDS START FOLDER. Started by
fuzz/__main__.py.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

from fuzz import resampling
from fuzz.harness import load

SLOWEST_S, BLOCKED_S = 10, 600
"""An input that takes more processor time is a hang, and so is one that takes so long by the clock: a machine that
stands still for a while, or has much else to do, makes no input slow.
"""
MOST_MB = 2048
WARM, WARM_MOST = 20, 5000
"""One in so many of the runs, and at most so many; before that, memory is what the program takes by itself."""
NOTED_EVERY = 1000


class HangError(Exception):
    """An input took SLOWEST_S of processor time."""


def _hang(_number: int, _frame: object) -> None:
    raise HangError(f"more than {SLOWEST_S} s of processor time")


def resident_mb() -> float:
    """Return the memory of this process (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def counted(feed: Callable[[bytes], None], runs: int, figures: Path) -> Callable[[bytes], None]:
    """Return the same, which notes how many inputs there were, and the memory before and after them."""
    count, before = 0, 0.0

    def once(data: bytes) -> None:
        nonlocal count, before
        count += 1
        if count == max(1, min(runs // WARM, WARM_MOST)):
            before = resident_mb()
        if count % NOTED_EVERY == 0 or count >= runs:
            figures.write_text(json.dumps({"inputs": count, "before_mb": before, "after_mb": resident_mb()}))
        signal.setitimer(signal.ITIMER_VIRTUAL, SLOWEST_S)
        feed(data)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    signal.signal(signal.SIGVTALRM, _hang)
    return once


def escaped(word: bytes) -> str:
    """Return bytes as libFuzzer's dictionaries write them."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def main(name: str, runs: int, seconds: int, start: int, folder: Path) -> None:
    """Run a harness, then end the process with 0, or with libFuzzer's status for a finding, which it leaves in the
    folder. seconds: 0 = any.
    """
    with atheris.instrument_imports(include=["monitor"]):
        harness = load(name)
    resampling.use()
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(harness.seeds):
        (corpus / f"seed-{i}").write_bytes(seed)
    words.write_text("".join(f'"{escaped(word)}"\n' for word in harness.words))
    options = {"runs": runs, "max_total_time": seconds, "seed": start}
    options |= {"timeout": BLOCKED_S, "rss_limit_mb": MOST_MB, "max_len": harness.longest}
    flags = [f"-{key}={value}" for key, value in options.items()]
    flags += [f"-artifact_prefix={folder}/", "-print_final_stats=1", *([f"-dict={words}"] if harness.words else [])]
    atheris.Setup([name, *flags, str(corpus)], counted(harness.feed, runs, folder / "figures.json"))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
