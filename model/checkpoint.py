"""Weights files: safetensors with everything inside that is needed to use and to judge them.

The metadata hold the whole configuration, the label polarity, the calibration, what the network was trained
on and a SHA-256 over metadata and tensors, so that a damaged or edited file is refused. Format:
https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file

from model.config import DetectorConfig
from model.stream import Detector
from model.weights_file import DEFAULT_WEIGHTS, FORMAT, VERSION, CheckpointError

POLARITY = "spoof logit > 0, llr > 0 and p_fake > 0.5 mean synthetic"


def _digest(metadata: Mapping[str, str], tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps({k: v for k, v in sorted(metadata.items()) if k != "sha256"}).encode())
    for name in sorted(tensors):
        digest.update(save({name: tensors[name].contiguous()}))
    return digest.hexdigest()


def save_detector(detector: Detector, path: Path, training: Mapping[str, Any]) -> str:
    """Write an unfolded detector; training: what it learned from, how, and with what result. Returns the hash."""
    metadata = {
        "polarity": POLARITY,
        "config": json.dumps(detector.config.to_dict()),
        "training": json.dumps(dict(training)),
    }
    return write_tensors(path, {"format": FORMAT, "version": VERSION} | metadata, detector.state_dict())


def write_tensors(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, torch.Tensor]) -> str:
    """Write a file that read_tensors reads; metadata: "format" and "version" among them. Returns the hash."""
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    signed = dict(metadata) | {"sha256": _digest(metadata, plain)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(plain, partial, signed)
    partial.chmod(0o644)  # safetensors writes files that only their owner can read
    partial.replace(path)
    return signed["sha256"]


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no weights file {path}") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error})") from error


def describe(path: Path) -> dict[str, str]:
    """Return the metadata of a weights file, unchecked. Raises CheckpointError where it cannot be read."""
    return _read(path)[0]


def read_tensors(path: Path, kind: str, version: str) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Return metadata and tensors of a whole file of this format and version. Raises CheckpointError."""
    metadata, tensors = _read(path)
    if metadata.get("format") != kind:
        raise CheckpointError(f"{path} holds no weights of this program")
    if metadata.get("version") != version:
        raise CheckpointError(
            f"{path} is of format version {metadata.get('version')}; this program reads version {version}"
        )
    if _digest(metadata, tensors) != metadata.get("sha256"):
        raise CheckpointError(f"{path} is damaged: its contents do not match their SHA-256")
    return metadata, tensors


def read_detector(path: Path) -> Detector:
    """Return a detector that can be trained further. Raises CheckpointError for a file that is missing, damaged or of
    another kind.
    """
    metadata, tensors = read_tensors(path, FORMAT, VERSION)
    try:
        detector = Detector(DetectorConfig.from_dict(json.loads(metadata["config"])), metadata["sha256"])
        detector.load_state_dict(tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit this program: {error}") from error
    return detector


def load_detector(path: Path = DEFAULT_WEIGHTS, device: str | torch.device = "cpu") -> Detector:
    """Return a detector ready for inference. Raises CheckpointError as read_detector does."""
    return read_detector(path).prepared().to(device)


def best_device(expected: str = "auto") -> str:
    """Return the device wanted; for "auto" cuda where there is one, else mps, else cpu."""
    if expected != "auto":
        return expected
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def use_all_cores() -> None:
    """Compute on as many threads as there are cores, or OMP_NUM_THREADS. To be called after the last fork: torch's
    threads are not copied into a forked process, which then waits for them for ever."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
