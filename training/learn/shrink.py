"""A trained network as a smaller one that says nearly the same, to go on training from.

The convolutions are factored and the projections cut along the directions in which their inputs vary on real material
(data-aware low rank: Zhang, Zou, He and Sun, IEEE TPAMI 38, 2016); the LSTM keeps the units that the heads and the
recurrence read most. Features that the smaller network does without are replaced by their mean.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.checkpoint import describe, read_detector, save_detector
from model.config import Calibration, DetectorConfig
from model.features import TAIL, Features, JoinedFeatures, spectra
from model.frontends import ConvFrontend, FactoredConv2d, FactoredFrontend, JoinedFrontend
from model.network import SpeechLstm
from model.stream import Detector
from training.channels.augment import AugmentConfig, augment
from training.evaluate.cost import total
from training.learn.material import prepare
from training.learn.sampler import CallSampler, SamplingWeights

SPOOF_COUNTS = 3.0
"""So many times as much as a family, when units of the LSTM are chosen."""

UNLIKELY = -3.0
"""Logit of a family that is yet to be learned."""


def low_rank(weight: Tensor, inputs: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return (out, rank) and (rank, in), whose product is nearest to what weight (out, in) makes of inputs (M, in)."""
    covariance = inputs.T.double() @ inputs.double() / len(inputs)
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=1e-6 * float(values.max())).sqrt()
    u, s, v = torch.linalg.svd(weight.double() @ root, full_matrices=False)
    split = s[:rank].sqrt()
    inner = (split[:, None] * v[:rank]) @ torch.linalg.inv(root)
    return (u[:, :rank] * split).float(), inner.float()


def _factor(conv: nn.Conv2d, target: FactoredConv2d, x: Tensor) -> float:
    """Give target the factors of conv (out, in, 3, 3) over its inputs x (N, in, T, F); returns the relative error."""
    out, c_in, kt, kf = conv.weight.shape
    weight = conv.weight.detach()
    patches = F.unfold(x, (1, kf), padding=(0, kf // 2), stride=(1, conv.stride[1]))
    inputs = patches.transpose(1, 2).reshape(-1, c_in * kf)
    by_time = weight.permute(2, 0, 1, 3).reshape(kt * out, c_in * kf)
    outer, inner = low_rank(by_time, inputs[torch.randperm(len(inputs))[:200_000]], target.across.out_channels)
    target.across.weight.data.copy_(inner.reshape(-1, c_in, 1, kf))
    target.conv.weight.data.copy_(outer.reshape(kt, out, -1).permute(1, 2, 0)[..., None])
    expected, got = inputs @ by_time.T, inputs @ inner.T @ outer.T
    return float((expected - got).square().mean() / (expected - expected.mean(0)).square().mean())


@torch.no_grad()
def _shrink_frontend(old: ConvFrontend, new: FactoredFrontend, x: Tensor) -> list[float]:
    """Return features x (N, 2 T, F); new's projection must be as wide as old's."""
    errors = []
    x = x.unsqueeze(3)
    for i, layer in enumerate(old.layers):
        target = new.layers[i]
        past = torch.zeros(x.shape[0], *layer.shape_in)  # type: ignore[misc]
        if isinstance(target, FactoredConv2d):
            errors.append(_factor(layer.conv, target, x.permute(0, 3, 1, 2)))  # type: ignore[arg-type]
            target.norm.load_state_dict(layer.norm.state_dict())  # type: ignore[union-attr]
        else:
            target.load_state_dict(layer.state_dict())
        x = layer(x, past)[0]
    new.project[0].load_state_dict(old.project[0].state_dict())
    return errors


def _units(lstm: nn.LSTM, heads: Tensor, outputs: Tensor, count: int) -> Tensor:
    """Return the units that are read most: by the size of their outputs (M, H) times the weights that read it."""
    recurrent = dict(lstm.named_parameters())["weight_hh_l0"]
    read = recurrent.square().sum(0).sqrt() + heads.square().sum(0).sqrt()
    return (read * outputs.square().mean(0).sqrt()).topk(count).indices.sort().values


def _keep_units(old: SpeechLstm, new: SpeechLstm, units: Tensor, left_out: Tensor) -> None:
    """left_out (D - D',): the mean of the inputs that new does without, which its bias takes over."""
    rows = torch.cat([units + gate * old.hidden for gate in range(4)])
    a = {name: tensor[rows] for name, tensor in old.lstm.named_parameters()}
    inputs = a["weight_ih_l0"]
    kept = inputs.shape[1] - len(left_out)
    kept_of = {
        "weight_ih_l0": inputs[:, :kept],
        "weight_hh_l0": a["weight_hh_l0"][:, units],
        "bias_ih_l0": a["bias_ih_l0"] + inputs[:, kept:] @ left_out,
        "bias_hh_l0": a["bias_hh_l0"],
    }
    for name, tensor in new.lstm.named_parameters():
        tensor.copy_(kept_of[name])


@torch.no_grad()
def shrunk(old: Detector, config: DetectorConfig, spectrum: Tensor, active: Tensor) -> tuple[Detector, list[float]]:
    """Return a detector of `config`, whose features are the first of old's, and the relative errors of its
    convolutions.

    spectrum (N, 2 T, BINS) and active (N, T): speech to fit the factors on. Raises ValueError where they do not fit.
    """
    if not old.config.features.kind.startswith(config.features.kind):
        raise ValueError(f"features {config.features.kind} must be the first of {old.config.features.kind}")
    spoof = old.network.spoof
    if not isinstance(spoof, torch.nn.Linear):
        raise ValueError("only a network with a linear head can be made smaller")
    new = Detector(replace(config, calibration=Calibration(), telephone_calibration=None))
    old.eval()
    errors = _shrink_convolutions(old, new, old.features(spectrum))
    front, recurrent, recurrent_old = new.network.frontend, new.network.recurrent, old.network.recurrent
    assert isinstance(front, JoinedFrontend)
    assert isinstance(recurrent, SpeechLstm)
    assert isinstance(recurrent_old, SpeechLstm)
    z, _ = old.network.frontend(old.features(spectrum), old.network.init_state(len(spectrum)))
    outputs, _ = recurrent_old(z, active, old.network.init_state(len(spectrum)))
    heads = torch.cat([spoof.weight * SPOOF_COUNTS, old.network.family.weight])
    units = _units(recurrent_old.lstm, heads, outputs[active], recurrent.hidden)
    left_out = z[active].mean(0)[front.size_out :]
    _keep_units(recurrent_old, recurrent, units, left_out)
    for name in ("spoof", "family"):
        a, b = getattr(old.network, name), getattr(new.network, name)
        b.weight.copy_(a.weight[:, units])
        b.bias.copy_(a.bias)
    speech = old.network.speech
    new.network.speech.weight.copy_(speech.weight[:, : front.size_out])
    new.network.speech.bias.copy_(speech.bias + speech.weight[:, front.size_out :] @ left_out)
    return new, errors


def _shrink_convolutions(old: Detector, new: Detector, features: Tensor) -> list[float]:
    """Copy the features' parameters and factor the convolutions; returns the relative errors of the factors."""
    assert isinstance(old.features, JoinedFeatures)
    assert isinstance(new.features, JoinedFeatures)
    for new_part, old_part in zip(new.features.parts, old.features.parts, strict=False):
        assert isinstance(new_part, Features)
        new_part.load_state_dict(old_part.state_dict())
    front, front_old = new.network.frontend, old.network.frontend
    assert isinstance(front, JoinedFrontend)
    assert isinstance(front_old, JoinedFrontend)
    errors: list[float] = []
    parts = torch.split(features, front_old.sizes, dim=2)
    for new_part, old_part, x in zip(front.parts, front_old.parts, parts, strict=False):
        if isinstance(new_part, FactoredFrontend):
            errors += _shrink_frontend(old_part, new_part, x)  # type: ignore[arg-type]
        else:
            new_part.load_state_dict(old_part.state_dict())
    return errors


@dataclass(frozen=True)
class ShrinkPlan:
    """The weights to shrink, the size to shrink them to, and the speech that the factors are fitted on."""

    weights: Path
    corpora: Sequence[Path]
    out: Path
    cache: Path
    features: str
    hidden: int
    ranks: tuple[int, ...]
    families: tuple[str, ...] = ()
    workers: int = 2
    rows: int = 32


def run(plan: ShrinkPlan, log: Callable[[str], None]) -> Path:
    """Write plan.out. Raises CheckpointError, CorpusError and ValueError."""
    old = read_detector(plan.weights)
    config = replace(
        old.config,
        features=replace(old.config.features, kind=plan.features or old.config.features.kind),
        network=replace(old.config.network, kind="factored-lstm", hidden=plan.hidden, ranks=plan.ranks),
    )
    held = prepare(plan.corpora, 1, plan.cache, plan.workers, log, shared_speakers=True)
    cpu = torch.device("cpu")
    sampler = CallSampler(held.bank, held.versions, held.others, old.config.families, SamplingWeights({}), cpu, seed=1)
    batch = sampler.draw(plan.rows, 6.0)
    torch.manual_seed(1)
    audio = augment(batch.audio, batch.pair, AugmentConfig())
    spectrum = spectra(F.pad(audio, (TAIL, 0)), old.window)
    new, errors = shrunk(old, config, spectrum, batch.speech)
    log("relative errors of the convolutions: " + ", ".join(f"{e:.3f}" for e in errors))
    made = with_families(new, plan.families)
    training = {"shrunk from": describe(plan.weights), "command": " ".join(["training", *sys.argv[1:]])}
    save_detector(made, plan.out, training)
    log(f"wrote {plan.out}: {total(made) / 1e6:.2f} MFLOP a block")
    return plan.out


def with_families(detector: Detector, more: Sequence[str]) -> Detector:
    """Return the detector with more families to name, which it thinks unlikely at first."""
    if not more:
        return detector
    made = Detector(replace(detector.config, families=(*detector.config.families, *more)))
    state = made.state_dict()
    for name, tensor in detector.state_dict().items():
        if name.startswith("network.family."):
            state[name].zero_()[: len(tensor)] = tensor
        else:
            state[name].copy_(tensor)
    state["network.family.bias"][-len(more) :] = UNLIKELY
    made.load_state_dict(state)
    return made
