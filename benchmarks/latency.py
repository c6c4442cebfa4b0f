"""Measure the time from spoken audio to its score at a ZeroMQ subscriber in another process.

The monitor runs with default settings and its full dashboard, in a terminal of 120 x 40, on two cores that it shares
with the subscriber. Its source gives 10 ms of audio by the clock: sample n of a call was there at begun + n / 16 000,
whatever threads were late; so a score's age needs no help from the monitor. Two ages of each score are kept:

* newest: of the last sample that the score is about;
* oldest: of the first sample that no earlier score was about; it contains the interval between scores (40 ms).

Beside them: what the monitor itself says in its heartbeats (capture to publication), the ring's fill, resident memory
with its growth per hour, processor use, the same without dashboard, and the monitor's own latency on a virtual
microphone where PulseAudio is installed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import (
    RESULTS,
    configuration,
    cores,
    log,
    machine,
    parser,
    pin,
    scorer_of,
    table,
    warn_if_busy,
    without_settings,
    write,
)
from benchmarks.programs import free_address
from benchmarks.received import Received, receive
from benchmarks.virtual_microphone import on_microphone
from model.config import SAMPLE_RATE
from monitor.errors import MonitorError

BAR_MS = 60.0
BIN_S = 10.0
SETTLE_S = 5.0
"""What the first scores cost (torch's first calls) belongs to the start of the program."""
FITTED_FROM = 0.2
"""Memory grows while caches fill; the trend is fitted over the rest of the run."""
SHORTEST_FITTED_S = 300.0

Floats = NDArray[np.float64]


def watched(seconds: float, weights: str, screen: str, folder: Path, journal: bool) -> tuple[Received, float]:
    """Run the monitor for so long; what came, and when its sample 0 began."""
    start_file, address = folder / f"begun-{screen}", free_address()
    command = [sys.executable, "-m", "benchmarks.paced", str(seconds), str(start_file), weights, address, screen]
    command.append(str(folder / f"journal-{screen}") if journal else "")

    def progress(so_far: Received) -> None:
        started = float(start_file.read_text())
        newest, oldest = ages(so_far, started)[1:]
        p50, p99 = np.percentile(newest, 50), np.percentile(oldest, 99)
        elapsed, memory = so_far.scores[-1][1] - started, so_far.process[-1][1]
        line = f"newest p50 {p50:.1f}, oldest p99 {p99:.1f} ms, {memory:.0f} MiB"
        log(f"dashboard {screen}: {elapsed:.0f} of {seconds:.0f} s, {line}")

    received = receive(command, address, seconds + 5.0, without_settings(), folder / f"{screen}.log", progress)
    return received, float(start_file.read_text())


def ages(received: Received, started: float) -> tuple[Floats, Floats, Floats]:
    """Return when scores came, in s since sample 0, and the ages in ms of their newest and oldest audio."""
    sample, at = np.array(received.scores, dtype=np.float64).T
    at = at - started
    newest, oldest = at[1:] - sample[1:] / SAMPLE_RATE, at[1:] - sample[:-1] / SAMPLE_RATE
    kept = at[1:] >= min(SETTLE_S, at[-1] / 2)
    return at[1:][kept], newest[kept] * 1000, oldest[kept] * 1000


def spread(values: Floats) -> dict[str, float]:
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2), "max_ms": round(float(values.max()), 2)}


def slope_per_hour(at: Floats, values: Floats) -> float | None:
    """Fit a line by least squares to all but the beginning, and return its slope an hour; None for a run that is too
    short to say anything of an hour.
    """
    if at[-1] - at[0] < SHORTEST_FITTED_S:
        return None
    kept = at >= at[0] + FITTED_FROM * (at[-1] - at[0])
    return round(float(np.polyfit(at[kept] / 3600.0, values[kept], 1)[0]), 2)


def beats_of(line: Sequence[tuple[float, Mapping[str, object]]], key: str) -> Floats:
    """Return a figure of each heartbeat that has it."""
    return np.array([float(str(data[key])) for _, data in line if key in data])


def beats(received: Received, key: str) -> Floats:
    return beats_of(received.beats, key)


def figures(received: Received, started: float) -> dict[str, Any]:
    """Return the figures of one run."""
    at, newest, oldest = ages(received, started)
    moments, memory, processor = _process(received, started).T
    fill, lost = beats(received, "ring_fill_s") * 1000, beats(received, "lost_s")
    return {
        "scores": len(at),
        "missed_scores": received.missed,
        "newest": spread(newest),
        "oldest": spread(oldest),
        "said_by_the_monitor": {
            "p50_ms": round(float(np.median(beats(received, "latency_p50_ms")[2:])), 2),
            "p99_ms": round(float(np.median(beats(received, "latency_p99_ms")[2:])), 2),
        },
        "latency_growth_ms_per_hour": slope_per_hour(at, newest),
        "ring_fill_ms": {"mean": round(float(fill.mean()), 1), "max": round(float(fill.max()), 1)},
        "lost_s": float(lost.max()),
        "memory_mib": {"start": round(memory[0], 1), "end": round(memory[-1], 1), "max": round(memory.max(), 1)},
        "memory_growth_mib_per_hour": slope_per_hour(moments, memory),
        "cores_used": round((processor[-1] - processor[0]) / (moments[-1] - moments[0]), 3),
    }


def _process(received: Received, started: float) -> Floats:
    """Return (s since sample 0, MiB, processor s) of the time after the start."""
    rows = np.array([(t - started, memory, spent) for t, memory, spent in received.process if memory])
    kept: Floats = rows[rows[:, 0] >= min(SETTLE_S, rows[-1, 0] / 2)]
    return kept


def draw(received: Received, started: float, path: Path) -> None:
    """Draw latency, ring fill and memory over the run."""
    import matplotlib as mpl

    from training.evaluate.drawing import BONA_FIDE, SPOOF, STYLE, panels

    at, newest, oldest = ages(received, started)
    edges = np.linspace(at[0], at[-1], int(np.clip((at[-1] - at[0]) / BIN_S, 10, 120)) + 1)
    middles = (edges[:-1] + edges[1:]) / 120.0
    with mpl.rc_context(STYLE):
        figure, axes = panels(3, 1, 9.0, 1.8, sharex=True)
        upper, middle, lower = axes[:, 0]
        curves = (
            ("oldest audio, max", oldest, 100, "#b8b8b8"),
            ("oldest audio, p99", oldest, 99, SPOOF),
            ("oldest audio, p50", oldest, 50, BONA_FIDE),
            ("newest audio, p99", newest, 99, "#E69F00"),
            ("newest audio, p50", newest, 50, "#009E73"),
        )
        for name, ms, percentile, colour in curves:
            bins = [ms[(at >= a) & (at < b)] for a, b in pairwise(edges)]
            values = [np.percentile(x, percentile) if len(x) else np.nan for x in bins]
            upper.plot(middles, values, color=colour, label=name)
        upper.axhline(BAR_MS, color="#888888", linestyle=":", linewidth=1.0)
        upper.set(ylabel="ms", title="Age of the audio in a score when a subscriber has it", ylim=(0, None))
        upper.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        middle.plot(
            [(t - started) / 60.0 for t, _ in received.beats], beats(received, "ring_fill_s") * 1000, color=BONA_FIDE
        )
        middle.set(ylabel="ms", title="Audio that waits in the ring", ylim=(0, None))
        moments, memory, _ = _process(received, started).T
        lower.plot(moments / 60.0, memory, color=BONA_FIDE)
        lower.set(ylabel="MiB", title="Resident memory of the monitor", xlabel="minutes", ylim=(0, 1.15 * memory.max()))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})


def report(runs: dict[str, dict[str, Any]]) -> str:
    head = ["ms", "newest p50", "p99", "max", "oldest p50", "p99", "max", "memory MiB", "cores"]
    rows = []
    for name, run in runs.items():
        parts = [f"{run[which][key]:.1f}" for which in ("newest", "oldest") for key in ("p50_ms", "p99_ms", "max_ms")]
        rows.append(
            [name, *parts, f"{run['memory_mib']['start']:.0f} to {run['memory_mib']['end']:.0f}", run["cores_used"]]
        )
    return table(head, rows)


def main() -> None:
    options = parser("latency", "Latency from speech to a subscriber, with everything running.")
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--compare-minutes", type=float, default=1.0, help="without dashboard, and on a microphone")
    options.add_argument("--journal", action="store_true", help="with a journal, which has each event first")
    options.add_argument("--picture", type=Path, help="default: docs/pictures/latency.png")
    options.set_defaults(out=None)
    given = options.parse_args()
    stem = "latency-journal" if given.journal else "latency"
    out, picture = given.out or RESULTS / f"{stem}.json", given.picture or Path(f"docs/pictures/{stem}.png")
    warn_if_busy()
    scorer = scorer_of(configuration(given.weights))
    pin(cores()[:2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            received, started = watched(given.minutes * 60.0, given.weights, "full", folder, given.journal)
            runs = {"with dashboard": figures(received, started)}
            if given.compare_minutes > 0:
                runs["without"] = figures(
                    *watched(given.compare_minutes * 60.0, given.weights, "off", folder, given.journal)
                )
            microphone = on_microphone(given.compare_minutes * 60.0, given.weights, free_address(), folder)
        except MonitorError as error:
            sys.exit(f"error: {error}")
    draw(received, started, picture)
    print(report(runs))
    main_run = runs["with dashboard"]
    p99 = main_run["oldest"]["p99_ms"]
    print(f"oldest audio, p99: {p99:.1f} ms; the bar is {BAR_MS:.0f} ms: {'met' if p99 <= BAR_MS else 'MISSED'}")
    if (growth := main_run["memory_growth_mib_per_hour"]) is not None:
        print(f"memory grows by {growth:+.1f} MiB an hour, latency by {main_run['latency_growth_ms_per_hour']:+.1f} ms")
    figures_of_all = main_run | {
        "minutes": given.minutes,
        "journal": given.journal,
        "bar_ms": BAR_MS,
        "bar_met": p99 <= BAR_MS,
    }
    more = {"without_dashboard": runs.get("without"), "microphone": microphone, "machine": machine(scorer)}
    write(out, figures_of_all | more)


if __name__ == "__main__":
    main()
