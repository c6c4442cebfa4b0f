"""FARGAN (Valin, 2024): an autoregressive vocoder of 18 cepstra, a pitch and a voicing every 10 ms, at 16 kHz.

The weights are a program: fargan_demo of Opus 1.5, built with its deep packet loss concealment (dnn/fargan_demo.c).
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import fft

from model.vocoding.spectra import Array, Audio, match_level
from model.vocoding.vocoders import Vocoder
from training.corpora.clips import CorpusError
from training.vocoding.open_vocoders.damage import DAMAGES
from training.vocoding.open_vocoders.mel import fitted

CEPSTRA, PITCH, FEATURES = 18, 18, 36
DELAY = 560
"""Samples by which what it makes comes early: it starts at the sixth frame."""

PEAK = 0.5
TO_NATURAL = np.float32(np.log(10.0) / 2.0)
"""Cepstra are of decimal logarithms of energies; damages expect natural logarithms of magnitudes."""


def variant(program: Path, name: str) -> Vocoder:
    """Return a vocoder that damages the features first, unless name is empty."""

    def vocode(x: Audio, seed: int) -> Audio:
        loud = x * (PEAK / max(float(np.abs(x).max(initial=0.0)), 1e-4))
        padded = np.pad(loud, (DELAY, 2 * DELAY))
        frames = features(program, padded)
        changed = damaged(frames, name, np.random.default_rng(seed)) if name else frames
        return match_level(fitted(synthesise(program, changed), round(len(x) * len(changed) / len(frames))), x)

    return vocode


def damaged(frames: Array, name: str, rng: np.random.Generator) -> Array:
    """Return features (T, 36) -> (T', 36) with the spectrum of damage.py; pitch and voicing follow its tempo, and the
    pitch goes with the voice by up to a third of an octave.
    """
    bands = fft.idct(frames[:, :CEPSTRA], axis=1, norm="ortho") * TO_NATURAL
    changed = DAMAGES[name](np.asarray(bands, dtype=np.float32), rng)
    at = np.linspace(0, len(frames) - 1, len(changed))
    new = np.stack([np.interp(at, np.arange(len(frames)), column) for column in frames.T], axis=1).astype(np.float32)
    new[:, :CEPSTRA] = fft.dct(changed / TO_NATURAL, axis=1, norm="ortho")
    if name == "voice":
        new[:, PITCH] += np.float32(rng.uniform(-1 / 3, 1 / 3))
    return new


def features(program: Path, x: Audio) -> Array:
    """Return (n // 160, 36) of x (n,) at 16 kHz. Raises CorpusError."""
    pcm = np.round(np.clip(x, -1.0, 1.0) * 32767).astype("<i2")
    return np.frombuffer(_run(program, "-features", pcm.tobytes()), dtype="<f4").reshape(-1, FEATURES)


def synthesise(program: Path, frames: Array) -> Audio:
    """Return (160 (T - 5),) of features (T, 36). Raises CorpusError."""
    pcm = np.frombuffer(_run(program, "-fargan-synthesis", frames.astype("<f4").tobytes()), dtype="<i2")
    return pcm.astype(np.float32) / np.float32(32768)


def _run(program: Path, mode: str, data: bytes) -> bytes:
    with TemporaryDirectory() as folder:
        given, made = Path(folder) / "in", Path(folder) / "out"
        given.write_bytes(data)
        try:
            subprocess.run([program.resolve(), mode, given, made], check=True, capture_output=True)
            return made.read_bytes()
        except (OSError, subprocess.CalledProcessError) as error:
            raise CorpusError(f"{program} is no fargan_demo that runs here: build it from Opus 1.5") from error
