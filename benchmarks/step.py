"""Processor time of one step of the scorer, paired with the version before (benchmarks/before.py).

Each round runs both programs in turn, each in a process of its own on the same core. A ratio above 1 means that this
version is faster.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.before import BEFORE, THIS, add_options, checkouts, times_less, weights_of
from benchmarks.common import cores, log, parser, pin, platform_of, table, voice, warn_if_busy, write
from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Audio

CASES = ((1, 1.0), (8, 1.0), (64, 1.0), (256, 1.0), (256, 0.45))
"""Streams that are scored together, and the share of each that is speech."""
TURNS, WARM_UP, PAUSE = 160, 20, 1e-5
SCORER = """
from model.weights_file import weights_path
from monitor.config.schema import ModelSection
from monitor.scoring.opening import open_scorer

def make(rows):
    return open_scorer(ModelSection(weights=weights, device="cpu"), rows).score
"""
SCORER_BEFORE = """
import torch
from model.checkpoint import load_detector, weights_path
from model.packed import PackedStreams
torch.set_num_threads(1)

def make(rows):
    streams = PackedStreams(load_detector(weights_path(weights)), rows)
    return lambda index, samples: streams.hear(index, [samples])
"""
MADE = {THIS: SCORER, BEFORE: SCORER_BEFORE}
TIMED = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[1])
weights, size, warm_up = sys.argv[2], int(sys.argv[4]), int(sys.argv[5])
{make}
for name in sys.argv[6:]:
    audio = np.load(f"{{sys.argv[3]}}/{{name}}.npy")
    index, score, turns = np.arange(len(audio)), make(len(audio)), audio.shape[1] // size
    for turn in range(turns):
        if turn == warm_up:
            begun = time.process_time()
        score(index, audio[:, turn * size : (turn + 1) * size])
    print((time.process_time() - begun) / (turns - warm_up) / len(audio) * 1e6)
"""
"""Prints the microseconds of processor time a block and stream of each case."""


def calls(streams: int, share: float) -> Audio:
    """Make voices without their pauses, float32 (streams, TURNS * BLOCK), or with one pause each of 1 - share."""
    rows = []
    for i in range(streams):
        blocks = voice(8.0, seed=i % 8)[: 8 * SAMPLE_RATE // BLOCK * BLOCK].reshape(-1, BLOCK)
        loud = np.square(blocks).mean(1)
        row = np.resize(blocks[loud > np.percentile(loud, 45)], (TURNS, BLOCK))
        quiet = (np.arange(TURNS) + 37 * i) % TURNS >= share * TURNS
        row[quiet] = PAUSE * np.random.default_rng(i).standard_normal((int(quiet.sum()), BLOCK))
        rows.append(row.ravel())
    return np.stack(rows)


def timed(make: str, checkout: Path, weights: str, folder: Path) -> list[float]:
    """Return the microseconds of processor time a block and stream, by case, in a process that imports the checkout."""
    names = [str(case) for case in range(len(CASES))]
    words = [str(checkout.resolve()), weights, str(folder), str(BLOCK), str(WARM_UP), *names]
    command = [sys.executable, "-c", TIMED.format(make=make), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return [float(line) for line in ran.stdout.split()]


def main() -> None:
    options = parser("step", "Processor time of a step, paired with the version before.")
    add_options(options)
    given = options.parse_args()
    warn_if_busy()
    pin(cores()[-1:])
    there, weights = checkouts(given.against), weights_of(given)
    found: dict[str, list[list[float]]] = {name: [] for name in there}
    with tempfile.TemporaryDirectory() as name:
        for case, (streams, share) in enumerate(CASES):
            np.save(Path(name) / f"{case}.npy", calls(streams, share))
        for i in range(given.rounds):
            for program, checkout in there.items():
                found[program].append(timed(MADE[program], checkout, weights, Path(name)))
            log(f"round {i + 1} of {given.rounds}")
    rows, figures = [], []
    for case, (streams, share) in enumerate(CASES):
        times = {name: [run[case] for run in runs] for name, runs in found.items()}
        of, ratio = {name: statistics.median(us) for name, us in times.items()}, times_less(times)
        figures.append({"streams": streams, "speech": share, "us_a_block": of, "times_less": ratio})
        rows.append([f"{streams}, {share:.0%} speech", *(f"{x:.0f}" for x in of.values()), f"{ratio or 1:.2f}"])
    print(table(["streams together", *(f"us a block, {name}" for name in found), "times less"], rows))
    write(given.out, {"cases": figures, "rounds": given.rounds, "machine": platform_of()})


if __name__ == "__main__":
    main()
