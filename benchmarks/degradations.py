"""python -m benchmarks.degradations: what the monitor says of voices that were made hard to judge.

Calls of about 20 s, each of one speaker or one system on one page of a corpus's dev split, genuine and fake, go through
each degradation and then through the pool of the live program. Counted is the state at the end: a fake that ends as
clear, and a genuine call that ends as suspicious or with an alert. Half of the speakers and pages chose the thresholds
(--half chosen); the figures that count are of the other half (--half measured).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import log, write
from benchmarks.degrade import DEGRADATIONS, Degradation
from benchmarks.trace import Audio, fault, pause, play, whole_blocks
from model.config import SAMPLE_RATE
from model.weights_file import weights_hash, weights_path
from monitor.config.schema import Config, ModelSection
from monitor.engine.decision import STATES
from monitor.errors import MonitorError
from monitor.types import State
from training.corpora.bank import AudioBank, build_bank
from training.corpora.clips import CorpusError
from training.evaluate.trials import choose

CALL_S = 20.0
LEAST_S = 2.9
"""Of different speech in a call; what is short is heard again."""
HALVES = ("chosen", "measured", "both")


@dataclass(frozen=True)
class SpokenVoice:
    """One speaker, or one system on one page. clips: indices in the bank."""

    name: str
    part: str
    fake: bool
    half: str
    clips: tuple[int, ...]


def voices(bank: AudioBank, each: int) -> list[SpokenVoice]:
    """Draw up to `each` genuine and as many fake voices of each part and half, by their names. No two of the lab's
    fakes in a row are by one system.
    """
    groups: dict[tuple[str, bool, str, str], list[int]] = {}
    for i, clip in enumerate(bank.clips):
        of = clip.speaker if clip.part == "lab" else f"{clip.source} {clip.speaker}"
        groups.setdefault((clip.part, clip.label == 1, of.strip(), clip.system), []).append(i)
    seconds = np.diff(bank.bounds) / SAMPLE_RATE
    rank: Counter[tuple[str, bool, str]] = Counter()
    order = []
    for group in sorted(groups, key=_draw):
        if seconds[groups[group]].sum() >= LEAST_S:
            part, fake, _, system = group
            rank[part, fake, system] += fake
            order.append((rank[part, fake, system], group))
    taken: Counter[tuple[str, bool, str]] = Counter()
    found: list[SpokenVoice] = []
    for _, (part, fake, of, system) in sorted(order, key=lambda one: one[0]):
        half = HALVES[_draw(of.split(" ")[0]) % 2]
        taken[part, fake, half] += 1
        if taken[part, fake, half] <= each:
            clips = tuple(groups[part, fake, of, system])
            found.append(SpokenVoice(f"{part}/{of}/{system}", part, fake, half, clips))
    return found


def _draw(name: object) -> int:
    return zlib.crc32(repr(name).encode())


def call(bank: AudioBank, voice: SpokenVoice, rng: np.random.Generator) -> Audio:
    """Make CALL_S of a voice: its clips in random order with short pauses, repeated where there is little."""
    parts: list[Audio] = []
    while sum(map(len, parts)) < CALL_S * SAMPLE_RATE:
        for i in rng.permutation(voice.clips).tolist():
            parts += [bank.clip(i), pause(rng, 0.2, 0.6)]
    return whole_blocks(np.concatenate(parts)[: round(CALL_S * SAMPLE_RATE)])


def degraded(calls: Sequence[Audio], degradation: Degradation, seed: int) -> Audio:
    """Return float32 (N, S): each call through it, with settings of its own."""
    return np.stack([degradation(x, np.random.default_rng([seed, i])) for i, x in enumerate(calls)])


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Return states at the end of every call, for each degradation."""
    config = Config(model=ModelSection(weights=given.weights))
    given.cache.mkdir(parents=True, exist_ok=True)
    bank = build_bank(choose(given.corpus, "dev"), given.cache, 1, lambda *_: None)
    chosen = [v for v in voices(bank, given.voices) if given.half in (v.half, "both")]
    calls = [call(bank, voice, np.random.default_rng(i)) for i, voice in enumerate(chosen)]
    log(f"{len(calls)} calls of {CALL_S:g} s, {sum(v.fake for v in chosen)} of them fake")
    found: dict[str, dict[str, dict[str, int]]] = {}
    for seed, (name, degradation) in enumerate(DEGRADATIONS.items()):
        state = play(config, degraded(calls, degradation, seed), lambda _: None).state[-1].tolist()
        ends = {kind: Counter({s.value: 0 for s in State}) for kind in ("genuine", "fake")}
        for voice, last in zip(chosen, state, strict=True):
            ends["fake" if voice.fake else "genuine"][STATES[last].value] += 1
        found[name] = {kind: dict(count) for kind, count in ends.items()}
        log(_row(name, found[name]))
    return {
        "weights_sha256": weights_hash(weights_path(given.weights)),
        "half": given.half,
        "calls": len(calls),
        **_shares(found),
        "ends": found,
    }


def _shares(ends: dict[str, dict[str, dict[str, int]]]) -> dict[str, Any]:
    """Return two shares over all degradations and none: fakes that end clear, genuine calls that end worse than
    undecided.
    """
    fake, genuine = (sum((Counter(e[kind]) for e in ends.values()), Counter()) for kind in ("fake", "genuine"))
    worse = genuine[State.SUSPICIOUS.value] + genuine[State.ALERT.value]
    return {
        "fakes_that_end_clear": round(fake[State.CLEAR.value] / max(fake.total(), 1), 4),
        "genuine_that_end_worse_than_undecided": round(worse / max(genuine.total(), 1), 4),
        "genuine_untouched_that_end_clear": ends["none"]["genuine"][State.CLEAR.value],
    }


def _row(name: str, ends: dict[str, dict[str, int]]) -> str:
    """Return a line that says how many calls ended in which state."""
    parts = (f"{kind}: " + ", ".join(f"{n} {s}" for s, n in count.items() if n) for kind, count in ends.items())
    return f"{name:20s} {';  '.join(parts)}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.degradations", description="Voices hard to judge.")
    parser.add_argument(
        "--corpus", type=Path, nargs="+", default=[Path(os.environ.get("CORPUS_DIR", "../shared/corpus"))]
    )
    parser.add_argument("--voices", type=int, default=8, help="genuine and fake ones of each part and half, at most")
    parser.add_argument("--half", choices=HALVES, default="measured", help="of the speakers and pages")
    parser.add_argument("--weights", default="default", help="weights file")
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/degradations.json"))
    given = parser.parse_args(arguments)
    try:
        figures = measure(given)
    except (MonitorError, CorpusError) as error:
        sys.exit(fault(error))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write(given.out, figures)
    print(json.dumps({k: v for k, v in figures.items() if k != "ends"}, indent=1))


if __name__ == "__main__":
    main()
