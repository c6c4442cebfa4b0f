"""A corpus of synthetic sounds with the shape of a real one, small enough to train on within a test.

Bona fide clips are a gliding, voice-like buzz in syllables; spoofs are the same with hiss above 6 kHz, which a network
learns within a few steps and a telephone takes away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

RATE = 16_000
COLUMNS = "path,label,part,system,family,speaker,pair,language,split"
SYSTEMS = (("lab", "melgan", "gan-vocoder"), ("lab", "world", "signal-vocoder"), ("wild", "vits", "end-to-end-tts"))


def voice(seed: int, seconds: float = 1.6) -> NDArray[np.float64]:
    """A buzz between 90 and 220 Hz, in syllables of a quarter of a second, with next to no noise; float (n,)."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    turns = rng.uniform(90, 220) * t + 3.0 * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * t)
    buzz = sum(np.cos(2 * np.pi * k * turns + rng.uniform(0, 6)) / k for k in range(1, 14))
    syllables = 0.25 + 0.75 * np.sin(np.pi * 4.0 * t + rng.uniform(0, 3)) ** 2
    return np.asarray(0.04 * syllables * buzz + 1e-6 * rng.standard_normal(len(t)))


def hiss(seed: int, n: int) -> NDArray[np.float64]:
    """Noise above 6 kHz, float (n,)."""
    taps = signal.firwin(129, 6000.0, pass_zero=False, fs=RATE)
    noise = np.random.default_rng([seed, 1]).standard_normal(n + 128)
    return np.asarray(0.03 * np.convolve(noise, taps, mode="valid"))


def make_corpus(root: Path, sentences: int = 8) -> Path:
    """Write clips and manifest.csv below root: of every system `sentences` sentences, the first half for dev."""
    lines = [COLUMNS]
    for number, (part, system, family) in enumerate(SYSTEMS):
        for i in range(sentences):
            seed = number * 100 + i
            split = "dev" if i < sentences // 2 else "train"
            tail = f"{split}-speaker{i % 4},{part}-{system}-{i},{'en' if i % 2 else 'fr'},{split}"
            real = voice(seed)
            lines.append(
                _write(root, f"{part}/bonafide/{seed}.flac", real, f"bonafide,{part},bonafide,bonafide,{tail}")
            )
            fake = real + hiss(seed, len(real))
            lines.append(
                _write(root, f"{part}/{system}/{seed}_gen.flac", fake, f"spoof,{part},{system},{family},{tail}")
            )
    manifest = root / "manifest.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def _write(root: Path, name: str, x: NDArray[Any], rest: str) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, RATE)
    return f"{name},{rest}"
