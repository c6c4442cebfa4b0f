"""Files with a network for the CPU's runtime: ONNX, with all that is needed to use it in their metadata.

weights: the SHA-256 of the weights file that it was made of. config: as in a weights file. memory: blocks of the past
that the convolutions depend on. blocks: how many a call takes, 1 or any. parameters: how many
numbers were learned. sha256: of the file, with zeros where it stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.config import DetectorConfig
from model.weights_file import CheckpointError

FORMAT = "deepfake-speech-monitor-network"
VERSION = "1"
UNSIGNED = "0" * 64


@dataclass(frozen=True)
class RuntimeFacts:
    """The metadata of a network's file."""

    weights_hash: str
    config: DetectorConfig
    memory: int
    single: bool
    parameters: int


def runtime_path(weights: Path, *, single: bool) -> Path:
    """Return where the network of a weights file stands: the graph for one block a call, or the one for any number."""
    return weights.with_suffix(".onnx" if single else ".segments.onnx")


def check_signature(data: bytes, metadata: Mapping[str, str], name: str) -> None:
    """Check the signature of a file. Raises CheckpointError for one that is not whole."""
    digest = metadata.get("sha256", "").encode()
    unsigned = data.replace(digest, UNSIGNED.encode(), 1) if digest else data
    if hashlib.sha256(unsigned).hexdigest().encode() != digest:
        raise CheckpointError(f"{name} is damaged: its contents do not match their SHA-256")


def read_facts(metadata: Mapping[str, str], name: str) -> RuntimeFacts:
    """Read the facts from the metadata of a file. Raises CheckpointError for another format or version."""
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{name} holds no network of this program")
    if metadata.get("version") != VERSION:
        raise CheckpointError(f"{name} is of format version {metadata.get('version')}; this program reads {VERSION}")
    try:
        config = DetectorConfig.from_dict(json.loads(metadata["config"]))
        depth, parameters = int(metadata["memory"]), int(metadata["parameters"])
        return RuntimeFacts(metadata["weights"], config, depth, metadata["blocks"] == "1", parameters)
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{name} does not fit this program: {error}") from error
