"""Pictures of what each channel does to the same speech."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from model.config import SAMPLE_RATE
from training.channels.channels import CHANNELS
from training.channels.speech_codecs import Audio
from training.evaluate.drawing import STYLE, panels

COLUMNS = 5
FLOOR_DB = -75.0


def _spectrogram(x: Audio) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """dB relative to the loudest, (bins, frames) of 25 ms every 5 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, (0, 400)), 400)[::80]
    power = np.abs(np.fft.rfft(frames * np.hanning(400), 512)) ** 2
    return np.asarray(10.0 * np.log10(power.T + 1e-12))


def draw(speech: Audio, path: Path, seed: int = 0) -> Path:
    """Write a PNG: a spectrogram of speech, float32 (n,) at 16 kHz, as it is and through every channel."""
    shown = {n: f(speech, np.random.default_rng(seed)) for n, f in CHANNELS.items()}
    return _draw({"as recorded": speech} | shown, path)


def _draw(shown: Mapping[str, Audio], path: Path) -> Path:
    """Return spectrograms by name, in dB below the loudest point of the first."""
    import matplotlib as mpl

    loudest = _spectrogram(next(iter(shown.values()))).max()
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = panels(-(-len(shown) // COLUMNS), COLUMNS, 2.4, 1.6, sharex=True, sharey=True)
        for axis in axes.flat:
            axis.set_visible(False)
        for axis, (name, x) in zip(axes.flat, shown.items(), strict=False):
            axis.set_visible(True)
            axis.set_title(name)
            extent = (0.0, len(x) / SAMPLE_RATE, 0.0, SAMPLE_RATE / 2000.0)
            axis.imshow(
                _spectrogram(x) - loudest, origin="lower", aspect="auto", extent=extent, vmin=FLOOR_DB, vmax=0.0,
                cmap="magma",
            )  # fmt: skip
        figure.supxlabel("seconds", fontsize=9)
        figure.supylabel("kHz", fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    return path
