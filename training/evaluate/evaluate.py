"""training evaluate: streams a split through channels and the network, and writes down how good the scores are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import best_device, describe, load_detector, use_all_cores
from model.config import BLOCK_S
from model.figures import Bandwidth
from model.stream import Detector, Scores
from training.corpora.bank import AudioBank, build_bank
from training.corpora.clips import Clip
from training.corpora.work_progress import Log, log_progress
from training.evaluate.benchmark_results import BenchmarkResults, read_result
from training.evaluate.comparison import OfflineComparison
from training.evaluate.conditions import (
    Conditions,
    channels_of,
    measure_conditions,
    part_of_bank,
    render_conditions,
    stratified,
)
from training.evaluate.embedding import embed, tsne
from training.evaluate.part_figures import SECONDS, PartFigures, Trials, measure, of_part, part_names
from training.evaluate.report_files import EmbeddingMap, Report, table, write_report
from training.evaluate.scoring import pool, stream_clips
from training.evaluate.trials import check_channels, choose, through_channel

CHANNELS = ("clean", "g711-mu", "opus-wide", "amr")
"""The channels of an evaluation that names none: a recording, a landline, a call over the internet, a mobile call."""

MAPPED, FEWEST_MAPPED = 800, 12
"""Clips of the picture of the hidden state, at most and at least."""


Compare = Callable[[Mapping[str, AudioBank], Mapping[str, Trials], int, Log], OfflineComparison]


@dataclass(frozen=True)
class EvaluationPlan:
    """The trials and the folder to write. rounds: of the bootstrap. size: clips scored at once. matrix, noise:
    with error rates by codec and loss, against noise, over matrix_clips clips. calls, drift: results to show.
    as_recorded: clips at their own level. beside: scores the same clips, by channel, with another
    network to compare with.
    """

    corpora: Sequence[Path]
    weights: Path
    out: Path
    cache: Path
    manifest: Path | None = None
    split: str = "dev"
    channels: Sequence[str] = CHANNELS
    workers: int = 2
    device: str = "auto"
    rounds: int = 500
    size: int = 256
    matrix: bool = False
    noise: bool = False
    matrix_clips: int = 400
    calls: Path | None = None
    drift: Path | None = None
    as_recorded: bool = False
    beside: Compare | None = None


def llr_over_time(scores: Scores, detector: Detector) -> NDArray[np.float64]:
    """Return the llr (len(SECONDS),) of a clip (1, B) after so much net speech, or after all where there is less."""
    active = scores.active[0]
    logits = scores.spoof[0][active].double().numpy()
    if not len(logits):
        return np.zeros(len(SECONDS))
    counts = np.minimum([round(s / BLOCK_S) for s in SECONDS], len(logits))
    mean = np.cumsum(logits)[counts - 1] / counts
    known = scores.bandwidth[0][active].numpy()[counts - 1]
    fitted = [detector.config.calibrated_for(Bandwidth(int(band))) for band in known]
    return np.array([c.scale * m + c.offset for c, m in zip(fitted, mean.tolist(), strict=True)])


def score(detector: Detector, bank: AudioBank, log: Log, name: str, size: int = 256) -> Trials:
    """Stream every clip of a bank from a cold state."""
    n, progress = len(bank.clips), log_progress(log, f"{name}, clips scored")
    llr, net, by_time = np.zeros(n), np.zeros(n), np.zeros((n, len(SECONDS)))
    families = np.zeros((n, len(detector.config.families)))
    for i, scores in stream_clips(detector, [bank.clip(i) for i in range(n)], size, progress):
        clip = pool(scores, detector)
        llr[i], net[i], families[i] = clip.llr, clip.net_speech_s, clip.families
        by_time[i] = llr_over_time(scores, detector)
    clips = np.empty(n, dtype=np.object_)
    clips[:] = bank.clips
    return Trials(clips, np.array([c.label for c in bank.clips]), llr, families, net, by_time)


def _conditions(plan: EvaluationPlan, detector: Detector, bank: AudioBank, log: Log) -> Conditions | None:
    """Error rates by codec, loss and noise over a few of the clips, where the plan wants them."""
    names = channels_of(matrix=plan.matrix, noise=plan.noise)
    if not names:
        return None
    some = part_of_bank(bank, stratified(bank.clips, plan.matrix_clips))
    log(f"conditions: {len(names)} channels over {len(some.clips)} clips")
    with TemporaryDirectory(dir=plan.cache) as folder:
        banks = render_conditions(some, names, Path(folder), plan.workers, log)
        return measure_conditions(detector, banks, names, partial(score, size=plan.size), log)


def _map(detector: Detector, bank: AudioBank, log: Log) -> EmbeddingMap:
    """Return places of some of the clips by what the network makes of them."""
    some = part_of_bank(bank, stratified(bank.clips, MAPPED))
    log(f"t-SNE of the hidden state of {len(some.clips)} clips")
    found = embed(detector, [some.clip(i) for i in range(len(some.clips))])
    names = np.array([c.family if c.label else "bonafide" for c in some.clips])
    return EmbeddingMap(tsne(found.hidden), names)


def evaluate(plan: EvaluationPlan, log: Log) -> Report:
    """Measure, write the report into plan.out, and return it. Raises CorpusError and CheckpointError."""
    check_channels(plan.channels)
    results = BenchmarkResults(read_result(plan.calls, "sweep"), read_result(plan.drift, "slope_per_hour"))
    detector = load_detector(plan.weights, best_device(plan.device))
    learned = json.loads(describe(plan.weights).get("training", "{}"))
    clips = choose(plan.corpora, plan.split, plan.manifest)
    log(f"{len(clips)} clips of the split {plan.split}, {sum(c.label for c in clips)} of them synthetic")
    plan.cache.mkdir(parents=True, exist_ok=True)
    bank = build_bank(clips, plan.cache, plan.workers, log_progress(log, "decoding"), as_recorded=plan.as_recorded)
    # Before torch starts threads: the workers are forks.
    banks = {name: through_channel(bank, name, plan.cache, plan.workers, log) for name in plan.channels}
    conditions = _conditions(plan, detector, bank, log)
    if detector.device.type == "cpu":
        use_all_cores()
    trials = {name: score(detector, audio_bank, log, name, plan.size) for name, audio_bank in banks.items()}
    report = Report(
        weights=plan.weights,
        weights_hash=detector.weights_hash,
        training=learned,
        split=plan.split,
        corpora=plan.corpora,
        trials=trials,
        figures=_figures(trials, clips, detector, plan.rounds, log),
        conditions=conditions,
        map=_map(detector, bank, log) if len(clips) >= FEWEST_MAPPED else None,
        results=results,
        beside=plan.beside(banks, trials, plan.rounds, log) if plan.beside else None,
    )
    for line in table(report):
        log(line)
    write_report(report, plan.out)
    log(f"wrote {plan.out / 'report.html'}")
    return report


def _figures(
    trials: Mapping[str, Trials], clips: Sequence[Clip], detector: Detector, rounds: int, log: Log
) -> dict[str, dict[str, PartFigures]]:
    figures: dict[str, dict[str, PartFigures]] = {}
    for name, scored in trials.items():
        log(f"{name}: computing figures and intervals")
        figures[name] = {
            part: measure(of_part(scored, part), part, detector.config.families, rounds) for part in part_names(clips)
        }
    return figures
