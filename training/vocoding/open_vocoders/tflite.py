"""Networks in TensorFlow Lite files, run by the package ai-edge-litert."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from model.vocoding.spectra import Array, Audio
from model.vocoding.vocoders import VocoderError
from training.corpora.clips import CorpusError


def interpreter(path: Path) -> Any:
    """Return an interpreter of one thread, its tensors not yet allocated. Raises VocoderError and CorpusError."""
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise VocoderError("this vocoder needs a package: pip install ai-edge-litert") from error
    try:
        return module.Interpreter(str(path), num_threads=1)
    except (OSError, ValueError, RuntimeError) as error:
        raise CorpusError(f"{path} is not a TensorFlow Lite file: {error}") from error


def mel_to_audio(network: Any, mel: Array) -> Audio:
    """Pass log-mel (T, M) through a network that takes (1, M, T) and gives all samples at once."""
    return _through(network, mel.T)


def frames_to_audio(network: Any, mel: Array) -> Audio:
    """Pass log-mel (T, M) through a network that takes (1, T, M) and gives all samples at once."""
    return _through(network, mel)


def _through(network: Any, values: Array) -> Audio:
    place, result = network.get_input_details()[0]["index"], network.get_output_details()[0]["index"]
    network.resize_tensor_input(place, [1, *values.shape], strict=True)
    network.allocate_tensors()
    network.set_tensor(place, np.ascontiguousarray(values, dtype=np.float32)[None])
    network.invoke()
    return np.asarray(network.get_tensor(result), dtype=np.float32).reshape(-1)
