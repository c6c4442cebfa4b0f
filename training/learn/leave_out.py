"""training leave-out: how well is synthesis of a kind detected that no training clip is of?

For each family a network is trained from scratch on everything but that family; its clips are then scored. What is
done stays done: families have a folder each, with the checkpoint to resume from and a result.json at the end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import best_device, load_detector
from model.config import DetectorConfig
from model.stream import Detector
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip, CorpusError
from training.corpora.work_progress import Log
from training.evaluate.conditions import part_of_bank, stratified
from training.evaluate.detection_metrics import eer
from training.evaluate.open_set import LeftOutKind, left_out
from training.evaluate.part_figures import Estimate, estimate
from training.evaluate.report_files import percent, plain
from training.evaluate.scoring import ClipScore, score_clips
from training.learn.distributed import processes
from training.learn.material import Material
from training.learn.prepare import TrainingPlan, learn, prepare
from training.learn.settings import TrainConfig

ROUNDS = 500
KEPT = 0.95
"""Share of the training clips of known families that keep their name at the threshold of the open set."""

SAMPLED = 400
"""Training clips that the threshold is set on."""


@dataclass(frozen=True)
class LeaveOutResult:
    """The result of a training without a family. dev: error rate of its clips of the dev split against the bona fide
    ones there, NaN without any; every: of all its clips, the training split's too, against the same. known: of the dev
    clips of the other families. open_set: by the confidence of the family head; None where there is nothing to compare.
    """

    family: str
    dev_clips: int
    clips: int
    bona_fide: int
    dev: Estimate
    every: Estimate
    known: Estimate
    open_set: LeftOutKind | None


def run(
    model: DetectorConfig, config: TrainConfig, plan: TrainingPlan, log: Log, *, families: Sequence[str], fewest: int
) -> dict[str, Any]:
    """Train and measure family by family; writes plan.out/leave-out.json after each. Returns what it holds.

    Raises CorpusError, CheckpointError and ValueError.
    """
    if processes().count > 1:
        raise ValueError("leave-out trains in one process: start it without torchrun")
    material = prepare(plan, log)
    chosen = choose_families(material, families, fewest)
    log(f"leaving out one of {len(chosen)} families at a time: {', '.join(chosen)}")
    done: list[dict[str, Any]] = []
    for number, family in enumerate(chosen, 1):
        folder = plan.out / family
        path = folder / "result.json"
        if path.is_file():
            log(f"{family} ({number} of {len(chosen)}): done before")
        else:
            log(f"{family} ({number} of {len(chosen)}): training without it")
            result = one(model, config, replace(plan, out=folder), material, family, log)
            _write(plain(result), path)
        done.append(json.loads(path.read_text(encoding="utf-8")))
        _write(summary(done), plan.out / "leave-out.json")
    for line in table(done):
        log(line)
    return summary(done)


def choose_families(material: Material, expected: Sequence[str], fewest: int) -> list[str]:
    """Return the families that are wanted, or all that have enough clips. Raises CorpusError for one that is not
    there."""
    sizes = Counter(c.family for c in [*material.bank.clips, *material.dev.clips] if c.label)
    missing = sorted(set(expected) - set(sizes))
    if missing:
        raise CorpusError(f"the corpus has no {', '.join(missing)}; there are {', '.join(sorted(sizes))}")
    chosen = list(expected) or sorted(name for name, size in sizes.items() if name and size >= fewest)
    if not chosen or len(sizes) < 2:
        raise CorpusError(f"there are {len(sizes)} families of synthesis, of which {len(chosen)} have {fewest} clips")
    return chosen


def without(material: Material, family: str) -> Material:
    """Return the material without the clips of a family, in training and in dev."""
    bank = material.bank
    rows = [i for i, c in enumerate(bank.clips) if not _is(c, family)]
    spans = [slice(int(bank.bounds[i]), int(bank.bounds[i + 1])) for i in rows]
    versions = np.concatenate([material.versions[:, span] for span in spans], axis=1)
    dev = part_of_bank(material.dev, [i for i, c in enumerate(material.dev.clips) if not _is(c, family)])
    return replace(material, bank=part_of_bank(bank, rows), dev=dev, versions=versions)


def one(
    model: DetectorConfig, config: TrainConfig, plan: TrainingPlan, material: Material, family: str, log: Log
) -> LeaveOutResult:
    """Train without a family, and measure."""
    rest = without(material, family)
    if {c.label for c in rest.bank.clips} != {0, 1} or {c.label for c in rest.dev.clips} != {0, 1}:
        raise CorpusError(f"without {family} the training or the dev split has no fakes")
    path = learn(model, config, plan, rest, log)
    detector = load_detector(path, best_device(plan.device))
    result = measure(detector, material, family)
    log(f"{family}: EER {percent(result.dev)} on dev, {percent(result.every)} on all its clips")
    return result


def measure(detector: Detector, material: Material, family: str) -> LeaveOutResult:
    """Score the clips of a family that the detector never met, and those that it might know."""
    dev = _scored(detector, material.dev, range(len(material.dev.clips)))
    left_out_clips = [i for i, c in enumerate(material.bank.clips) if _is(c, family)]
    trained = _scored(detector, material.bank, left_out_clips)
    label = np.array([c.label for c in material.dev.clips])
    foreign = np.array([_is(c, family) for c in material.dev.clips])
    llr, more = _llr(dev), _llr(trained)
    real, known = llr[label == 0], llr[(label == 1) & ~foreign]
    known_p = _highest_p(dev)[(label == 1) & ~foreign]
    foreign_p = np.concatenate([_highest_p(dev)[foreign], _highest_p(trained)])
    return LeaveOutResult(
        family=family,
        dev_clips=int(foreign.sum()),
        clips=int(foreign.sum()) + len(left_out_clips),
        bona_fide=len(real),
        dev=_rate(real, llr[foreign]),
        every=_rate(real, np.concatenate([llr[foreign], more])),
        known=_rate(real, known),
        open_set=left_out(family, known_p, foreign_p, threshold(detector, material, family)) if len(known_p) else None,
    )


def threshold(detector: Detector, material: Material, family: str) -> float:
    """Return the confidence of the family head that all but 5 % of the fakes it was trained on reach."""
    fakes = [i for i, c in enumerate(material.bank.clips) if c.label and not _is(c, family)]
    some = stratified([material.bank.clips[i] for i in fakes], SAMPLED)
    return float(np.quantile(_highest_p(_scored(detector, material.bank, [fakes[i] for i in some])), 1.0 - KEPT))


def _is(clip: Clip, family: str) -> bool:
    return clip.label == 1 and clip.family == family


def _scored(detector: Detector, bank: AudioBank, rows: Sequence[int]) -> list[ClipScore]:
    return score_clips(detector, [bank.clip(i) for i in rows])


def _llr(scores: Sequence[ClipScore]) -> NDArray[np.float64]:
    return np.array([s.llr for s in scores], dtype=np.float64)


def _highest_p(scores: Sequence[ClipScore]) -> NDArray[np.float64]:
    """Return the probability of the likeliest family; 0 without speech."""
    return np.array([float(s.families.max(initial=0.0)) for s in scores], dtype=np.float64)


def _rate(real: NDArray[np.float64], fake: NDArray[np.float64]) -> Estimate:
    return estimate(eer, np.concatenate([real, fake]), np.repeat([0, 1], [len(real), len(fake)]), ROUNDS)


def summary(done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return all results, and the means over the families that have the figure."""

    def mean(values: Sequence[float | None]) -> float | None:
        known = [v for v in values if v is not None]
        return round(float(np.mean(known)), 5) if known else None

    return {
        "families": list(done),
        "mean_eer_dev": mean([d["dev"]["value"] for d in done]),
        "mean_eer_every": mean([d["every"]["value"] for d in done]),
        "mean_eer_known": mean([d["known"]["value"] for d in done]),
        "mean_auroc_open_set": mean([d["open_set"]["auroc"] for d in done if d["open_set"]]),
    }


def table(done: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line a family, and the means."""

    def rate(found: dict[str, float | None]) -> str:
        return percent(Estimate(**{k: float("nan") if v is None else v for k, v in found.items()}))

    lines = [
        f"{'left out':24s}{'dev':>5}{'all':>6}  {'EER % dev (95 %)':<22}{'EER % all (95 %)':<22}{'others (95 %)':<22}"
        f"{'AUROC':>6}{'unknown':>9}"
    ]
    for d in done:
        found = d["open_set"]
        opened = f"{found['auroc']:>6.3f}{100 * found['unknown']:>7.1f} %" if found else ""
        rates = "".join(f"{rate(d[name]):<22}" for name in ("dev", "every", "known"))
        lines.append(f"{d['family']:24s}{d['dev_clips']:>5}{d['clips']:>6}  {rates}{opened}")
    means = summary(done)
    shares = [f"{100 * v:.1f}" if (v := means[f"mean_eer_{k}"]) is not None else "-" for k in ("dev", "every", "known")]
    return [*lines, f"{'mean':35s}  {shares[0]:<22}{shares[1]:<22}{shares[2]:<22}"]


def _write(value: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
