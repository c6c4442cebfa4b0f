"""Plays calls through a Pool at full speed and keeps what it said of every block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine.pool import Pool
from monitor.scoring.opening import open_scorer

Audio = NDArray[np.float32]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Trace:
    """Figures of B blocks of N calls, all (B, N). llr, p_fake: of the recent speech. speech: the block is evidence.
    enough: there is enough net speech for a verdict. state: index into engine.decision.STATES. opened: an alert opened.
    whole: llr of all speech. hard: the voice is hard to judge.
    """

    llr: NDArray[np.float64]
    p_fake: NDArray[np.float64]
    speech: NDArray[np.bool_]
    enough: NDArray[np.bool_]
    state: NDArray[np.int64]
    opened: NDArray[np.bool_]
    whole: NDArray[np.float64]
    hard: NDArray[np.bool_]


def play(config: Config, audio: Audio, log: Log) -> Trace:
    """Hear calls float32 (N, S) side by side, each from a cold state; NaN is lost audio. Says how far it is."""
    calls, blocks = audio.shape[0], audio.shape[1] // BLOCK
    pool, rows = Pool(open_scorer(config.model, calls), config), np.arange(calls)
    llr, p_fake = np.zeros((blocks, calls)), np.zeros((blocks, calls))
    net, state = np.zeros((blocks, calls), dtype=np.int64), np.zeros((blocks, calls), dtype=np.int64)
    whole, hard = np.zeros((blocks, calls)), np.zeros((blocks, calls), dtype=np.bool_)
    warm, opened = np.zeros((blocks, calls), dtype=np.bool_), np.zeros((blocks, calls), dtype=np.bool_)
    for b in range(blocks):
        samples = np.ascontiguousarray(audio[:, b * BLOCK : (b + 1) * BLOCK])
        results = pool.step(Blocks(rows, samples, np.full(calls, (b + 1) * BLOCK), np.zeros(calls)))
        llr[b], p_fake[b], net[b], warm[b] = results.llr, results.p_fake, results.net_speech, results.warm
        state[b], opened[b], hard[b] = pool.decision.state, results.changes.opened, results.hard
        whole[b] = pool.verdicts(slice(0, calls), whole=True).llr
        if (b + 1) % max(1, blocks // 10) == 0:
            log(f"  {100 * (b + 1) // blocks} % of {blocks * BLOCK_S:.0f} s of {calls} calls")
    speech = np.diff(net, axis=0, prepend=0) > 0
    enough = warm & (net * BLOCK_S >= config.evidence.min_speech_s)
    return Trace(llr, p_fake, speech, enough, state, opened, whole, hard)


def merged(traces: Sequence[Trace]) -> Trace:
    """Return the calls of all traces side by side; after the end of a shorter one there is no speech."""
    longest = max(len(t.llr) for t in traces)

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([np.pad(v := getattr(t, name), ((0, longest - len(v)), (0, 0))) for t in traces], axis=1)

    return Trace(**{f.name: column(f.name) for f in fields(Trace)})


def keep(path: Path, trace: Trace, onsets: NDArray[np.int64], weights_hash: str) -> None:
    """Write a trace and the first fake block of each call, for `python -m benchmarks.rules`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, onsets=onsets, weights_hash=weights_hash, **vars(trace))


def kept(path: Path) -> tuple[Trace, NDArray[np.int64], str]:
    """Return what keep() wrote. Raises OSError and KeyError."""
    with np.load(path) as held:
        return Trace(**{f.name: held[f.name] for f in fields(Trace)}), held["onsets"], str(held["weights_hash"])


def whole_blocks(audio: Audio) -> Audio:
    """Return the audio without the samples beyond its last whole block."""
    return audio[: len(audio) // BLOCK * BLOCK]


def pause(rng: np.random.Generator, shortest_s: float, longest_s: float) -> Audio:
    """Make faint noise at -72 dBFS, as between two sentences."""
    noise = rng.standard_normal(int(rng.uniform(shortest_s, longest_s) * SAMPLE_RATE), dtype=np.float32)
    return noise * np.float32(2.5e-4)


def fault(error: Exception) -> str:
    """Return one line that says what is wrong, and one that says what to do where it is known."""
    hint = getattr(error, "hint", "")
    return f"error: {error}" + (f"\n  {hint}" if hint else "")
