"""training codec-head: a second last layer, which detects a codec that leaves little of what tells a fake.

A low-rate codec, such as AMR, makes genuine and synthetic speech alike, and moves both. A program that gets a
voice through it does not know so, and one calibration has to serve all codecs; but the states of the network tell such
a codec well. The layer that is fitted here detects it, and where it does the logit is scaled down and moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import describe, read_detector, save_detector, use_all_cores
from model.network import CodecHead
from model.stream import Detector
from training.channels.channels import CLEAN
from training.corpora.bank import AudioBank
from training.corpora.splits import learned_from
from training.evaluate.clip_stacks import mean_states, stacked
from training.evaluate.conditions import part_of_bank
from training.evaluate.trials import check_channels, through_channel
from training.learn.average import lineage
from training.learn.refit_head import SPREAD_FLOOR, chosen_of_corpora, end_to_end, linear_head
from training.learn.validation import folded_copy

Floats = NDArray[np.float64]
Log = Callable[[str], None]

OTHERS = (CLEAN, "g711-mu", "g711-a", "opus-16k-loss-5")
"""Channels from which the codecs are distinguished."""
SHARPNESS, MARGIN = 2.0, 2.0
"""The codec's log odds count so many times, less this many nats before: what is not sure changes nothing."""


@dataclass(frozen=True)
class CodecHeadPlan:
    """weights: what gets the head, fitted to training clips of the corpora, at most per_voice of each voice of a
    system and `clips` in all. codecs: the channels that it detects. scale, offset: of the logit there.
    """

    weights: Path
    corpora: Sequence[Path]
    out: Path
    cache: Path
    codecs: Sequence[str]
    scale: float = 0.3
    offset: float = -0.3
    per_voice: int = 2
    clips: int = 1200
    workers: int = 2


def codec_layer(states: Floats, coded: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Return weight (D,) and bias of the log odds that mean states (n, D) are of coded speech, both kinds alike likely
    before.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = states.mean(axis=0), states.std(axis=0) + SPREAD_FLOOR
    fitted = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000).fit((states - mean) / spread, coded)
    weight = fitted.coef_[0] / spread
    return weight, float(fitted.intercept_[0] - weight @ mean)


def with_codec_head(detector: Detector, weight: Floats, bias: float, scale: float, offset: float) -> Detector:
    """Return the detector with the layer beside its linear one, in place of another that is there already. Raises
    CheckpointError for a head without a linear layer.
    """
    head = linear_head(detector)
    made = Detector(replace(detector.config, network=replace(detector.config.network, head="codec")))
    made.load_state_dict(detector.state_dict(), strict=False)
    new = made.network.spoof
    assert isinstance(new, CodecHead)
    with torch.no_grad():
        new.spoof.load_state_dict(head.state_dict())
        new.codec.weight.copy_(torch.as_tensor(SHARPNESS * weight)[None])
        new.codec.bias.fill_(SHARPNESS * (bias - MARGIN))
        new.scale.fill_(scale)
        new.offset.fill_(offset)
    return made


def _drawn(plan: CodecHeadPlan, log: Log) -> AudioBank:
    rng = np.random.default_rng(5)
    drawn = chosen_of_corpora(plan.corpora, plan.per_voice, rng, plan.cache, plan.workers, log)
    every = end_to_end([part_of_bank(bank, rows) for bank, rows in drawn])
    return part_of_bank(every, sorted(rng.permutation(len(every.clips))[: plan.clips].tolist()))


def run(plan: CodecHeadPlan, log: Log) -> Path:
    """Write plan.out, a weights file that is to be calibrated (training average). Raises CheckpointError and
    CorpusError.
    """
    check_channels(plan.codecs)
    detector = read_detector(plan.weights)
    plan.cache.mkdir(parents=True, exist_ok=True)
    bank = _drawn(plan, log)
    names = [*plan.codecs, *OTHERS]
    rendered = [through_channel(bank, name, plan.cache, plan.workers, log) for name in names]
    use_all_cores()
    ready, gate = folded_copy(detector), detector.config.gate
    states = [mean_states(ready, stacked([b.clip(i) for i in range(len(b.clips))], gate)) for b in rendered]
    coded = np.repeat(np.arange(len(names)) < len(plan.codecs), len(bank.clips))
    weight, bias = codec_layer(np.concatenate(states), coded)
    for name, some in zip(names, states, strict=True):
        log(f"{name}: detected as a codec in {100 * np.mean(some @ weight + bias > MARGIN):.1f} % of {len(some)} clips")
    made = with_codec_head(detector, weight, bias, plan.scale, plan.offset)
    before: dict[str, object] = {}
    started = lineage(describe(plan.weights), before)
    sources = learned_from(plan.corpora, bank.clips, len(bank.audio) / 16_000)
    how = {"codec head of": started, "codecs": list(plan.codecs), "scale": plan.scale, "offset": plan.offset}
    save_detector(made, plan.out, {**how, **sources, "lineage": before})
    log(f"wrote {plan.out}")
    return plan.out
