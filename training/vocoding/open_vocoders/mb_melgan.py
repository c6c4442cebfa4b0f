"""Multi-band MelGAN (Yang et al., SLT 2021) at 24 kHz, in the form of TensorFlowTTS: a TensorFlow Lite file that takes
log-mel frames with the mean and deviation of its only speaker taken out.

Those are not in the file. The recording's own take their place, and the copy, which has the speaker's colour then, gets
the recording's colour back by a filter.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import signal

from model.config import SAMPLE_RATE
from model.vocoding.spectra import Array, Audio, match_level
from model.vocoding.vocoders import Vocoder
from training.vocoding.open_vocoders.damage import DAMAGES
from training.vocoding.open_vocoders.mel import MelFormat, at_rate, fitted, log_mel, to_rate
from training.vocoding.open_vocoders.tflite import frames_to_audio, interpreter

FORM = MelFormat(rate=24_000, n_fft=2048, hop=300, window=1200, f_min=80.0, f_max=7600.0, floor=1e-10)
TAPS, LOUDEST_DB = 513, 25.0


def colour(y: Audio, x: Audio) -> Audio:
    """Return y (n,) at 16 kHz with the long-term spectrum of x, smoothed over thirds of an octave; within 25 dB."""
    hz, of_y = signal.welch(y, SAMPLE_RATE, nperseg=512)
    _, of_x = signal.welch(x, SAMPLE_RATE, nperseg=512)
    difference = 10.0 * np.log10((of_x + 1e-12) / (of_y + 1e-12))
    wide = [np.mean(difference[(hz >= f / 1.12) & (hz <= max(f * 1.12, f + 32.0))]) for f in hz]
    gain = 10.0 ** (np.clip(wide - np.median(wide), -LOUDEST_DB, LOUDEST_DB) / 20.0)
    return np.asarray(signal.fftconvolve(y, signal.firwin2(TAPS, hz, gain, fs=SAMPLE_RATE), "same"), dtype=np.float32)


def open_file(path: Path) -> Callable[[str], Vocoder]:
    """Open a network: returns its variants by name, of the damages of the spectrogram. Raises VocoderError and
    CorpusError.
    """
    network = interpreter(path)

    def variant(name: str) -> Vocoder:
        def vocode(x: Audio, seed: int) -> Audio:
            centred = np.pad(to_rate(x, FORM), (FORM.hop // 2, 0))
            mel = log_mel(centred, FORM)
            damaged: Array = DAMAGES[name](mel, np.random.default_rng(seed)) if name else mel
            scaled = (damaged - mel.mean(0)) / np.maximum(mel.std(0), 1e-3)
            y = at_rate(frames_to_audio(network, scaled), FORM.rate, SAMPLE_RATE)
            y = fitted(y, round(len(x) * len(damaged) / max(len(mel), 1)))
            return match_level(colour(y, x), x)

        return vocode

    return variant
