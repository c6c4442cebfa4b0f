"""Measures error rates by codec, lost packets and noise: many channels over a few of the clips."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.stream import Detector
from training.channels.channels import CLEAN
from training.channels.speech_codecs import has_encoder
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip
from training.corpora.work_progress import Log
from training.evaluate.detection_metrics import eer
from training.evaluate.part_figures import Estimate, Trials, estimate, of_part, part_names
from training.evaluate.trials import through_channel

CODECS = (CLEAN, "g711-mu", "g722", "gsm", "opus-16k", "opus-wide", "amr")
"""Rows of the matrix. AMR only where FFmpeg has its encoder."""

LOSSES = (0, 1, 5, 10)
"""Columns of the matrix: lost packets in percent."""

SNRS = (30, 20, 15, 10, 5)
"""Signal-to-noise ratios of the sweep in dB."""

ROUNDS = 200
Score = Callable[[Detector, AudioBank, Log, str], Trials]


@dataclass(frozen=True)
class Conditions:
    """eer: channel -> part -> error rate, over `clips` clips. The matrix has a row a codec and a column a loss; the
    sweep goes from clean speech to the loudest noise. Either may be empty.
    """

    clips: int
    codecs: tuple[str, ...]
    snrs: tuple[int, ...]
    eer: Mapping[str, Mapping[str, Estimate]]


def lossy_name(codec: str, loss: int) -> str:
    """Return the channel of a cell of the matrix."""
    return f"{codec}-loss-{loss}" if loss else codec


def noisy_name(snr: int) -> str:
    return f"babble-{snr}"


def codecs_here() -> tuple[str, ...]:
    """Return the codecs of the matrix that this machine can encode."""
    return tuple(name for name in CODECS if name != "amr" or has_encoder("libopencore_amrnb"))


def stratified(clips: Sequence[Clip], count: int) -> list[int]:
    """Return numbers of about `count` clips in order, of every part and class its share; always the same.

    Clips of one sentence come before another sentence's, so that a fake is mostly there with its recording.
    """
    strata: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        strata[clip.part, clip.label].append(i)

    def place(i: int) -> tuple[str, str]:
        sentence = clips[i].pair or clips[i].path.name
        return hashlib.sha256(sentence.encode()).hexdigest(), clips[i].path.name

    share = min(1.0, count / len(clips))
    chosen = [i for rows in strata.values() for i in sorted(rows, key=place)[: max(1, round(share * len(rows)))]]
    return sorted(chosen)


def part_of_bank(bank: AudioBank, rows: Sequence[int]) -> AudioBank:
    """Return a bank of some of the clips."""
    spans = [bank.audio[bank.bounds[i] : bank.bounds[i + 1]] for i in rows]
    bounds = np.concatenate([[0], np.cumsum([len(s) for s in spans])]).astype(np.int64)
    return AudioBank([bank.clips[i] for i in rows], np.concatenate(spans), bounds, bank.equalised)


def channels_of(*, matrix: bool, noise: bool) -> tuple[str, ...]:
    """Return the channels that a matrix and a sweep need, each once."""
    names = [lossy_name(codec, loss) for codec in codecs_here() for loss in LOSSES] if matrix else []
    names += [CLEAN, *map(noisy_name, SNRS)] if noise else []
    return tuple(dict.fromkeys(names))


def render_conditions(bank: AudioBank, names: Sequence[str], folder: Path, workers: int, log: Log) -> list[AudioBank]:
    """Return the clips through every channel, in files below folder."""
    banks = []
    for done, name in enumerate(names, 1):
        banks.append(through_channel(bank, name, folder, workers, lambda _: None))
        log(f"conditions: {done} of {len(names)} channels rendered ({name})")
    return banks


def measure_conditions(
    detector: Detector, banks: Sequence[AudioBank], names: Sequence[str], score: Score, log: Log
) -> Conditions:
    """Return the error rate of every channel and part."""
    found: dict[str, dict[str, Estimate]] = {}
    for done, (name, bank) in enumerate(zip(names, banks, strict=True), 1):
        trials = score(detector, bank, lambda _: None, name)
        found[name] = {p: _rate(of_part(trials, p)) for p in part_names(bank.clips)}
        rates = ", ".join(f"{part} {100 * e.value:.1f} %" for part, e in found[name].items())
        log(f"conditions: {done} of {len(names)} channels scored ({name}: {rates})")
    codecs = tuple(c for c in codecs_here() if lossy_name(c, LOSSES[-1]) in found)
    snrs = tuple(s for s in SNRS if noisy_name(s) in found)
    return Conditions(len(banks[0].clips), codecs, snrs, found)


def _rate(trials: Trials) -> Estimate:
    return estimate(eer, trials.llr, trials.label, ROUNDS)
