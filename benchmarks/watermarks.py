"""Confidence of the Perth network on speech with and without its watermark: python -m benchmarks.watermarks CORPUS.

CORPUS: a folder of speech as docs/training.md has it. Prints a table for docs/provenance.md: the confidence in up to
10 s of each clip, and how many clips lie beyond the threshold of monitor/provenance/watermark.py.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from monitor.audio import Audio
from monitor.provenance.watermark import FOUND, STRETCH_S, PerthReader, is_readable
from monitor.types import SAMPLE_RATE
from training.channels.channels import find_channel
from training.corpora.bank import read_audio
from training.corpora.clips import Clip
from training.corpora.layouts import load_corpus

CHANNELS = ("clean", "g711-mu", "amr", "opus-wide")


def sample(clips: list[Clip], count: int) -> Iterator[tuple[Clip, Audio]]:
    """Yield up to `count` clips that are long enough, drawn with a fixed seed, with the first 10 s of each."""
    for i in np.random.default_rng(0).permutation(len(clips)):
        audio = read_audio(clips[i].path)[: STRETCH_S * SAMPLE_RATE]
        if is_readable(audio):
            yield clips[i], audio
            count -= 1
        if not count:
            return


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--clips", type=int, default=400, help="clips of each kind, not marked")
    parser.add_argument(
        "--marked", type=int, default=25, help="of these, clips that are marked and sent through channels"
    )
    given = parser.parse_args()
    reader, rng = PerthReader(), np.random.default_rng(1)
    clips = load_corpus(given.corpus)
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    started, seconds = time.process_time(), 0.0
    for label, name in enumerate(("genuine", "synthetic")):
        for number, (clip, audio) in enumerate(sample([c for c in clips if c.label == label], given.clips)):
            confidence = reader.confidence(audio)
            found[f"{name}, not marked", "clean"].append(confidence)
            seconds += len(audio) / SAMPLE_RATE
            if confidence > FOUND:
                print(f"{confidence:.3f} {clip.path} {clip.system}")
            if number >= given.marked:
                continue
            marked = np.asarray(reader.network.apply_watermark(audio, SAMPLE_RATE), np.float32)
            for channel in CHANNELS:
                through = find_channel(channel)
                assert through is not None
                found[f"{name}, marked", channel].append(reader.confidence(through(marked, rng)))
                seconds += len(audio) / SAMPLE_RATE
    print("| speech | channel | clips | lowest | median | highest | found |\n|---|---|---|---|---|---|---|")
    for (kind, channel), values in found.items():
        low, middle, high = np.quantile(values, [0.0, 0.5, 1.0])
        beyond = sum(value > FOUND for value in values)
        print(f"| {kind} | {channel} | {len(values)} | {low:.2f} | {middle:.2f} | {high:.2f} | {beyond} |")
    print(f"{(time.process_time() - started) / seconds * 1000:.1f} ms of CPU for a second of speech")


if __name__ == "__main__":
    main()
