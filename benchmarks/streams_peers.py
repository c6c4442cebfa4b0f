"""Networks that benchmarks/streams.py times beside the monitor: they do less, and say what that costs.

* lstm_alone: torch.nn.LSTM of the sizes of the network that ships, one block a call: no monitor with it is faster.
* silero_vad: the voice-activity detector of the package silero-vad, as it runs it with onnxruntime, 32 ms a call.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.common import log
from model.checkpoint import read_detector
from model.network import SpeechLstm
from model.weights_file import weights_path
from monitor.audio import Audio
from monitor.types import SAMPLE_RATE

Turn = Callable[[], object]
VAD_SAMPLES = 512
"""Samples that silero-vad takes at once at 16 kHz."""


def lstm_alone(weights: str, streams: int) -> Turn:
    """Return a turn of the LSTM of these weights: one block of so many streams, with carried state."""
    network = read_detector(weights_path(weights)).network
    lstm = next(part.lstm for part in network.modules() if isinstance(part, SpeechLstm))
    torch.set_num_threads(1)
    inputs = torch.randn(streams, 1, lstm.input_size)
    state = [torch.zeros(lstm.num_layers, streams, lstm.hidden_size) for _ in "hc"]

    def turn() -> None:
        with torch.inference_mode():
            state[:] = lstm(inputs, tuple(state))[1]

    return turn


def silero_vad(audio: Audio) -> Turn | None:
    """Return a turn of silero-vad, VAD_SAMPLES of each row of audio float32 (N, n); None where it is not installed."""
    if importlib.util.find_spec("silero_vad") is None:
        log("note: silero-vad is not installed and is left out (make bench installs it)")
        return None
    from silero_vad import load_silero_vad

    detector = load_silero_vad(onnx=True)
    places = np.arange(0, audio.shape[1] - VAD_SAMPLES + 1, VAD_SAMPLES)
    pieces = [torch.from_numpy(audio[:, at : at + VAD_SAMPLES].copy()) for at in places]
    turns = 0

    def turn() -> None:
        nonlocal turns
        detector(pieces[turns % len(pieces)], SAMPLE_RATE)
        turns += 1

    return turn
