"""Weights files of the vocoder: safetensors with its configuration and what it learned from inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.checkpoint import read_tensors, write_tensors
from model.weights_file import CheckpointError
from training.corpora.clips import CorpusError
from training.vocoding.neural_vocoder.generator import NeuralVocoder
from training.vocoding.neural_vocoder.vocoder_config import VocoderConfig

FORMAT = "deepfake-speech-monitor-vocoder"
VERSION = "1"


def save_generator(generator: NeuralVocoder, path: Path, training: Mapping[str, Any]) -> str:
    """Save a generator, and return the file's hash. training: what it learned from, how, and with what result."""
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "config": json.dumps(generator.config.to_dict()),
        "training": json.dumps(dict(training)),
    }
    return write_tensors(path, metadata, generator.state_dict())


def load_generator(path: Path) -> NeuralVocoder:
    """Load a generator for inference. Raises CorpusError for a file that is missing, damaged or of another kind."""
    try:
        metadata, tensors = read_tensors(path, FORMAT, VERSION)
        generator = NeuralVocoder(VocoderConfig.from_dict(json.loads(metadata["config"])))
        generator.load_state_dict(tensors)
    except (CheckpointError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CorpusError(f"cannot use these weights of a vocoder: {error}") from error
    return generator.eval().requires_grad_(False)
