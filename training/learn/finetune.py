"""training finetune: go on from trained weights with a folder of own fakes and real voices, and measure what it did."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import best_device, load_detector
from model.config import DetectorConfig
from training.corpora.bank import build_bank
from training.corpora.clips import AUDIO_SUFFIXES, BONA_FIDE, Clip, CorpusError
from training.corpora.work_progress import Log, log_progress
from training.evaluate.detection_metrics import eer
from training.evaluate.scoring import score_clips
from training.evaluate.trials import choose
from training.learn.prepare import TrainingPlan, run
from training.learn.settings import TrainConfig

CLASSES: Mapping[str, int] = {"real": 0, "fake": 1}
"""Folders within the folder: of what."""
FEWEST = 5
"""Voices or recordings of each class, so that there are some to learn from, to choose by and to hold back."""
OWN, FAMILY = "own", "own"
OWN_LIST, RESULT = "own.csv", "finetune.json"
RATE, ROWS, SECONDS, WARM_UP = 1e-4, 16, 6.0, 20
SHORTEST_S = 1.0


@dataclass(frozen=True)
class FineTunePlan:
    """folder: holds real/ and fake/; a folder within them is one voice. corpora: learned from beside it, so that what
    is known is not forgotten. held_back: corpora whose test split is measured and never learned from. start: weights.
    """

    folder: Path
    out: Path
    start: Path
    corpora: Sequence[Path] = ()
    held_back: Sequence[Path] = ()
    minutes: float = 30.0
    steps: int = 500
    learning_rate: float = RATE
    cache: Path = Path("data/cache")
    workers: int = 2
    device: str = "auto"
    seed: int = 1


@dataclass(frozen=True)
class SetFigures:
    """Figures of one set of clips. real_over, fake_over: shares of the clips whose llr is above 0, None without clips
    of that class. eer: equal error rate, None where a class is missing.
    """

    real: int
    fake: int
    real_over: float | None
    fake_over: float | None
    eer: float | None


def own_clips(folder: Path) -> list[Clip]:
    """Return the clips of a folder with their splits. A voice (a folder within real/ or fake/, else each recording) is
    in one split alone: of five the first is held back (test), the second is for choosing (dev). Raises CorpusError.
    """
    clips: list[Clip] = []
    for name, label in CLASSES.items():
        paths = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
        voices = sorted({_voice(folder / name, path) for path in paths}, key=_place)
        if len(voices) < FEWEST:
            raise CorpusError(
                f"{folder / name} holds {len(voices)} voices or recordings: put at least {FEWEST} each into "
                "the folders real and fake"
            )
        split = {voice: ("test", "dev")[i % FEWEST] if i % FEWEST < 2 else "train" for i, voice in enumerate(voices)}
        family = FAMILY if label else BONA_FIDE
        for path in paths:
            voice = _voice(folder / name, path)
            clips.append(Clip(path, label, family, family, f"{name}/{voice}", part=OWN, split=split[voice]))
    return clips


def _voice(root: Path, path: Path) -> str:
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else path.name


def _place(voice: str) -> str:
    """Return what orders the voices: chance, but the same each time."""
    return hashlib.sha256(voice.encode("utf-8", "surrogateescape")).hexdigest()


def fine_tune(plan: FineTunePlan, log: Log) -> dict[str, dict[str, SetFigures]]:
    """Train, measure before and after, and write both beside the weights. Returns the figures by set, then by "before"
    and "after". Raises CorpusError, CheckpointError, ValueError.
    """
    clips = own_clips(plan.folder)
    sets = {"own, learned from": [c for c in clips if c.split == "train"]}
    sets["own, held back"] = [c for c in clips if c.split == "test"]
    sets |= {f"{corpus.name}, held back": choose([corpus], "test") for corpus in plan.held_back}
    plan.out.mkdir(parents=True, exist_ok=True)
    _write_manifest(plan.out / OWN_LIST, clips)
    log("before")
    before = {name: measure(plan.start, found, plan, log) for name, found in sets.items()}
    weights = _learn(plan, log)
    log("after")
    after = {name: measure(weights, found, plan, log) for name, found in sets.items()}
    figures = {name: {"before": before[name], "after": after[name]} for name in sets}
    result = {name: {when: asdict(found) for when, found in pair.items()} for name, pair in figures.items()}
    (plan.out / RESULT).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return figures


def _learn(plan: FineTunePlan, log: Log) -> Path:
    """Train on the own clips and the corpora beside them; returns the weights."""
    config = TrainConfig(
        steps=plan.steps,
        minutes=plan.minutes,
        rows=ROWS,
        seconds=SECONDS,
        learning_rate=plan.learning_rate,
        warm_up=WARM_UP,
        validate_every=max(1, plan.steps // 10),
        patience=10,
        ramp=0.0,
        average=0.99,
        seed=plan.seed,
    )
    training = TrainingPlan(
        corpora=[plan.out / OWN_LIST, *plan.corpora],
        out=plan.out,
        cache=plan.cache,
        part_weights={},
        versions=2,
        workers=plan.workers,
        device=plan.device,
        start=plan.start,
        shared_speakers=True,
    )
    return run(DetectorConfig(), config, training, log)


def _write_manifest(path: Path, clips: Sequence[Clip]) -> None:
    columns = ("path", "label", "family", "system", "speaker", "part", "split")
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for clip in clips:
            label = "spoof" if clip.label else "bonafide"
            place = str(clip.path.resolve())
            rows.writerow((place, label, clip.family, clip.system, clip.speaker, clip.part, clip.split))


def measure(weights: Path, clips: Sequence[Clip], plan: FineTunePlan, log: Log) -> SetFigures:
    """Return what a weights file says of clips, at their own level."""
    plan.cache.mkdir(parents=True, exist_ok=True)
    detector = load_detector(weights, best_device(plan.device))
    bank = build_bank(clips, plan.cache, plan.workers, log_progress(log, "decoding"))
    scored = score_clips(detector, [bank.clip(i) for i in range(len(clips))])
    scored_enough = np.array([score.net_speech_s >= SHORTEST_S for score in scored], dtype=np.bool_)
    llr, labels = np.array([score.llr for score in scored]), np.array([clip.label for clip in clips])
    return figures_of(llr[scored_enough], labels[scored_enough])


def figures_of(llr: NDArray[np.float64], labels: NDArray[np.int64]) -> SetFigures:
    """Return the figures of clips by their llr (nats) and labels, 1 = fake."""
    real, fake = llr[labels == 0], llr[labels == 1]
    both = len(real) > 0 and len(fake) > 0
    return SetFigures(
        real=len(real),
        fake=len(fake),
        real_over=float((real > 0).mean()) if len(real) else None,
        fake_over=float((fake > 0).mean()) if len(fake) else None,
        eer=float(eer(llr, labels)) if both else None,
    )


def table(figures: Mapping[str, Mapping[str, SetFigures]]) -> list[str]:
    """Return the figures as lines of text."""
    lines = [f"{'set':32} {'':7} {'real':>5} {'fake':>5} {'real taken for fake':>20} {'fakes found':>12} {'EER':>8}"]
    for name, pair in figures.items():
        for when, found in pair.items():
            shares = (_percent(found.real_over, 20), _percent(found.fake_over, 12), _percent(found.eer, 8))
            lines.append(f"{name:32} {when:7} {found.real:5d} {found.fake:5d} " + " ".join(shares))
    return lines


def _percent(share: float | None, width: int) -> str:
    return f"{'-' if share is None else f'{100 * share:.1f} %':>{width}}"


def advice(figures: Mapping[str, Mapping[str, SetFigures]]) -> str:
    """Return whether the new weights are better where it counts: on what they have not learned from."""
    worse = []
    for name, pair in figures.items():
        before, after = pair["before"].eer, pair["after"].eer
        if name != "own, learned from" and before is not None and after is not None and after > before:
            worse.append(name)
    if worse:
        return f"worse than before on: {'; '.join(worse)}. Keep the old weights, or learn from more (--corpus)."
    return "no worse than before on what was held back"
