"""An exported network as a model of NVIDIA Triton, which keeps the streams' states (its "implicit state").

The sequence batcher gives each call a sequence and batches the next block of many calls; the state of a sequence is
zero at its beginning, as a cold stream's is. https://docs.nvidia.com/deeplearning/triton-inference-server: "Sequence
Batcher", "Implicit State Management".
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, ValueInfoProto

from model.export.graph import NEW
from model.runtime_file import runtime_path

NAME = "deepfake_speech"
KINDS: dict[int, str] = {TensorProto.FLOAT: "TYPE_FP32", TensorProto.BOOL: "TYPE_BOOL"}
FRAMES, BLOCKS = 2, 1
"""Of one block."""


def write_repository(weights: Path, folder: Path, *, batch: int = 256, idle_s: float = 30.0) -> Path:
    """Write a model repository with the network for one block a call; returns its config.pbtxt.

    batch: calls that are scored at once, at most. idle_s: a call of which nothing comes for so long is forgotten.
    Raises FileNotFoundError where the weights were not exported.
    """
    graph = runtime_path(weights, single=True)
    place = folder / NAME
    (place / "1").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(graph, place / "1" / "model.onnx")
    config = place / "config.pbtxt"
    config.write_text(triton_config(graph, batch=batch, idle_s=idle_s), encoding="utf-8")
    return config


def triton_config(graph: Path, *, batch: int, idle_s: float) -> str:
    """Return the configuration (protobuf text format) of an exported graph: its inputs, figures and states."""
    found = onnx.load(graph).graph
    states = {value.name.removeprefix(NEW) for value in found.output if value.name.startswith(NEW)}
    inputs = [value for value in found.input if value.name not in states]
    outputs = [value for value in found.output if not value.name.startswith(NEW)]
    kept = [value for value in found.input if value.name in states]
    lines = [
        f'name: "{NAME}"',
        'platform: "onnxruntime_onnx"',
        f"max_batch_size: {batch}",
        *_tensors("input", inputs),
        *_tensors("output", outputs),
        "sequence_batching {",
        f"  max_sequence_idle_microseconds: {round(idle_s * 1e6)}",
        "  oldest {",
        f"    max_candidate_sequences: {batch * 16}",
        "    max_queue_delay_microseconds: 10000",
        "  }",
        *(line for value in kept for line in _state(value)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _tensors(word: str, values: Iterable[ValueInfoProto]) -> Iterator[str]:
    for value in values:
        yield f'{word} {{ name: "{value.name}" data_type: {_kind(value)} dims: {_dims(value)} }}'


def _state(value: ValueInfoProto) -> Iterator[str]:
    kind, dims = _kind(value), _dims(value)
    yield f'  state {{ input_name: "{value.name}" output_name: "{NEW}{value.name}" data_type: {kind} dims: {dims}'
    yield f'    initial_state {{ name: "zero" data_type: {kind} dims: {dims} zero_data: true }} }}'


def _kind(value: ValueInfoProto) -> str:
    return KINDS[value.type.tensor_type.elem_type]


def _dims(value: ValueInfoProto) -> list[int]:
    """Without the first, that of the batch."""
    free = {"frames": FRAMES, "blocks": BLOCKS}
    return [free.get(dim.dim_param, dim.dim_value) for dim in value.type.tensor_type.shape.dim[1:]]
