"""The states of many streams in two matrices, so that a step of some of them is a handful of operations.

Each operation of torch gives the interpreter's lock away. A server whose scoring thread copied dozens of tensors a step
spent its time getting the lock back from the threads of its taps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import BLOCK
from model.recorded import Recorded
from model.stream import Detector, Scores, State, init_state, score_blocks

Ints = NDArray[np.int64]
PENDING = "pending"
"""The one part of a state that is not kept: only whole blocks are heard."""
KINDS = {"reals": torch.float32, "whole": torch.int64}
FIGURES = ("level", "kind", "warm", "bandwidth", "active", "spoof", "speech")
"""What stands in the first columns of what is heard, as in model.stream.Scores; the families follow."""


def rounded(rows: int) -> int:
    """How many rows are computed for so many: up to an eighth more.

    oneDNN compiles a convolution for each shape that it meets, which takes longer than the convolution, and keeps the
    newest 1024: a server whose steps are of any size would compile all the time.
    """
    step = 1 << max(0, rows.bit_length() - 4)
    return -(-rows // step) * step


class PackedStreams:
    """Streams in rows 0 to rows - 1, all cold at first."""

    def __init__(self, detector: Detector, rows: int) -> None:
        self.rows = rows
        self._detector = detector
        self._places = _places(init_state(detector, 1))
        self._cold = self._packed(init_state(detector, 1))
        self._state = {name: tensor.repeat(rows, 1) for name, tensor in self._cold.items()}
        self._recorded: dict[int, Recorded] = {}
        self.prepare((1,))

    def prepare(self, counts: Sequence[int]) -> None:
        """Record the steps of so many blocks, before anything has to wait for it."""
        for count in counts:
            if self._detector.device.type == "cpu" and count not in self._recorded:
                example = {name: tensor.repeat(2, 1) for name, tensor in self._cold.items()}
                self._recorded[count] = Recorded(self._blocks, example | {"samples": torch.zeros(2, count * BLOCK)})

    def tensors(self) -> dict[str, Tensor]:
        """The states as they are: float32 and int64 matrices with a row a stream."""
        return self._state

    def reset(self, rows: Ints) -> None:
        """Make rows cold again."""
        index = torch.from_numpy(rows).to(self._detector.device)
        with torch.inference_mode():
            for name, tensor in self._state.items():
                tensor.index_copy_(0, index, self._cold[name].expand(len(rows), -1))

    def hear(self, rows: Ints, several: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Score blocks that follow each other, up to FEW_BLOCKS, each (M, BLOCK) of these rows: (M, B, 7 + K), the
        columns of FIGURES and the families. Raises RuntimeError where the device fails; the states are then unchanged.
        """
        count, size = len(rows), min(self.rows, rounded(len(rows)))
        audio = torch.zeros(size, BLOCK * len(several))
        np.concatenate(several, axis=1, out=audio[:count].numpy())
        with torch.inference_mode():
            heard = self._taken(rows, size) | {"samples": audio.to(self._detector.device)}
            recorded = self._recorded.get(len(several))
            new = self._blocks(heard) if recorded is None else recorded(heard)
            figures: NDArray[np.float32] = new.pop("figures")[:count].cpu().numpy()
            self._put(rows, new)
        return figures

    def _taken(self, rows: Ints, size: int) -> dict[str, Tensor]:
        """The states of these rows, and of any others up to that size."""
        if size == self.rows == len(rows):
            return dict(self._state)
        first = int(rows[0])
        if int(rows[-1]) - first + 1 == len(rows) and first + size <= self.rows:
            return {name: tensor[first : first + size] for name, tensor in self._state.items()}
        index = torch.from_numpy(np.pad(rows, (0, size - len(rows)), mode="edge")).to(self._detector.device)
        return {name: tensor.index_select(0, index) for name, tensor in self._state.items()}

    def _put(self, rows: Ints, new: Mapping[str, Tensor]) -> None:
        count, first = len(rows), int(rows[0])
        if count == self.rows:
            self._state = dict(new)
        elif int(rows[-1]) - first + 1 == count:
            for name, tensor in self._state.items():
                tensor[first : first + count].copy_(new[name][:count])
        else:
            index = torch.from_numpy(rows).to(self._detector.device)
            for name, tensor in self._state.items():
                tensor.index_copy_(0, index, new[name][:count])

    def _blocks(self, heard: Mapping[str, Tensor]) -> dict[str, Tensor]:
        state, scores = score_blocks(self._detector, self._unpacked(heard), heard["samples"])
        return self._packed(state) | {"figures": _figures(scores)}

    def _unpacked(self, packed: Mapping[str, Tensor]) -> State:
        tensors = {PENDING: packed["samples"][:, :0]}
        for name, (matrix, columns, shape) in self._places.items():
            tensors[name] = packed[matrix][:, columns].reshape(-1, *shape)
        return State.from_tensors(tensors)

    def _packed(self, state: State) -> dict[str, Tensor]:
        tensors = state.tensors()
        columns: dict[str, list[Tensor]] = {matrix: [] for matrix in KINDS}
        for name, (matrix, _, shape) in self._places.items():
            columns[matrix].append(tensors[name].flatten(1) if shape else tensors[name][:, None])
        return {matrix: torch.cat(parts, dim=1) for matrix, parts in columns.items()}


def _places(state: State) -> dict[str, tuple[str, slice, torch.Size]]:
    """Of each tensor: its matrix, its columns there, and its shape without the first axis."""
    at = dict.fromkeys(KINDS, 0)
    places = {}
    for name, tensor in state.tensors().items():
        if name != PENDING:
            matrix = next(matrix for matrix, kind in KINDS.items() if kind == tensor.dtype)
            begin, at[matrix] = at[matrix], at[matrix] + math.prod(tensor.shape[1:])
            places[name] = (matrix, slice(begin, at[matrix]), tensor.shape[1:])
    return places


def _figures(scores: Scores) -> Tensor:
    parts = [getattr(scores, name)[:, :, None].float() for name in FIGURES]
    return torch.cat([*parts, scores.family], dim=2)
