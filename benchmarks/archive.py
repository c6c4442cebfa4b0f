"""`monitor score --cluster` on this machine: what a second worker gains, and memory over many files.

Speed: the same recordings with one worker and with two, in turns; audio scored from the first result to the last.
Memory: many short files; the proportional set size (PSS, of /proc, Linux) of this process, which lists, collects and
writes, and of all processes that Ray started. Ray is started anew for each run.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import soundfile

from benchmarks.common import configuration, log, parser, platform_of, table, voice, warn_if_busy, write
from model.config import SAMPLE_RATE
from monitor.config.schema import Config
from monitor.session.path_set import PathSet
from monitor.session.score_cluster import Archive, score_on_cluster
from monitor.session.score_parts import ScoreParts
from monitor.session.score_workers import Task

VOICES = 8
STEPS = 10


def make_archive(folder: Path, files: int, seconds: float) -> Path:
    """Make a folder of so many names for a few recordings of voices, 16 kHz, 16 bit."""
    folder.mkdir()
    for i in range(files):
        path = folder / f"{i:06}.wav"
        if i < VOICES:
            soundfile.write(path, voice(seconds, seed=i), SAMPLE_RATE, subtype="PCM_16")
        else:
            os.link(folder / f"{i % VOICES:06}.wav", path)
    return folder


def speed(archive: Path, workers: int, config: Config) -> float:
    """Return seconds of audio scored in a second, from the first result to the last."""
    started = ended = 0.0
    audio: list[float] = []
    first = 0
    for scored in score_on_cluster(Archive([archive]), Task(config, None, None), "local", workers, PathSet()):
        ended = time.monotonic()
        started = started or ended
        audio.append(float(scored.rows[0]["duration_s"]))
        first += ended - started < 0.01
    return sum(audio[first:]) / (ended - started)


def memory(archive: Path, workers: int, config: Config, out: Path, files: int) -> Iterator[tuple[int, float, float]]:
    """Yield files done, and MiB of this process and of all those of Ray, a few times on the way."""
    with closing(ScoreParts(out)) as parts:
        scores = score_on_cluster(Archive([archive]), Task(config, None, None), "local", workers, parts.done)
        for done, scored in enumerate(scores, 1):
            parts.add(scored.name, scored.rows, scored.problems)
            if done % max(1, files // STEPS) == 0:
                yield done, pss_mib([os.getpid()]), pss_mib(descendants(os.getpid()))


def descendants(pid: int) -> list[int]:
    """Return the processes below a process, by /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal():
                parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
        except OSError:
            continue  # it has ended
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found


def pss_mib(pids: list[int]) -> float:
    """Sum the proportional set size (MiB) of processes; one that has ended counts nothing."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / 1024


def main() -> None:
    options = parser("archive", "Speed and memory of `monitor score --cluster` on this machine.")
    options.add_argument("--files", type=int, default=10_000, help="short files, for the memory")
    options.add_argument("--recordings", type=int, default=120, help="recordings of a minute, for the speed")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    warn_if_busy()
    config = configuration(given.weights)
    speeds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        calls = make_archive(folder / "calls", given.recordings, 60.0)
        for i in range(given.rounds):
            for workers, found in speeds.items():
                found.append(speed(calls, workers, config))
                log(f"round {i + 1} of {given.rounds}: {workers} worker(s), {found[-1]:.0f} times real time")
        grown = []
        if given.files:
            short = make_archive(folder / "short", given.files, 1.0)
            for step in memory(short, 2, config, folder / "out", given.files):
                grown.append(step)
                log(f"{step[0]} files: {step[1]:.0f} MiB here, {step[2]:.0f} MiB in Ray's processes")
    medians = {workers: statistics.median(found) for workers, found in speeds.items()}
    ratio = statistics.median(two / one for one, two in zip(*speeds.values(), strict=True))
    print(table(["workers", "times real time"], [[w, f"{x:.0f}"] for w, x in medians.items()]))
    print(f"two workers are {ratio:.2f} times as fast as one")
    print(table(["files", "MiB, this process", "MiB, Ray"], [[n, f"{a:.0f}", f"{b:.0f}"] for n, a, b in grown]))
    figures = {"x_real_time": medians, "two_to_one": ratio, "rounds": speeds, "memory_mib": grown}
    write(given.out, figures | {"recordings": given.recordings, "machine": platform_of()})


if __name__ == "__main__":
    main()
