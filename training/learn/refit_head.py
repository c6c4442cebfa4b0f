"""training refit: the head that tells bona fide from spoof, fitted anew on what the rest of a trained network says.

A network that knows some of its training clips by heart still makes states that separate others; the last layer,
fitted again on clips that it does not know so well, balanced by voice and by source, makes more of them (Kirichenko,
Izmailov and Wilson, Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations, ICLR 2023).

A codec moves the logits of genuine and synthetic speech alike, and one threshold has to bear with the worst codec. The
states tell the channel as well: a second vector takes most of that shift away. It maps what a channel changes in the
mean state of a clip to the shift of the channel, and is kept small where states differ within a channel, as in linear
discriminant analysis.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import describe, read_detector, save_detector
from model.network import CodecHead
from model.stream import Detector
from model.weights_file import CheckpointError
from training.corpora.bank import AudioBank, build_bank
from training.corpora.clips import Clip, by_split
from training.corpora.layouts import load_corpus
from training.corpora.splits import learned_from
from training.corpora.work_progress import log_progress
from training.evaluate.clip_stacks import mean_states, stacked
from training.evaluate.conditions import part_of_bank
from training.evaluate.trials import check_channels, through_channel
from training.learn.average import lineage
from training.learn.material import render
from training.learn.validation import folded_copy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Log = Callable[[str], None]
Group = tuple[int, str, str, str]

OFTENER = 6
"""A source of recordings gives so many times the clips of a voice of a system: there are fewer of them."""
FEWEST_SAMPLES = 16_000
SPREAD_FLOOR = 0.03
"""Added to the deviation of each unit: some hardly move."""
WITHIN, FLAT = 1.0, 0.03
"""Weights, against what the channels change, of the spread within a channel and of the size of the vector."""


@dataclass(frozen=True)
class RefitPlan:
    """weights: what is fitted anew, with training clips of the corpora: at most per_voice of each voice of a system,
    as they are and through versions - 1 random channels. parts: the shares of the parts among the clips of a label;
    those not named weigh 1. channels: those that are made even, with even_clips of them.
    """

    weights: Path
    corpora: Sequence[Path]
    out: Path
    cache: Path
    versions: int = 3
    per_voice: int = 3
    ridge: float = 0.1
    parts: Mapping[str, float] = field(default_factory=dict)
    channels: Sequence[str] = ()
    even_clips: int = 440
    workers: int = 2


def group(clip: Clip) -> Group:
    """Return what clips are balanced by: part, system and voice of a fake; part and source of a recording."""
    if clip.label:
        return 1, clip.part, clip.system, clip.speaker
    return 0, clip.part, clip.source or clip.speaker, ""


def chosen(bank: AudioBank, per_voice: int, rng: np.random.Generator, count: Counter[Group]) -> list[int]:
    """Return the numbers of clips of at least a second, a few of each voice and source, drawn at random. count: those
    of each that were drawn before, to go on from.
    """
    rows = []
    for i in rng.permutation(len(bank.clips)).tolist():
        count[group(bank.clips[i])] += 1
        most = per_voice * (1 if bank.clips[i].label else OFTENER)
        if count[group(bank.clips[i])] <= most and bank.bounds[i + 1] - bank.bounds[i] >= FEWEST_SAMPLES:
            rows.append(i)
    return rows


def chosen_of_corpora(
    corpora: Sequence[Path], per_voice: int, rng: np.random.Generator, cache: Path, workers: int, log: Log
) -> Iterator[tuple[AudioBank, list[int]]]:
    """Yield the training clips of each corpus, and which of them chosen() draws. Raises CorpusError."""
    count = Counter[Group]()
    for corpus in corpora:
        clips = by_split(load_corpus(corpus), "train")
        bank = build_bank(clips, cache, workers, log_progress(log, "decoding", every=200))
        yield bank, chosen(bank, per_voice, rng, count)


def end_to_end(banks: Sequence[AudioBank]) -> AudioBank:
    """Return one bank of the clips of all."""
    bounds = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(bank.bounds) for bank in banks]))])
    clips = [clip for bank in banks for clip in bank.clips]
    return AudioBank(clips, np.concatenate([bank.audio for bank in banks]), bounds.astype(np.int64))


def balance(clips: Sequence[Clip], parts: Mapping[str, float]) -> Floats:
    """Return the weights (n,) of clips, which add up to 1: a half for each label, within it for each part its share,
    and within that for each group the root of its size.
    """
    sizes = Counter(map(group, clips))
    roots = np.array([sizes[group(clip)] ** -0.5 for clip in clips])
    totals: dict[tuple[int, str], float] = defaultdict(float)
    for clip, root in zip(clips, roots.tolist(), strict=True):
        totals[clip.label, clip.part] += root
    shares = roots * np.array([parts.get(clip.part, 1.0) / totals[clip.label, clip.part] for clip in clips])
    labels = np.array([clip.label for clip in clips])
    sums = np.array([shares[labels == k].sum() for k in (0, 1)])
    balanced: Floats = shares / sums[labels] / 2.0
    return balanced


def fitted_head(states: Floats, logits: Floats, labels: Ints, weights: Floats, ridge: float) -> Floats:
    """Return what is added to the head (D,): logistic regression of labels on the logits (n,) of the head as it is and
    on its states (n, D), with a penalty on the latter. Up to a scale, which the calibration finds.
    """
    x, old, truth, w = (torch.from_numpy(v).double() for v in (states, logits, labels, weights))
    added = torch.zeros(x.shape[1], dtype=torch.double, requires_grad=True)
    scaling = torch.tensor([1.0, 0.0], dtype=torch.double, requires_grad=True)
    search = torch.optim.LBFGS([added, scaling], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        logit = scaling[0] * old + x @ added + scaling[1]
        each = torch.nn.functional.binary_cross_entropy_with_logits(logit, truth, reduction="none")
        total = (w * each).sum() + ridge * added.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    search.step(loss)  # type: ignore[no-untyped-call]
    return np.asarray((added / scaling[0]).detach().numpy())


def channel_shifts(logits: Floats, labels: Ints) -> Floats:
    """Find what must be added to logits (C, n) of n clips through C channels for one calibration to fit them all, (C,):
    logistic regression with a common scale and an offset a channel, both labels weighed alike; 0 in the mean. Raises
    CheckpointError where the logits do not rise from bona fide to spoof.
    """
    from sklearn.linear_model import LogisticRegression

    channels, clips = logits.shape
    inputs = np.column_stack([logits.ravel(), np.repeat(np.eye(channels), clips, axis=0)])
    fitted = LogisticRegression(C=1e4, fit_intercept=False, class_weight="balanced", max_iter=1000)
    fitted.fit(inputs, np.tile(labels, channels))
    scale = float(fitted.coef_[0, 0])
    if scale <= 0:
        raise CheckpointError(
            "the head tells nothing of these clips: channels can be made even for a trained one alone"
        )
    offsets = fitted.coef_[0, 1:] / scale
    return np.asarray(offsets - offsets.mean())


def evening(states: Floats, shifts: Floats, labels: Ints) -> Floats:
    """Return what is added to the head (D,) to undo the shifts (C,) of channels, from the states (C, n, D) of the same
    clips through them.
    """
    changed = (states - states.mean(axis=0)).reshape(-1, states.shape[2])
    wanted = np.repeat(shifts, states.shape[1])
    within = np.concatenate([c[labels == k] - c[labels == k].mean(axis=0) for c in states for k in (0, 1)])
    apart = states[:, labels == 1].mean((0, 1)) - states[:, labels == 0].mean((0, 1))
    spread = within.T @ within / len(within) + 5.0 * np.outer(apart, apart)
    matrix = changed.T @ changed / len(changed) + WITHIN * spread + FLAT * np.eye(len(apart))
    return np.asarray(np.linalg.solve(matrix, changed.T @ wanted / len(changed)))


def linear_head(detector: Detector) -> torch.nn.Linear:
    """Return the layer that tells bona fide from spoof, alone or beside one that detects a codec. Raises
    CheckpointError for another head.
    """
    head = detector.network.spoof
    layer = head.spoof if isinstance(head, CodecHead) else head
    if not isinstance(layer, torch.nn.Linear):
        raise CheckpointError(
            f"a head of the kind {detector.config.network.head} cannot be fitted anew, a linear one can"
        )
    return layer


def refitted(
    detector: Detector, versions: Sequence[AudioBank], plan: RefitPlan, even: Sequence[AudioBank], log: Log
) -> Detector:
    """Return the detector with its head fitted on some clips in several versions; then made even over `even`, other
    clips through several channels, if there are any. Beside a layer that detects a codec it is the linear one that is
    fitted. Raises CheckpointError for a head without one.
    """
    head = linear_head(detector)
    weight, bias = head.weight[0].detach().double().cpu().numpy(), float(head.bias.detach())
    ready = folded_copy(detector)

    def states_of(banks: Sequence[AudioBank]) -> Floats:
        """Return the mean states (V, n, D) of V banks."""
        gate = detector.config.gate
        return np.stack([mean_states(ready, stacked([b.clip(i) for i in range(len(b.clips))], gate)) for b in banks])

    states = states_of(versions)
    flat, clips = states.reshape(-1, states.shape[2]), versions[0].clips
    mean, spread = flat.mean(axis=0), flat.std(axis=0) + SPREAD_FLOOR
    labels = np.tile([clip.label for clip in clips], len(versions))
    weights = np.tile(balance(clips, plan.parts), len(versions)) / len(versions)
    added = fitted_head((flat - mean) / spread, flat @ weight + bias, labels, weights, plan.ridge)
    log(f"the head is fitted on {len(clips)} clips in {len(versions)} versions")
    if even:
        through, truth = states_of(even), np.array([clip.label for clip in even[0].clips], dtype=np.int64)
        shifts = channel_shifts(through @ weight + bias, truth)
        added = added + evening((through - mean) / spread, shifts, truth)
        left = channel_shifts(through @ (weight + added / spread), truth)
        log(f"shifts of the channels {np.round(shifts, 2).tolist()}, now {np.round(left, 2).tolist()}")
    made = Detector(detector.config)
    made.load_state_dict(detector.state_dict())
    new = linear_head(made)
    with torch.no_grad():
        new.weight.add_(torch.as_tensor(added / spread))
        new.bias.add_(torch.as_tensor(-(added / spread @ mean)))
    return made


def run(plan: RefitPlan, log: Log) -> Path:
    """Write plan.out, a weights file that is to be calibrated (training average). Raises CheckpointError and
    CorpusError.
    """
    check_channels(plan.channels)
    detector, rng = read_detector(plan.weights), np.random.default_rng(5)
    plan.cache.mkdir(parents=True, exist_ok=True)
    drawn: list[list[AudioBank]] = [[] for _ in range(plan.versions)]
    for bank, rows in chosen_of_corpora(plan.corpora, plan.per_voice, rng, plan.cache, plan.workers, log):
        for some, audio in zip(drawn, render(bank, plan.versions, plan.cache, plan.workers, log), strict=True):
            some.append(part_of_bank(AudioBank(bank.clips, audio, bank.bounds), rows))
    banks = [end_to_end(some) for some in drawn]
    few = part_of_bank(banks[0], sorted(rng.permutation(len(banks[0].clips))[: plan.even_clips].tolist()))
    even = [through_channel(few, name, plan.cache, plan.workers, log) for name in plan.channels]
    made = refitted(detector, banks, plan, even, log)
    before: dict[str, object] = {}
    started = lineage(describe(plan.weights), before)
    sources = learned_from(plan.corpora, banks[0].clips, len(banks[0].audio) / 16_000)
    save_detector(made, plan.out, {"head of": started, "even over": list(plan.channels), **sources, "lineage": before})
    log(f"wrote {plan.out}")
    return plan.out
