"""Open vocoders by name. A system is a vocoder, or a vocoder and a variant: hifigan-v2, hifigan-v2+smooth.

The variants of vocoders that take a spectrum are the damages of training/vocoding/open_vocoders/damage.py; all that run
bare have the variant slowed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from model.config import SAMPLE_RATE
from model.vocoding.spectra import Array, Audio, match_level
from model.vocoding.vocoders import Vocoder, find_phase
from training.corpora.clips import CorpusError
from training.vocoding.open_vocoders.damage import DAMAGES, FAMILIES
from training.vocoding.open_vocoders.mel import LJSPEECH, MelFormat, at_rate, filters, fitted, log_mel, to_rate

Variant = Callable[[str], Vocoder]


@dataclass(frozen=True)
class OpenVocoder:
    """open(path of the weights) gives a vocoder for each variant. bare: it runs without one."""

    family: str
    open: Callable[[Path], Variant]
    variants: Collection[str]
    bare: bool = True


def mel_vocoder(form: MelFormat, synthesise: Callable[[Array], Audio]) -> Variant:
    """Return a vocoder from what makes samples at form.rate of log-mel frames (T, M); a variant damages them first."""

    def variant(name: str) -> Vocoder:
        def vocode(x: Audio, seed: int) -> Audio:
            mel = log_mel(to_rate(x, form), form)
            damaged = DAMAGES[name](mel, np.random.default_rng(seed)) if name else mel
            y = at_rate(synthesise(np.maximum(damaged, np.float32(np.log(form.floor)))), form.rate, SAMPLE_RATE)
            return match_level(fitted(y, round(len(x) * len(damaged) / max(len(mel), 1))), x)

        return vocode

    return variant


def _hifigan_v2(path: Path) -> Variant:
    from training.vocoding.open_vocoders.hifigan import load, synthesise

    generator = load(path)
    return mel_vocoder(LJSPEECH, lambda mel: synthesise(generator, mel))


def _hifigan_v3(path: Path) -> Variant:
    from training.vocoding.open_vocoders.tflite import interpreter, mel_to_audio

    network = interpreter(path)
    return mel_vocoder(LJSPEECH, lambda mel: mel_to_audio(network, mel))


def _hifigan_onnx(path: Path) -> Variant:
    from training.vocoding.open_vocoders.onnx_file import mel_to_audio, open_file

    session = open_file(path)
    return mel_vocoder(LJSPEECH, lambda mel: mel_to_audio(session, mel))


def _griffin_lim(_: Path) -> Variant:
    """Needs no weights: the phase by Griffin-Lim, as the first systems of text to speech have it (Wang, 2017)."""
    from model.vocoding.spectra import invert_mel

    def synthesise(mel: Array) -> Audio:
        magnitude, hop = invert_mel(np.exp(mel), filters(LJSPEECH)), LJSPEECH.hop
        return np.pad(find_phase(magnitude, hop, (len(mel) - 1) * hop, 40, len(mel)), hop // 2)

    return mel_vocoder(LJSPEECH, synthesise)


def _lyra_v2(folder: Path) -> Variant:
    from training.vocoding.open_vocoders.lyra import Lyra

    lyra = Lyra(folder)
    return lambda bit_rate: lambda x, _: lyra.through(x, bit_rate)


def _fargan(program: Path) -> Variant:
    from training.vocoding.open_vocoders.fargan import variant

    return lambda name: variant(program, name)


def _neural_istft(path: Path) -> Variant:
    """Return the vocoder that `training vocoder` learns."""
    from training.vocoding.neural_vocoder.generator import synthesise
    from training.vocoding.neural_vocoder.vocoder_config import MEL
    from training.vocoding.neural_vocoder.weights import load_generator

    generator = load_generator(path)
    return mel_vocoder(MEL, lambda mel: synthesise(generator, mel))


def _melgan(path: Path) -> Variant:
    from training.vocoding.open_vocoders.melgan import load, synthesise

    network = load(path)
    return mel_vocoder(LJSPEECH, lambda mel: synthesise(network, mel))


def _mb_melgan(path: Path) -> Variant:
    from training.vocoding.open_vocoders.mb_melgan import open_file

    return open_file(path)


def _vits(path: Path) -> Variant:
    from training.vocoding.open_vocoders.vits import load, variant

    networks = load(path)
    return lambda name: variant(networks, name)


OPEN_VOCODERS: dict[str, OpenVocoder] = {
    "hifigan-v2": OpenVocoder("gan-vocoder", _hifigan_v2, DAMAGES),
    "hifigan-v3": OpenVocoder("gan-vocoder", _hifigan_v3, DAMAGES),
    "hifigan-onnx": OpenVocoder("gan-vocoder", _hifigan_onnx, DAMAGES),
    "neural-istft": OpenVocoder("gan-vocoder", _neural_istft, DAMAGES),
    "fargan": OpenVocoder("autoregressive-vocoder", _fargan, DAMAGES),
    "melgan": OpenVocoder("gan-vocoder", _melgan, DAMAGES),
    "mb-melgan": OpenVocoder("gan-vocoder", _mb_melgan, DAMAGES),
    "vits": OpenVocoder("end-to-end-tts", _vits, ("sampled", "smooth", "units", "coarse", "tempo")),
    "mel-griffin-lim": OpenVocoder("signal-vocoder", _griffin_lim, DAMAGES),
    "lyra-v2": OpenVocoder("neural-codec", _lyra_v2, ("3200", "6000", "9200"), bare=False),
}
"""Vocoders by name."""

WITHOUT_WEIGHTS = frozenset({"mel-griffin-lim"})
SLOWED = "slowed"
SLOWED_BY = 1.05, 1.37
"""A vocoder at 22.05 kHz then works as one of 21 to 16.1 kHz would, which still holds all of the speech."""


def systems(weights: Collection[str]) -> list[str]:
    """Return the names of all systems of the vocoders that there are weights for."""
    return [
        system
        for name, vocoder in OPEN_VOCODERS.items()
        if name in weights or name in WITHOUT_WEIGHTS
        for system in (_bare(name) * vocoder.bare + [f"{name}+{variant}" for variant in vocoder.variants])
    ]


def _bare(name: str) -> list[str]:
    return [name, f"{name}+{SLOWED}"]


def open_system(system: str, weights: dict[str, Path]) -> Vocoder:
    """Return f(x, seed) of a name that systems() lists. Raises CorpusError and VocoderError."""
    name, _, variant = system.partition("+")
    if system not in systems(weights):
        raise CorpusError(f"no weights for the vocoder {system}; there are {', '.join(OPEN_VOCODERS)}")
    vocoder = _opened(name, weights.get(name, Path()))
    return slowed(vocoder("")) if variant == SLOWED else vocoder(variant)


def slowed(vocoder: Vocoder) -> Vocoder:
    """Return a vocoder that hears speech 1.05 to 1.37 times as slow (drawn by the seed) and whose copy is played as
    much faster: the traces of its hop, its filters and its pulses lie where those of a vocoder of another rate do.
    """

    def vocode(x: Audio, seed: int) -> Audio:
        rate = round(SAMPLE_RATE * float(np.random.default_rng(seed).uniform(*SLOWED_BY)))
        y = at_rate(vocoder(at_rate(x, SAMPLE_RATE, rate), seed), rate, SAMPLE_RATE)
        return match_level(fitted(y, len(x)), x)

    return vocode


@lru_cache(maxsize=16)
def _opened(name: str, path: Path) -> Variant:
    """Kept in each process: the weights are read once, whatever the variants."""
    return OPEN_VOCODERS[name].open(path)


def family(system: str) -> str:
    """Return the family that the family head learns for a system."""
    name, _, variant = system.partition("+")
    return FAMILIES.get(variant, OPEN_VOCODERS[name].family)
