"""training vocoder: from a bank of speech to a vocoder's weights; resumable, with progress and time left."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.vocoding.spectra import Audio
from training.corpora.work_progress import Log
from training.learn.training_loop import save_checkpoint
from training.vocoding.neural_vocoder.discriminator import Discriminators, deception_loss, feature_loss, verdict_loss
from training.vocoding.neural_vocoder.generator import NeuralVocoder, scaled, synthesise
from training.vocoding.neural_vocoder.measure import nearness
from training.vocoding.neural_vocoder.pitch_network import pitch_loss
from training.vocoding.neural_vocoder.segment_sampler import Pieces, SegmentSampler
from training.vocoding.neural_vocoder.source_spectra import log_mel
from training.vocoding.neural_vocoder.vocoder_config import MEL, VocoderConfig, VocoderTrainConfig
from training.vocoding.neural_vocoder.vocoder_losses import mel_loss, spectra_loss
from training.vocoding.neural_vocoder.weights import save_generator
from training.vocoding.open_vocoders.registry import mel_vocoder

Parts = dict[str, Tensor]


class VocoderTrainer:
    """Everything that a training run holds between steps."""

    def __init__(
        self, model: VocoderConfig, config: VocoderTrainConfig, sampler: SegmentSampler, device: torch.device
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.sampler, self.device = config, sampler, device
        self.generator = NeuralVocoder(model).to(device)
        self.average = deepcopy(self.generator).requires_grad_(False)
        self.discriminators = Discriminators().to(device)
        self.noise = torch.Generator().manual_seed(config.seed)
        betas = (0.8, 0.99)
        self.optimiser = torch.optim.AdamW(self.generator.parameters(), config.learning_rate, betas)
        self.adversary = torch.optim.AdamW(self.discriminators.parameters(), config.adversary_rate, betas)
        self.done, self.spent = 0, 0.0
        self.history: list[dict[str, float]] = []

    def part(self) -> float:
        """Return how far the training is, 0 to 1: by steps or by minutes, whichever ends first."""
        return min(1.0, max(self.done / self.config.steps, self.spent / 60.0 / self.config.minutes))

    def finished(self) -> bool:
        return self.done >= self.config.steps or self.spent >= self.config.minutes * 60.0

    def step(self) -> Parts:
        """Make one step of the generator and, after the warm-up, of the discriminators; return the losses."""
        self._set_rates()
        drawn = self.sampler.draw(self.config.rows)
        pieces = Pieces(drawn.audio.to(self.device), drawn.f0.to(self.device))
        made, parts = self._reconstruct(pieces)
        if self.part() >= self.config.warm_up:
            rows = slice(self.config.adversary_rows)
            parts |= self._judge(pieces.audio[rows], made[rows])
        weights = asdict(self.config.loss)
        total = torch.stack([weights[name] * value for name, value in parts.items() if name in weights]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 5.0)
        self.optimiser.step()
        self._follow()
        self.done += 1
        return {name: value.detach() for name, value in parts.items()}

    def _set_rates(self) -> None:
        """Set the learning rates: a cosine to a twentieth, after 50 steps of linear rise."""
        share = min(1.0, (self.done + 1) / 50.0) * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * self.part())))
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * share
        for group in self.adversary.param_groups:
            group["lr"] = self.config.adversary_rate * share

    def _reconstruct(self, pieces: Pieces) -> tuple[Tensor, Parts]:
        """Copies, and how far they are from the recordings."""
        mel = log_mel(pieces.audio)
        pitch = pitch_loss(self.generator.pitch(scaled(mel)), pieces.f0)
        made = self.generator(mel, pieces.f0, self.noise)
        return made, {"spectra": spectra_loss(made, pieces.audio), "mel": mel_loss(made, mel), "pitch": pitch}

    def _judge(self, real: Tensor, made: Tensor) -> Parts:
        """Teach the discriminators, then ask them about the copies."""
        verdict = verdict_loss(self.discriminators(real), self.discriminators(made.detach()))
        self.adversary.zero_grad(set_to_none=True)
        verdict.backward()  # type: ignore[no-untyped-call]
        self.adversary.step()
        with torch.no_grad():
            of_real = self.discriminators(real)
        self.discriminators.requires_grad_(False)
        of_made = self.discriminators(made)
        self.discriminators.requires_grad_(True)
        return {"adversary": deception_loss(of_made), "features": feature_loss(of_real, of_made), "verdict": verdict}

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the moving average by one step."""
        decay = min(self.config.average, (1 + self.done) / (10 + self.done))
        for new_part, old_part in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            new_part.lerp_(old_part, 1.0 - decay)

    def save(self, path: Path) -> None:
        """Save a checkpoint to resume from."""
        held = {name: part.state_dict() for name, part in self._parts().items()}
        held |= {"done": self.done, "spent": self.spent, "history": self.history}
        held |= {"noise": self.noise.get_state(), "sampler": self.sampler.rng.bit_generator.state}
        save_checkpoint(held, path)

    def resume(self, path: Path) -> None:
        held = torch.load(path, map_location=self.device, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(held[name])
        self.done, self.spent, self.history = held["done"], held["spent"], held["history"]
        self.noise.set_state(held["noise"].cpu())
        self.sampler.rng.bit_generator.state = held["sampler"]

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminators": self.discriminators,
            "optimiser": self.optimiser,
            "adversary_optimiser": self.adversary,
        }


def measure(generator: NeuralVocoder, clips: Sequence[Audio]) -> dict[str, float]:
    """Measure distance and speed on recordings that are not trained on, with the pitch out of the spectrogram."""
    ready = deepcopy(generator).to("cpu").eval()
    found = nearness(mel_vocoder(MEL, lambda mel: synthesise(ready, mel))(""), clips)
    return {"log_mel_db": round(found.distance_db, 2), "real_time_factor": round(found.real_time_factor, 4)}


def train(
    trainer: VocoderTrainer, held_out: Sequence[Audio], out: Path, provenance: Mapping[str, Any], log: Log
) -> Path:
    """Train until steps or minutes are spent; writes out/checkpoint.pt, history.json and weights.safetensors."""
    out.mkdir(parents=True, exist_ok=True)
    if (out / "checkpoint.pt").exists():
        trainer.resume(out / "checkpoint.pt")
        log(f"resumed at step {trainer.done}")
    recent: list[Parts] = []
    since = time.monotonic()
    while not trainer.finished():
        recent.append(trainer.step())
        now = time.monotonic()
        trainer.spent, since = trainer.spent + now - since, now
        if trainer.done % trainer.config.report_every == 0 or trainer.finished():
            trainer.history.append({"step": trainer.done, "spent_s": round(trainer.spent, 1)} | _means(recent))
            recent = []
            log(_progress(trainer))
            trainer.save(out / "checkpoint.pt")
            (out / "history.json").write_text(json.dumps(trainer.history, indent=1))
    figures = measure(trainer.average, held_out)
    log("on speakers not heard: " + "  ".join(f"{name} {value}" for name, value in figures.items()))
    result = {"settings": asdict(trainer.config), "steps": trainer.done, "last": trainer.history[-1]} | figures
    save_generator(trainer.average, out / "weights.safetensors", dict(provenance) | result)
    return out / "weights.safetensors"


def _means(recent: Sequence[Parts]) -> dict[str, float]:
    names: Iterable[str] = dict.fromkeys(name for parts in recent for name in parts)
    return {n: round(float(torch.stack([p[n] for p in recent if n in p]).mean()), 4) for n in names}


def _progress(trainer: VocoderTrainer) -> str:
    part = trainer.part()
    left = trainer.spent / max(part, 1e-6) * (1.0 - part) / 60.0
    figures = "  ".join(f"{k} {v:.3f}" for k, v in trainer.history[-1].items() if k not in ("step", "spent_s"))
    return f"step {trainer.done}  {trainer.spent / 60.0:.1f} min, {left:.1f} min left  {figures}"
