"""Continuous real speech: telephone prompts and corpus recordings, voice after voice, with short pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.trace import Audio, pause, whole_blocks
from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Chunk
from monitor.errors import BadInputError
from monitor.sources.recording import FileSource
from training.corpora.layouts import load_corpus

PROMPTS = Path("/usr/share/asterisk/sounds")
NOT_SPEECH = ("beep", "tone", "monkeys", "confbridge-join", "confbridge-leave", "silence")
TURN_S, PAUSE_S = 30.0, (0.25, 0.8)


@dataclass(frozen=True)
class Hour:
    """audio: float32 (S,). starts: int64 (turns + 1,), where turns begin and the last one ends. voices: of each turn.
    repeated: clips that were heard more than once.
    """

    audio: Audio
    starts: NDArray[np.int64]
    voices: list[str]
    repeated: int


def prompts(root: Path) -> dict[str, list[Path]]:
    """Return the spoken telephone prompts by voice; what exists at 16 kHz too (G.722) is a voice of its own."""
    voices: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        voice = path.relative_to(root).parts[0]
        if path.suffix in (".wav", ".g722") and not any(word in path.as_posix() for word in NOT_SPEECH):
            voices.setdefault(voice if path.suffix == ".wav" else f"{voice}, G.722", []).append(path)
    return voices


def corpus_voice(corpus: Path) -> dict[str, list[Path]]:
    """Return the bona fide dev clips of a corpus, as one voice."""
    if not corpus.exists():
        return {}
    return {"corpus": [c.path for c in load_corpus(corpus) if c.split == "dev" and c.label == 0]}


def read(path: Path) -> Audio:
    """Return float32 (n,) at 16 kHz, the first channel."""
    samples: Audio = np.concatenate([c.samples[0] for c in FileSource(path).chunks() if isinstance(c, Chunk)])
    return samples


class Voice:
    """Hands out the clips of one voice in random order, again from the start when all were heard."""

    def __init__(self, paths: Sequence[Path], rng: np.random.Generator) -> None:
        self.paths, self.rng, self.given = paths, rng, 0
        self.queue: list[Path] = []

    def turn(self, seconds: float) -> Audio:
        """Return a turn of at least this many seconds, with short pauses of faint noise, in whole blocks."""
        parts: list[Audio] = []
        while sum(map(len, parts)) < seconds * SAMPLE_RATE:
            if not self.queue:
                self.queue = [self.paths[i] for i in self.rng.permutation(len(self.paths)).tolist()]
            self.given += 1
            parts += [read(self.queue.pop()), pause(self.rng, *PAUSE_S)]
        return whole_blocks(np.concatenate(parts))


def make_hour(voices: dict[str, list[Path]], minutes: float, seed: int = 0) -> Hour:
    """Return turns of all voices in rotation until the time is full. Raises BadInputError without any voice."""
    if not voices:
        raise BadInputError(
            f"there is no speech in {PROMPTS}", "apt-get install asterisk-core-sounds-{en,es,fr,it,ru}-wav"
        )
    speakers = {name: Voice(paths, np.random.default_rng([seed, i])) for i, (name, paths) in enumerate(voices.items())}
    turns: list[Audio] = []
    names: list[str] = []
    while sum(map(len, turns)) < minutes * 60 * SAMPLE_RATE:
        names.append(list(speakers)[len(turns) % len(speakers)])
        turns.append(speakers[names[-1]].turn(TURN_S))
    turns[-1] = turns[-1][: len(turns[-1]) - _over(turns, minutes)]
    starts = np.concatenate([[0], np.cumsum([len(t) for t in turns])])
    repeated = sum(max(0, v.given - len(v.paths)) for v in speakers.values())
    return Hour(np.concatenate(turns), starts, names, repeated)


def _over(turns: Sequence[Audio], minutes: float) -> int:
    """Return samples beyond the time asked for, in whole blocks."""
    return (sum(map(len, turns)) - round(minutes * 60 * SAMPLE_RATE)) // BLOCK * BLOCK


def stacked(hour: Hour) -> Audio:
    """Return each turn as a call of its own, (turns, longest); the end of shorter ones is lost audio."""
    rows = np.full((len(hour.voices), int(np.diff(hour.starts).max())), np.nan, dtype=np.float32)
    for row, (a, b) in enumerate(pairwise(hour.starts.tolist())):
        rows[row, : b - a] = hour.audio[a:b]
    return rows
