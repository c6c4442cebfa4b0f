"""training train: one page from a bank of speech to a weights file; resumable, with progress and time left."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.checkpoint import best_device, save_detector
from model.config import DetectorConfig
from model.features import TAIL, spectra
from model.frontends import NetState
from model.network import NetworkOutput
from model.stream import Detector
from training.channels.augment import augment, mask_features
from training.learn.distributed import processes, seed_of, share_buffers, share_weights, wrapped
from training.learn.grow import fit_new_scaling, unfitted_features
from training.learn.losses import training_loss
from training.learn.optimisers import build_optimiser
from training.learn.sampler import CallSampler, TrainingBatch
from training.learn.settings import TrainConfig
from training.learn.teachers import Teachers, carried
from training.learn.training_loop import run_loop, save_checkpoint
from training.learn.validation import DevSet, calibrated, validate


class Trainer:
    """Everything that a training run holds between steps."""

    def __init__(
        self, model: DetectorConfig, config: TrainConfig, sampler: CallSampler, dev: DevSet, device: torch.device
    ) -> None:
        if (config.loss.kind == "oc-softmax") != (model.network.head == "one-class"):
            raise ValueError(f"the loss {config.loss.kind} is not for weights with the head {model.network.head}")
        torch.manual_seed(config.seed)
        self.config, self.sampler, self.dev, self.device = config, sampler, dev, device
        self.detector = Detector(model).to(device)
        self.average = Detector(model).to(device)
        self.average.load_state_dict(self.detector.state_dict())
        self._means, self._values = _floating(self.average), _floating(self.detector)
        self.optimiser = build_optimiser(
            config.optimiser, self.detector.parameters(), config.learning_rate, config.weight_decay
        )
        self.network = wrapped(self.detector.network)
        if processes().rank:
            torch.manual_seed(seed_of(config.seed))
        self.state: NetState | None = None
        self.tail = torch.zeros(config.rows, TAIL, device=device)
        self.done, self.spent = 0, 0.0
        self.history: list[dict[str, Any]] = []
        self.kept: dict[str, Tensor] | None = None
        self.teachers: Teachers | None = None

    def start_from(self, detector: Detector) -> None:
        """Take over the weights and the feature scaling of a detector of the same configuration."""
        for new_part in (self.detector, self.average):
            new_part.load_state_dict(detector.state_dict())
        if unfitted_features(self.detector):
            spectrum = self._augmented()
            for new_part in (self.detector, self.average):
                fit_new_scaling(new_part, spectrum)

    def fit_scaling(self) -> None:
        """Learn the features' mean and standard deviation from augmented speech."""
        spectrum = self._augmented()
        for detector in (self.detector, self.average):
            detector.features.fit_scaling(spectrum)

    def _augmented(self) -> Tensor:
        """Return the spectra (N, T, BINS) of augmented speech."""
        batch = self.sampler.draw(max(64, self.config.rows), self.config.seconds)
        audio = augment(batch.audio, batch.pair, self.config.augment)
        return spectra(torch.nn.functional.pad(audio, (TAIL, 0)), self.detector.window)

    def forward(self, batch: TrainingBatch) -> tuple[NetworkOutput, Tensor | None]:
        """Return one batch through the network from the carried state, and the logits (N, T) of the teachers."""
        treatment = self.config.augment.scaled(self.strength())
        audio = augment(batch.audio, batch.pair, treatment)
        rows = audio.shape[0]
        fresh = self.detector.network.init_state(rows)
        if self.state is None:
            self.state = fresh
        keep = torch.rand(rows, device=self.device) < self.config.carry
        state = carried(fresh, self.state, keep)
        padded = torch.cat([self.tail * keep[:, None], audio], dim=1)
        self.tail = padded[:, -TAIL:]
        spectrum = spectra(padded, self.detector.window)
        heard = self.detector.features(spectrum)
        features = mask_features(heard, treatment)
        ok = torch.ones_like(batch.speech)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            taught = self._taught(spectrum, heard, batch.speech, keep)
            answer: tuple[NetworkOutput, NetState] = self.network(features, ok, state, batch.speech)
        out, new = answer
        self.state = {k: v.detach().float() for k, v in new.items()}
        out = replace(out, spoof=out.spoof.float(), family=out.family.float(), speech=out.speech.float())
        return out, taught

    def _taught(self, spectrum: Tensor, features: Tensor, speech: Tensor, keep: Tensor) -> Tensor | None:
        """Return the logits (N, T) of the teachers in every taught_every-th step; between them they hear nothing, and
        go on from fresh states.
        """
        every = self.config.taught_every
        if self.teachers is None or self.done % every:
            return None
        return self.teachers.mean_logits(spectrum, features, speech, keep if every == 1 else torch.zeros_like(keep))

    def part(self) -> float:
        """Return how far the training is, 0 to 1: by steps or by minutes, whichever ends first."""
        return min(1.0, max(self.done / self.config.steps, self.spent / 60.0 / self.config.minutes))

    def strength(self) -> float:
        """Return the strength of the augmentation, 0 to full_strength."""
        grown = min(1.0, self.part() / self.config.ramp) if self.config.ramp else 1.0
        return grown * self.config.full_strength

    def rate(self) -> float:
        """Return the learning rate: linear warm-up, then a cosine to a fiftieth."""
        warm = min(1.0, (self.done + 1) / self.config.warm_up)
        return self.config.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.part())))

    def step(self) -> dict[str, Tensor]:
        """Make one optimiser step; return the loss and its parts."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.detector.train()
        batch = self.sampler.draw(self.config.rows, self.config.seconds, self.strength())
        out, taught = self.forward(batch)
        loss, parts = training_loss(out, batch, self.config.loss, taught)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), 5.0)
        self.optimiser.step()
        share_buffers(self.detector.network)
        decay = min(self.config.average, (1 + self.done) / (10 + self.done))
        torch._foreach_lerp_(self._means, self._values, 1 - decay)
        self.done += 1
        return parts | {"loss": loss.detach()}

    def validated(self) -> dict[str, float]:
        """Return the figures of the averaged weights."""
        return validate(self.average, self.dev)

    def keep(self) -> None:
        self.kept = {k: v.clone() for k, v in self.average.state_dict().items()}

    def restore(self) -> None:
        if self.kept is not None:
            self.average.load_state_dict(self.kept)

    def finished(self) -> bool:
        return self.part() >= 1.0

    def save(self, path: Path) -> None:
        """Save a checkpoint to resume from."""
        save_checkpoint(
            {
                "detector": self.detector.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "optimised by": self.config.optimiser,
                "done": self.done,
                "spent": self.spent,
                "history": self.history,
                "kept": self.kept,
                "rng": torch.get_rng_state(),
                "sampler": self.sampler.rng.bit_generator.state,
            },
            path,
        )

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint. Raises ValueError for one of another network or optimiser."""
        held = torch.load(path, map_location=self.device, weights_only=True)
        try:
            self.detector.load_state_dict(held["detector"])
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"{path} is of another network: name another folder with --out") from error
        if held.get("optimised by", "adamw") != self.config.optimiser:
            raise ValueError(f"{path} was optimised by {held['optimised by']}: go on with it, or name another --out")
        self.average.load_state_dict(held["average"])
        self.optimiser.load_state_dict(held["optimiser"])
        self.done, self.spent, self.history = held["done"], held["spent"], held["history"]
        self.kept = held.get("kept")
        torch.set_rng_state(held["rng"].cpu())
        self.sampler.rng.bit_generator.state = held["sampler"]
        if processes().rank:  # what is held is of the first process, and each draws its own
            torch.manual_seed(seed_of(self.config.seed) + self.done)
            self.sampler.rng = np.random.default_rng([seed_of(self.config.seed), self.done])


def _floating(detector: Detector) -> list[Tensor]:
    """Return the tensors that have a mean, to be changed in place; the others count batches, which nothing reads."""
    return [tensor for tensor in detector.state_dict().values() if tensor.is_floating_point()]


def train(
    model: DetectorConfig,
    config: TrainConfig,
    sampler: CallSampler,
    dev: DevSet,
    out: Path,
    provenance: Mapping[str, Any],
    log: Callable[[str], None],
    device: str = "auto",
    start: Detector | None = None,
    teachers: Sequence[Detector] = (),
) -> Path:
    """Train until steps or minutes are spent; writes out/checkpoint.pt, history.json and weights.safetensors.

    start: a detector of this configuration to go on from; a checkpoint in out goes before it. Of several processes the
    first one alone writes. teachers: whose mean logit is learned beside the truth.
    """
    chosen = torch.device(best_device(device))
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(model, config, sampler, dev, chosen)
    if (out / "checkpoint.pt").exists():
        trainer.resume(out / "checkpoint.pt")
        log(f"resumed at step {trainer.done}")
    elif start is not None:
        trainer.start_from(start)
    else:
        trainer.fit_scaling()
    trainer.teachers = Teachers(teachers, trainer.detector, chosen) if teachers else None
    share_weights(trainer.detector)
    share_weights(trainer.average)
    progress = run_loop(trainer, config, out, log)
    if progress is None:
        return out / "weights.safetensors"
    final = calibrated(trainer.average, dev)
    training = dict(provenance) | {"settings": asdict(config), "steps": trainer.done, "dev": progress}
    save_detector(final, out / "weights.safetensors", training)
    return out / "weights.safetensors"
