"""python -m benchmarks.false_alarms: false alarms per hour on genuine speech of many kinds, through several channels.

A call holds one voice: the bona fide clips of one speaker (of one page, where speakers are unknown), or one voice of
telephone prompts, with short pauses. No clip is played twice through one channel. Every call starts from a cold state
and goes through the pool of the live program.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from benchmarks.common import log, write
from benchmarks.real_speech import PAUSE_S, prompts, read
from benchmarks.synthetic_calls import NEVER, stack
from benchmarks.trace import Audio, Trace, fault, keep, merged, pause, play, whole_blocks
from model.config import BLOCK_S, SAMPLE_RATE
from model.weights_file import weights_hash, weights_path
from monitor.config.schema import Config, ModelSection
from monitor.engine.decision import SUSPICIOUS
from monitor.errors import BadInputError, MonitorError
from training.channels.channels import CLEAN, find_channel
from training.corpora.clips import CorpusError
from training.corpora.layouts import load_corpus
from training.evaluate.trials import check_channels

CHANNELS = (CLEAN, "g711-mu", "opus-16k-loss-5", "amr", "loudspeaker")
BATCH = 64


@dataclass(frozen=True)
class RecordedVoice:
    """One speaker of one source, and the recordings of it."""

    source: str
    name: str
    paths: list[Path]


@dataclass(frozen=True)
class VoiceOutcome:
    """The outcome of one call. speech_s: net speech. alarms: alerts that opened. suspected: it was so at some time."""

    source: str
    voice: str
    channel: str
    speech_s: float
    alarms: int
    suspected: bool


def voices_of(corpora: Sequence[Path], split: str, folders: Sequence[Path]) -> list[RecordedVoice]:
    """Return bona fide voices of corpora, and voices of folders of prompts. Raises CorpusError and BadInputError."""
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for corpus in corpora:
        for clip in load_corpus(corpus):
            if clip.label == 0 and clip.split == split:
                found[clip.part or corpus.name, clip.speaker or clip.source].append(clip.path)
    for folder in folders:
        for name, paths in prompts(folder).items():
            found["prompts", name] = paths
    if not found:
        raise BadInputError("there is no genuine speech to play", "name a --corpus with bona fide clips, or --prompts")
    return [RecordedVoice(source, name, paths) for (source, name), paths in sorted(found.items())]


def calls_of(voice: RecordedVoice, seconds: float, rng: np.random.Generator) -> Iterator[Audio]:
    """Yield float32 (n,): the recordings of a voice, each once, in calls of at most `seconds`; whole blocks. A file
    that cannot be read is named and left out.
    """
    parts: list[Audio] = []
    for i in rng.permutation(len(voice.paths)).tolist():
        try:
            parts += [read(voice.paths[i]), pause(rng, *PAUSE_S)]
        except BadInputError as error:
            log(f"left out: {error}")
        if sum(map(len, parts)) >= seconds * SAMPLE_RATE:
            yield whole_blocks(np.concatenate(parts))
            parts = []
    if parts:
        yield whole_blocks(np.concatenate(parts))


def outcomes(
    config: Config, voices: Sequence[RecordedVoice], channels: Sequence[str], seconds: float
) -> Iterator[tuple[list[VoiceOutcome], Trace]]:
    """Play every call through every channel, BATCH calls of like length side by side."""
    rng = np.random.default_rng(0)
    calls = [(voice, audio) for voice in voices for audio in calls_of(voice, seconds, rng)]
    if not calls:
        raise BadInputError("none of the recordings can be played", "name others with --corpus or --prompts")
    calls.sort(key=lambda call: len(call[1]))
    hours = sum(len(audio) for _, audio in calls) / SAMPLE_RATE / 3600.0
    log(f"{len(voices)} voices, {len(calls)} calls, {hours:.2f} hours through each of {len(channels)} channels")
    for channel in channels:
        treat = find_channel(channel)
        assert treat is not None, channel
        for top in range(0, len(calls), BATCH):
            some = calls[top : top + BATCH]
            trace = play(config, stack([treat(audio, rng) for _, audio in some]), lambda _: None)
            speech_s, alarms = trace.speech.sum(axis=0) * BLOCK_S, trace.opened.sum(axis=0)
            suspected = (trace.state == SUSPICIOUS).any(axis=0)
            told = zip(some, speech_s.tolist(), alarms.tolist(), suspected.tolist(), strict=True)
            yield [VoiceOutcome(voice.source, voice.name, channel, *figures) for (voice, _), *figures in told], trace
            log(f"  {channel}: {min(top + BATCH, len(calls))} of {len(calls)} calls")


def rate(some: Sequence[VoiceOutcome]) -> dict[str, float]:
    """Return false alarms, hours of net speech, alarms an hour and the upper end of their one-sided 95 % Poisson
    interval.
    """
    alarms, hours = sum(o.alarms for o in some), sum(o.speech_s for o in some) / 3600.0
    return {
        "calls": len(some),
        "hours": round(hours, 3),
        "false_alarms": alarms,
        "per_hour": round(alarms / hours, 3) if hours else float("nan"),
        "at_most_per_hour": round(float(chi2.ppf(0.95, 2 * alarms + 2)) / 2 / hours, 3) if hours else float("nan"),
        "suspected": round(sum(o.suspected for o in some) / len(some), 4),
    }


def summarise(all_of_them: Sequence[VoiceOutcome]) -> dict[str, Any]:
    """Return rates in all, by source, by channel and by both; and the voices with the most false alarms."""
    grouped: dict[str, Any] = {"all": rate(all_of_them)}
    for columns in (("source",), ("channel",), ("source", "channel")):
        groups: dict[str, list[VoiceOutcome]] = defaultdict(list)
        for outcome in all_of_them:
            groups[" ".join(getattr(outcome, column) for column in columns)].append(outcome)
        grouped["by_" + "_and_".join(columns)] = {name: rate(some) for name, some in sorted(groups.items())}
    worst = Counter({f"{o.source} {o.voice} {o.channel}": o.alarms for o in all_of_them if o.alarms})
    return grouped | {"voices": dict(worst.most_common(20))}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.false_alarms", description="False alarms per hour.")
    corpus = Path(os.environ.get("CORPUS_DIR", "../shared/corpus"))
    parser.add_argument("--corpus", type=Path, nargs="*", default=[corpus], help="manifests with bona fide clips")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--prompts", type=Path, nargs="*", default=[], help="folders with a folder of prompts a voice")
    parser.add_argument("--channel", nargs="+", default=list(CHANNELS))
    parser.add_argument("--call-s", type=float, default=60.0, help="longest call, seconds")
    parser.add_argument("--weights", default="default", help="weights file")
    parser.add_argument("--keep", type=Path, help="keep the evidence of every block here, for benchmarks.rules")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/false_alarms.json"))
    given = parser.parse_args(arguments)
    try:
        check_channels(given.channel)
        config = Config(model=ModelSection(weights=given.weights))
        voices = voices_of(given.corpus, given.split, given.prompts)
        batches = list(outcomes(config, voices, given.channel, given.call_s))
    except (MonitorError, CorpusError) as error:
        sys.exit(fault(error))
    found, weights_sha256 = [o for told, _ in batches for o in told], weights_hash(weights_path(given.weights))
    if given.keep:
        keep(given.keep, merged([trace for _, trace in batches]), np.full(len(found), NEVER), weights_sha256)
    figures = {"weights_sha256": weights_sha256} | summarise(found)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write(given.out, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
