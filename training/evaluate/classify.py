"""training classes: how well the kinds of synthesis are told apart, by the network's own head and by a classifier."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.checkpoint import best_device, load_detector
from model.stream import Detector
from training.corpora.bank import AudioBank, build_bank
from training.corpora.clips import BONA_FIDE, Clip, CorpusError
from training.corpora.work_progress import Log, log_progress
from training.evaluate.classes import Names, choose, class_of, counts, report
from training.evaluate.drawing import save_all
from training.evaluate.embedding import Embeddings, embed, tsne
from training.evaluate.open_set import LeftOutKind, leave_systems_out
from training.evaluate.plots_classes import confusion, scatter
from training.evaluate.report_files import plain
from training.evaluate.trials import choose_both

FAMILY_KEPT = 0.95


@dataclass(frozen=True)
class ClassesPlan:
    """part: of the corpus, "" = all. fewest: training clips that a class needs."""

    corpora: Sequence[Path]
    weights: Path
    out: Path
    cache: Path
    part: str = ""
    fewest: int = 20
    workers: int = 2
    device: str = "auto"


@dataclass(frozen=True)
class _Side:
    """One split: its clips and what the network makes of them."""

    clips: list[Clip]
    seen: Embeddings
    names: Names


def run(plan: ClassesPlan, log: Log) -> dict[str, Any]:
    """Measure, fit, and write classes.json and pictures; returns the figures.

    Raises CorpusError and CheckpointError.
    """
    detector = load_detector(plan.weights, best_device(plan.device))
    train_clips, dev_clips = chosen(plan, log)
    plan.cache.mkdir(parents=True, exist_ok=True)
    banks = [build_bank(c, plan.cache, plan.workers, log_progress(log, "decoding")) for c in (train_clips, dev_clips)]
    train, dev = (_embedded(detector, bank, name, log) for bank, name in zip(banks, ("train", "dev"), strict=True))
    plan.out.mkdir(parents=True, exist_ok=True)
    head = head_report(detector, dev)
    for line in lines(head, "family head and bona fide / fake decision"):
        log(line)
    log("fitting classifiers on the training clips, speakers held out")
    speakers = np.array([c.speaker or c.pair or str(i) for i, c in enumerate(train.clips)])
    model, views = choose(train.seen, train.names, speakers, log)
    systems = report(model.names(dev.seen), dev.names, model.classes)
    for line in lines(systems, f"classifier of systems, which sees {model.view}"):
        log(line)
    foreign = leave_systems_out(train.seen, train.names, dev.seen, dev.names, model.view, model.unknown_below)
    for line in open_set_lines(foreign):
        log(line)
    figures = {
        "weights_sha256": detector.weights_hash,
        "part": plan.part,
        "train": counts(train.names),
        "dev": counts(dev.names),
        "family_head": head,
        "family_head_confidence": family_confidence(detector, train),
        "held_out_speakers": views,
        "systems": systems | {"view": model.view, "unknown_below": model.unknown_below},
        "left_out": foreign,
    }
    write(figures, dev, plan.out, log)
    return figures


def write(figures: dict[str, Any], dev: _Side, out: Path, log: Log) -> None:
    """Write classes.json and the pictures."""
    (out / "classes.json").write_text(json.dumps(plain(figures), indent=1) + "\n", encoding="utf-8")
    pictures = {
        "confusion": lambda: confusion(figures["systems"], "Systems"),
        "confusion-families": lambda: confusion(figures["family_head"], "Family head"),
        "embedding": lambda: scatter(tsne(dev.seen.hidden), dev.names) if len(dev.names) > 3 else None,
    }
    for path in save_all(pictures, out).values():
        log(f"wrote {path}")
    log(f"wrote {out / 'classes.json'}")


def chosen(plan: ClassesPlan, log: Log) -> tuple[list[Clip], list[Clip]]:
    """Return training and dev clips of the classes that have enough of them. Raises CorpusError."""
    train, dev = choose_both(plan.corpora)
    train, dev = ([c for c in clips if not plan.part or c.part == plan.part] for clips in (train, dev))
    sizes = Counter(class_of(c) for c in train)
    known = {name for name, size in sizes.items() if size >= plan.fewest}
    few = sorted(set(sizes) - known)
    if few:
        log(f"too few clips to be a class: {len(few)} systems ({', '.join(few[:8])}{', ...' if len(few) > 8 else ''})")
    train, dev = ([c for c in clips if class_of(c) in known] for clips in (train, dev))
    if len(known) < 2 or not dev:
        raise CorpusError(f"there are {len(known)} classes with {plan.fewest} training clips; lower --fewest")
    log(f"{len(known)} classes, {len(train)} training clips, {len(dev)} dev clips")
    for name in sorted(known):
        log(f"  {name:24s} {sizes[name]:5d} train {sum(class_of(c) == name for c in dev):5d} dev")
    return train, dev


def _embedded(detector: Detector, bank: AudioBank, name: str, log: Log) -> _Side:
    clips = [bank.clip(i) for i in range(len(bank.clips))]
    seen = embed(detector, clips, progress=log_progress(log, f"{name}, clips scored"))
    return _Side(bank.clips, seen, np.array([class_of(c) for c in bank.clips]))


def head_report(detector: Detector, side: _Side) -> dict[str, Any]:
    """Return what a live call would show: bona fide where the ratio is below 0, else the likeliest family."""
    families = detector.config.families
    true = np.array([c.family if c.label else BONA_FIDE for c in side.clips])
    predicted = np.array([families[int(s.families.argmax())] if s.llr >= 0 else BONA_FIDE for s in side.seen.scores])
    classes = [BONA_FIDE, *(f for f in families if f in set(true.tolist()) | set(predicted.tolist()))]
    known = np.isin(true, [BONA_FIDE, *families])
    return report(predicted[known], true[known], classes)


def family_confidence(detector: Detector, side: _Side) -> dict[str, float]:
    """Return how sure the head is of the likeliest family of the fakes it was trained on: 5 % quantile and median."""
    known = [s for c, s in zip(side.clips, side.seen.scores, strict=True) if c.family in detector.config.families]
    highest = np.array([float(s.families.max()) for s in known if s.net_speech_s > 0])
    if not len(highest):
        return {}
    quantile, median = float(np.quantile(highest, 1 - FAMILY_KEPT)), float(np.median(highest))
    return {"clips": len(highest), "quantile": quantile, "median": median}


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def lines(found: dict[str, Any], title: str) -> list[str]:
    """Return a report as text."""
    text = [
        f"{title}: {_share(found['accuracy'])} of {found['clips']} clips right, balanced "
        f"{_share(found['balanced_accuracy'])}",
        f"  {'class':24s}{'clips':>6}{'precision':>11}{'recall':>9}{'F1':>8}",
    ]
    for name, row in found["classes"].items():
        text.append(f"  {name:24s}{row['clips']:>6}{row['precision']:>11.3f}{row['recall']:>9.3f}{row['f1']:>8.3f}")
    return text


def open_set_lines(found: Sequence[LeftOutKind]) -> list[str]:
    if not found:
        return []
    head = f"  {'left out of the fit':24s}{'clips':>6}{'AUROC':>8}{'unknown':>9}{'known ones unknown':>20}"
    rows = [
        f"  {x.name:24s}{x.clips:>6}{x.auroc:>8.3f}{_share(x.unknown):>9}{_share(x.known_unknown):>20}" for x in found
    ]
    auroc, unknown = (float(np.mean([getattr(x, name) for x in found])) for name in ("auroc", "unknown"))
    mean = f"  {'mean':24s}{'':>6}{auroc:>8.3f}{_share(unknown):>9}"
    return ["systems that were never met, by the probability of the likeliest class", head, *rows, mean]
