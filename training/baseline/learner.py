"""Trains the bidirectional LSTM: cross entropy over the systems, all classes weighed alike, on clean clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from model.config import SAMPLE_RATE, WINDOW
from model.features import spectra
from training.baseline.baseline_settings import BaselineSettings
from training.baseline.bilstm import BaselineConfig, Bilstm, log_odds
from training.baseline.clip_store import ClipStore, class_numbers, logits_of_clips
from training.corpora.bank import AudioBank
from training.evaluate.detection_metrics import auc, eer
from training.learn.distributed import processes, seed_of, wrapped
from training.learn.optimisers import build_optimiser
from training.learn.training_loop import save_checkpoint

SCALED_ON = 256
"""Clips that the mean and the deviation of the features are taken of."""


class BaselineLearner:
    """Everything that such a training holds between steps."""

    def __init__(
        self, config: BaselineConfig, settings: BaselineSettings, bank: AudioBank, dev: AudioBank, device: torch.device
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.dev = settings, dev
        self.network = Bilstm(config).to(device)
        self.shared = wrapped(self.network)
        if processes().rank:
            torch.manual_seed(seed_of(settings.seed))
        self.optimiser = build_optimiser(
            settings.optimiser, self.network.parameters(), settings.learning_rate, settings.weight_decay
        )
        self.store = ClipStore(bank, device)
        self.target = class_numbers(bank.clips, config.classes)
        counts = np.bincount(self.target, minlength=len(config.classes))
        even = len(self.target) / len(counts) / np.maximum(counts, 1)
        self.weight = torch.from_numpy(even.astype(np.float32)).to(device)
        self.rng = np.random.default_rng(seed_of(settings.seed))
        self.waiting: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.done, self.spent = 0, 0.0
        self.history: list[dict[str, Any]] = []
        self.kept: dict[str, Tensor] | None = None

    def fit_scaling(self) -> None:
        """Learn the features' mean and standard deviation from training clips, a second of each."""
        rows = self.rng.permutation(len(self.target))[:SCALED_ON]
        rows = rows[self.store.length[rows] >= WINDOW]
        shortest = min(int(self.store.length[rows].min(initial=SAMPLE_RATE)), SAMPLE_RATE)
        skip = (self.rng.random(len(rows)) * (self.store.length[rows] - shortest)).astype(np.int64)
        audio, _ = self.store.batch(rows, skip, shortest)
        self.network.features.fit_scaling(spectra(audio, self.network.window))

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next clips of a shuffled round through the training set: audio, samples, classes."""
        while len(self.waiting) < self.settings.rows:
            self.waiting = np.concatenate([self.waiting, self.rng.permutation(len(self.target))])
        rows, self.waiting = self.waiting[: self.settings.rows], self.waiting[self.settings.rows :]
        longest = round(self.settings.seconds * SAMPLE_RATE)
        room = np.maximum(self.store.length[rows] - longest, 0)
        skip = (self.rng.random(len(rows)) * (room + 1)).astype(np.int64)
        audio, samples = self.store.batch(rows, skip, longest)
        return audio, samples, torch.from_numpy(self.target[rows]).to(audio.device)

    def step(self) -> dict[str, Tensor]:
        """Make one optimiser step; return the loss, and the shares of clips whose label and whose class are
        right."""
        self.shared.train()
        audio, samples, target = self._draw()
        logits = self.shared(audio, samples)
        loss = F.cross_entropy(logits, target, self.weight)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.done += 1
        predicted = logits.detach().argmax(1)
        right = ((predicted > 0) == (target > 0)).float().mean()
        return {"loss": loss.detach(), "accuracy": right, "named": (predicted == target).float().mean()}

    def validated(self) -> dict[str, float]:
        """Return error rate and area of each part of the dev split that has both labels; accuracies of all of it."""
        logits = logits_of_clips(self.network, self.dev)
        score, predicted = log_odds(logits).double().numpy(), logits.argmax(1).numpy()
        label = np.array([c.label for c in self.dev.clips], dtype=np.int64)
        part = np.array([c.part for c in self.dev.clips])
        figures: dict[str, float] = {}
        for name in sorted(set(part.tolist())):
            rows = part == name
            if len(set(label[rows].tolist())) == 2:
                figures[f"{name or 'dev'}_eer"] = eer(score[rows], label[rows])
                figures[f"{name or 'dev'}_auc"] = auc(score[rows], label[rows])
        target = class_numbers(self.dev.clips, self.network.config.classes)
        known = target >= 0
        loss = F.cross_entropy(logits[known], torch.from_numpy(target[known]), self.weight.cpu())
        return figures | {
            "dev_loss": float(loss),
            "dev_accuracy": float(np.mean((predicted > 0) == (label > 0))),
            "dev_named": float(np.mean(predicted[known] == target[known])),
        }

    def part(self) -> float:
        """Return how far the training is, 0 to 1: by steps or by minutes, whichever ends first."""
        return min(1.0, max(self.done / self.settings.steps, self.spent / 60.0 / self.settings.minutes))

    def keep(self) -> None:
        self.kept = {k: v.clone() for k, v in self.network.state_dict().items()}

    def restore(self) -> None:
        if self.kept is not None:
            self.network.load_state_dict(self.kept)

    def finished(self) -> bool:
        return self.part() >= 1.0

    def save(self, path: Path) -> None:
        """Save a checkpoint to resume from."""
        held = {
            "network": self.network.state_dict(),
            "classes": list(self.network.config.classes),
            "optimiser": self.optimiser.state_dict(),
            "optimised by": self.settings.optimiser,
            "done": self.done,
            "spent": self.spent,
            "history": self.history,
            "kept": self.kept,
            "rng": torch.get_rng_state(),
            "draws": self.rng.bit_generator.state,
            "waiting": torch.from_numpy(self.waiting),
        }
        save_checkpoint(held, path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint. Raises ValueError for one of another training."""
        held = torch.load(path, map_location=self.store.device, weights_only=True)
        made = held.get("classes"), held.get("optimised by")
        if made != (list(self.network.config.classes), self.settings.optimiser):
            raise ValueError(f"{path} is of another training: name another folder with --out")
        self.network.load_state_dict(held["network"])
        self.optimiser.load_state_dict(held["optimiser"])
        self.done, self.spent, self.history = held["done"], held["spent"], held["history"]
        self.kept = held["kept"]
        torch.set_rng_state(held["rng"].cpu())
        self.rng.bit_generator.state = held["draws"]
        self.waiting = held["waiting"].cpu().numpy()
        if processes().rank:  # what is held is of the first process, and each draws its own
            torch.manual_seed(seed_of(self.settings.seed) + self.done)
            self.rng = np.random.default_rng([seed_of(self.settings.seed), self.done])
            self.waiting = self.waiting[:0]
