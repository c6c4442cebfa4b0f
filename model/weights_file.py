"""Weights files by name, and whether they are whole, without torch.

Format: https://github.com/huggingface/safetensors#format: the size of the header as eight bytes, little endian, then
the header as JSON.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = "deepfake-speech-monitor"
VERSION = "1"
SHIPPED = {"default": Path(__file__).parent / "weights" / "default.safetensors"}
"""Weights that come with the program, by name."""

DEFAULT_WEIGHTS = SHIPPED["default"]


class CheckpointError(ValueError):
    """A weights or state file that cannot be used; the text says why."""


class DeviceError(ValueError):
    """A device that this machine does not have."""


def weights_path(name: str | Path) -> Path:
    """Return the path of weights that ship, by their name, or of a file."""
    return SHIPPED.get(str(name), Path(name))


def weights_hash(path: Path) -> str:
    """Return the SHA-256 of a weights file, which is checked.

    Raises CheckpointError where the file is missing, damaged, or not one of this program.
    """
    try:
        data = path.read_bytes()
        (size,) = struct.unpack_from("<Q", data)
        tensors = json.loads(data[8 : 8 + size])
        metadata = tensors.pop("__metadata__", {})
        places = {name: tensors[name]["data_offsets"] for name in sorted(tensors)}
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no weights file {path}") from error
    except (OSError, ValueError, KeyError, TypeError, struct.error, AttributeError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error})") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} holds no weights of this program")
    if metadata.get("version") != VERSION:
        raise CheckpointError(
            f"{path} is of format version {metadata.get('version')}; this program reads version {VERSION}"
        )
    digest = hashlib.sha256(json.dumps({k: v for k, v in sorted(metadata.items()) if k != "sha256"}).encode())
    body = memoryview(data)[8 + size :]
    for name, (begin, end) in places.items():
        digest.update(_alone(name, tensors[name], end - begin))
        digest.update(body[begin:end])
    if digest.hexdigest() != metadata.get("sha256"):
        raise CheckpointError(f"{path} is damaged: its contents do not match their SHA-256")
    return digest.hexdigest()


def _alone(name: str, facts: Mapping[str, Any], size: int) -> bytes:
    """Return the header of a file that holds one tensor alone, as safetensors writes it."""
    place = {"dtype": facts.get("dtype"), "shape": facts.get("shape"), "data_offsets": [0, size]}
    text = json.dumps({name: place}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text
