"""Classical vocoders: speech in, the same words from a signal model out. For training material and the demo's voice.

Every vocoder takes float32 (n,) at 16 kHz and a seed, and returns float32 (n,) with the same words at the same
places and the input's root mean square. Silence stays silence.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial

import numpy as np

from model.config import SAMPLE_RATE
from model.vocoding.source_filter import harmonic_noise, lpc_envelope, mel_envelope, source_filter, stretch
from model.vocoding.spectra import Array, Audio, invert_mel, istft, match_level, mel_filters, stft

Vocoder = Callable[[Audio, int], Audio]


class VocoderError(RuntimeError):
    """A vocoder that cannot run here; the text says what to install."""


def find_phase(magnitude: Array, hop: int, n: int, iterations: int, seed: int) -> Audio:
    """Return a signal (n,) with these magnitudes, from random phase by fast Griffin-Lim (Perraudin, 2013)."""
    rng = np.random.default_rng(seed)
    spectra = magnitude * np.exp(2j * np.pi * rng.random(magnitude.shape, dtype=np.float32))
    last: Array = np.zeros_like(spectra)
    n_fft = 2 * (magnitude.shape[1] - 1)
    for _ in range(iterations):
        projected = stft(istft(spectra, hop, n), n_fft, hop)
        ahead = projected + 0.99 * (projected - last)
        last = projected
        spectra = magnitude * ahead / np.maximum(np.abs(ahead), 1e-12)
    return istft(spectra, hop, n)


def griffin_lim(
    x: Audio,
    seed: int = 0,
    *,
    n_mels: int = 80,
    iterations: int = 32,
    n_fft: int = 1024,
    hop: int = 256,
    f_min: float = 0.0,
    f_max: float = 8000.0,
) -> Audio:
    """Send x through a mel spectrogram and back, phase by Griffin-Lim. n_mels 0: a linear spectrogram."""
    magnitude = np.abs(stft(x, n_fft, hop))
    if n_mels:
        filters = mel_filters(n_fft, n_mels, f_min, f_max)
        magnitude = invert_mel(magnitude @ filters.T, filters)
    return match_level(find_phase(magnitude, hop, len(x), iterations, seed), x)


def phase_vocoder(x: Audio, seed: int = 0, *, n_fft: int = 1024, hop: int = 256) -> Audio:
    """Return magnitudes kept, phases rebuilt from each bin's instantaneous frequency and a random start (Flanagan,
    1966).
    """
    spectra = stft(x, n_fft, hop)
    centre = 2.0 * np.pi * hop * np.arange(spectra.shape[1]) / n_fft
    moved = np.diff(np.angle(spectra), axis=0) - centre
    advance = centre + moved - 2.0 * np.pi * np.round(moved / (2.0 * np.pi))
    rng = np.random.default_rng(seed)
    start = 2.0 * np.pi * rng.random((1, spectra.shape[1]))
    wander = 0.1 * rng.standard_normal(advance.shape)
    phase = np.concatenate([start, start + np.cumsum(advance + wander, axis=0)])
    return match_level(istft((np.abs(spectra) * np.exp(1j * phase)).astype(np.complex64), hop, len(x)), x)


def lpc_vocoder(x: Audio, seed: int = 0, *, order: int = 18, pitch: float = 1.0, formant: float = 1.0) -> Audio:
    """Re-synthesise by linear prediction and pulses with noise (Atal and Hanauer, 1971). pitch, formant: factors."""
    return source_filter(x, seed, envelope=partial(lpc_envelope, order=order), pitch=pitch, formant=formant)


def channel_vocoder(x: Audio, seed: int = 0, *, bands: int = 40) -> Audio:
    """Re-synthesise by mel bands driven by pulses and noise (Dudley, 1939)."""
    return source_filter(x, seed, envelope=partial(mel_envelope, n_mels=bands), split_hz=5000.0)


def world_vocoder(x: Audio, seed: int = 0, *, pitch: float = 1.0, formant: float = 1.0) -> Audio:
    """Re-synthesise by WORLD (Morise, 2016) of the package pyworld. pitch, formant: factors; seed has no effect. Raises
    VocoderError.
    """
    del seed
    try:
        world = importlib.import_module("pyworld")
    except ImportError as error:
        raise VocoderError("the WORLD vocoder needs a package: pip install pyworld 'setuptools<81'") from error
    wide = x.astype(np.float64)
    coarse, times = world.dio(wide, SAMPLE_RATE)
    f0 = world.stonemask(wide, coarse, times, SAMPLE_RATE)
    envelope = world.cheaptrick(wide, f0, times, SAMPLE_RATE)
    noisiness = world.d4c(wide, f0, times, SAMPLE_RATE)
    shape = np.ascontiguousarray(stretch(envelope, formant), dtype=np.float64)
    y = world.synthesize(f0 * pitch, shape, noisiness, SAMPLE_RATE)
    return match_level(np.pad(y, (0, max(0, len(x) - len(y))))[: len(x)], x)


VOCODERS: dict[str, Vocoder] = {
    "griffin-lim": griffin_lim,
    "griffin-lim-few-bands": partial(griffin_lim, n_mels=40, iterations=60),
    "griffin-lim-rough": partial(griffin_lim, iterations=6, n_fft=512, hop=128),
    "griffin-lim-long": partial(griffin_lim, n_mels=128, n_fft=2048, hop=256, f_min=80.0, f_max=7600.0),
    "griffin-lim-linear": partial(griffin_lim, n_mels=0, iterations=20),
    "phase-vocoder": phase_vocoder,
    "lpc": lpc_vocoder,
    "lpc-voice": partial(lpc_vocoder, pitch=1.25, formant=1.1),
    "channel": channel_vocoder,
    "harmonic-noise": harmonic_noise,
    "harmonic-noise-voice": partial(harmonic_noise, pitch=0.85, formant=0.93),
    "world": world_vocoder,
    "world-voice": partial(world_vocoder, pitch=1.2, formant=1.08),
}
"""Vocoders by name: f(x, seed) -> y, x and y float32 (n,) at 16 kHz."""
