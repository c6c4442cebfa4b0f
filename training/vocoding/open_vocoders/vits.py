"""VITS (Kim, Kong and Son, ICML 2021) as a vocoder: its posterior encoder hears a recording, its decoder speaks.

The encoder turns the linear spectrum into the latents that text is taught to give, so that a copy has what the decoders
of end-to-end text to speech leave behind. One speaker, whose embedding is folded into the layers that it conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from model.config import SAMPLE_RATE
from model.vocoding.spectra import Array, Audio, match_level
from model.vocoding.vocoders import Vocoder
from training.corpora.clips import CorpusError
from training.vocoding.open_vocoders.damage import coarse, tempo, units
from training.vocoding.open_vocoders.hifigan import HifiGan, HifiGanConfig, renamed
from training.vocoding.open_vocoders.mel import MelFormat, at_rate, fitted, magnitudes, to_rate

FORM = MelFormat(rate=44_100, n_fft=2048, hop=512)
DECODER = HifiGanConfig(rates=(8, 8, 2, 2, 2), kernels=(16, 16, 8, 2, 2), channels=256)
"""The configuration of the weights in the package tiny_tts 0.2.0 of PyPI (checkpoints/G.pth, Apache 2.0)."""

Weights = Mapping[str, Tensor]


def _folded(weights: Weights, name: str) -> Tensor:
    """Return the weight of a layer that may be split into length and direction (weight norm)."""
    if f"{name}.weight" in weights:
        return weights[f"{name}.weight"]
    direction = weights[f"{name}.weight_v"]
    length: Tensor = direction.flatten(1).norm(dim=1).view(-1, 1, 1)
    return weights[f"{name}.weight_g"] * direction / length


class PosteriorEncoder:
    """Linear magnitudes (N, bins, T) -> means and log deviations of the latents, (N, D, T) each: a WaveNet without
    dilation.
    """

    def __init__(self, weights: Weights, speaker: Tensor) -> None:
        names = {k.rpartition(".")[0] for k in weights if k.startswith("enc_q.") and k.endswith(".bias")}
        self.convs = {name.removeprefix("enc_q."): (_folded(weights, name), weights[f"{name}.bias"]) for name in names}
        self.layers = sum(k.startswith("enc_q.enc.in_layers.") and k.endswith(".bias") for k in weights)
        self.condition = self._conv(speaker, "enc.cond_layer").chunk(self.layers, dim=1)

    def _conv(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.convs[name]
        return F.conv1d(x, weight, bias, padding=weight.shape[2] // 2)

    def __call__(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        x = self._conv(spectrum, "pre")
        skipped = torch.zeros_like(x)
        for i in range(self.layers):
            angle, gate = (self._conv(x, f"enc.in_layers.{i}") + self.condition[i]).chunk(2, dim=1)
            y = self._conv(torch.tanh(angle) * torch.sigmoid(gate), f"enc.res_skip_layers.{i}")
            if i < self.layers - 1:
                rest, y = y.chunk(2, dim=1)
                x = x + rest
            skipped = skipped + y
        mean, deviation = self._conv(skipped, "proj").chunk(2, dim=1)
        return mean, deviation


def _decoder(weights: Weights, speaker: Tensor) -> HifiGan:
    """HiFi-GAN's generator, which has weight norm and a bias where this decoder has none: they change nothing."""
    held = {k.removeprefix("dec."): v for k, v in weights.items() if k.startswith("dec.")}
    condition = F.conv1d(speaker, held.pop("cond.weight"), held.pop("cond.bias"))
    held["conv_pre.bias"] = held["conv_pre.bias"] + condition[0, :, 0]
    held["conv_post.bias"] = torch.zeros(1)
    for name in ("conv_pre", "conv_post"):
        weight = held.pop(f"{name}.weight")
        held[f"{name}.weight_v"] = weight
        held[f"{name}.weight_g"] = weight.flatten(1).norm(dim=1).view(-1, 1, 1)
    generator = HifiGan(DECODER)
    generator.load_state_dict({renamed(k): v for k, v in held.items()})
    return generator.eval().requires_grad_(False)


def load(path: Path) -> tuple[PosteriorEncoder, HifiGan]:
    """Load encoder and decoder of a checkpoint {"model": tensors}. Raises CorpusError."""
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)["model"]
        weights = {name: tensor.float() for name, tensor in held.items()}
        speaker = weights["emb_g.weight"][:1, :, None]
        return PosteriorEncoder(weights, speaker), _decoder(weights, speaker)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"{path} holds no VITS of this shape: {error}") from error


def _smooth(z: Array, rng: np.random.Generator) -> Array:
    """Return the latents drawn out in time, as a prior that is too sure of itself gives them."""
    return np.asarray(ndimage.gaussian_filter1d(z, float(rng.uniform(0.7, 2.0)), axis=0, mode="nearest"))


VARIANTS = {"smooth": _smooth, "units": units, "coarse": coarse, "tempo": tempo}
"""Changes to the latents (T, D) by name. "sampled" draws them from the posterior instead of taking its mean."""


def variant(networks: tuple[PosteriorEncoder, HifiGan], name: str) -> Vocoder:
    encoder, decoder = networks

    def vocode(x: Audio, seed: int) -> Audio:
        rng = np.random.default_rng(seed)
        spectrum = torch.from_numpy(np.ascontiguousarray(magnitudes(to_rate(x, FORM), FORM).T))[None]
        with torch.inference_mode():
            mean, deviation = encoder(torch.sqrt(spectrum.square() + 1e-6))
            z = mean[0].numpy().T
            if name == "sampled":
                z = z + rng.standard_normal(z.shape).astype(np.float32) * np.exp(deviation[0].numpy().T)
            elif name:
                z = VARIANTS[name](z, rng)
            y = decoder(torch.from_numpy(np.ascontiguousarray(z.T, dtype=np.float32))[None])[0, 0].numpy()
        spoken = at_rate(y, FORM.rate, SAMPLE_RATE)
        return match_level(fitted(spoken, round(len(x) * len(z) / max(mean.shape[2], 1))), x)

    return vocode
