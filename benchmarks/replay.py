"""Measure how much faster than real time `monitor replay --speed max --json FILE > /dev/null` is.

The whole process, from its start to its exit, on files of one and of two channels; the median of several runs, in turns
with what only decodes the same file: ffmpeg, and soundfile in a Python process.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.common import (
    configuration,
    log,
    machine,
    parser,
    scorer_of,
    table,
    voice,
    warn_if_busy,
    without_settings,
    write,
)
from model.config import SAMPLE_RATE

CHANNELS = (1, 2)
LOOP_S = 20.0
LIMIT_S = 3600.0
DECODE = "import soundfile, sys\nfor block in soundfile.blocks(sys.argv[1], blocksize=16000, dtype='float32'): pass"


def make_file(folder: Path, channels: int, minutes: float) -> Path:
    """Return a 16 kHz, 16 bit wav file of voices, one a channel."""
    loop = np.stack([voice(LOOP_S, seed=i) for i in range(channels)], axis=1)
    path = folder / f"{channels}.wav"
    left = round(minutes * 60 * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, channels, subtype="PCM_16") as file:
        while left > 0:
            file.write(loop[:left])
            left -= len(loop)
    return path


def commands(path: Path, weights: str) -> dict[str, list[str]]:
    """Return the commands to time, by name; a decoder that is not installed is left out."""
    replay = ["replay", "--speed", "max", "--json", "--publish", "tcp://127.0.0.1:*", str(path)]
    own = [] if weights == "default" else ["--weights", str(Path(weights).resolve())]
    found = {"monitor replay": [sys.executable, "-m", "monitor", *replay, *own]}
    if ffmpeg := shutil.which("ffmpeg"):
        found["ffmpeg, decoding alone"] = [ffmpeg, "-nostdin", "-v", "error", "-i", str(path), "-f", "null", "-"]
    found["soundfile, decoding alone"] = [sys.executable, "-c", DECODE, str(path)]
    return found


def seconds(command: list[str], folder: Path) -> float:
    """Time the whole process. Its settings are the defaults, whatever the environment or this folder says."""
    environment = without_settings() | {"PYTHONPATH": str(Path.cwd())}
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT_S)
    return time.perf_counter() - started


def main() -> None:
    options = parser("replay", "Speed of `monitor replay --speed max`.")
    options.add_argument("--minutes", type=float, default=5.0, help="length of the files")
    options.add_argument("--runs", type=int, default=3)
    given = options.parse_args()
    warn_if_busy()
    scorer = scorer_of(configuration(given.weights))
    factors: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = make_file(folder, 1, 0.01)
        start_s = statistics.median(
            seconds(commands(short, given.weights)["monitor replay"], folder) for _ in range(given.runs)
        )
        for channels in CHANNELS:
            timed = commands(make_file(folder, channels, given.minutes), given.weights)
            took: dict[str, list[float]] = {what: [] for what in timed}
            for i in range(given.runs):
                for what, command in timed.items():
                    took[what].append(seconds(command, folder))
                log(f"{channels} channel(s): run {i + 1} of {given.runs}")
            for what, times in took.items():
                factors.setdefault(what, {})[str(channels)] = given.minutes * 60 / statistics.median(times)
    rows = [[what, *(f"{of[str(c)]:.1f}" for c in CHANNELS)] for what, of in factors.items()]
    print(table(["times real time, whole process", *(f"{c} channel(s)" for c in CHANNELS)], rows))
    print(f"of which the start of the monitor takes {start_s:.1f} s")
    names = {"monitor replay": "replay_x_real_time"}
    figures = {
        names.get(what, f"{what.partition(',')[0]}_decode_x_real_time"): {c: round(x, 1) for c, x in of.items()}
        for what, of in factors.items()
    }
    more = {"start_s": round(start_s, 2), "minutes": given.minutes, "runs": given.runs, "machine": machine(scorer)}
    write(given.out, figures | more)


if __name__ == "__main__":
    main()
