"""The scorer of a GPU, and the reference of the others: the detector's own step in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.figures import FIGURES, Kind
from model.stream import Detector, Scores, StreamState, assign, init_state, score_blocks, select
from monitor.scoring.scorer import Figures, Ints, States


class TorchScorer:
    """A Scorer (monitor/scoring/scorer.py) on the device of a detector."""

    def __init__(self, detector: Detector, rows: int) -> None:
        self.rows, self._detector = rows, detector
        self.config, self.weights_hash = detector.config, detector.weights_hash
        self.device = detector.device.type
        self.parameters = sum(parameter.numel() for parameter in detector.parameters())
        self._cold = init_state(detector, 1)
        self._state = init_state(detector, rows)

    def score(self, rows: Ints, samples: NDArray[np.float32]) -> Figures:
        audio = torch.from_numpy(np.ascontiguousarray(samples)).to(self._detector.device)
        with torch.inference_mode():
            every = len(rows) == self.rows
            old = self._state if every else select(self._state, self._index(rows))
            new, scores = score_blocks(self._detector, old, audio)
            figures: Figures = _figures(scores).cpu().numpy()  # waits for the device, and raises what went wrong there
        if every:
            self._state = new
        else:
            assign(self._state, self._index(rows), new)
        return figures

    def reset(self, rows: Ints) -> None:
        cold = {name: value.expand(len(rows), *value.shape[1:]) for name, value in self._cold.tensors().items()}
        assign(self._state, self._index(rows), StreamState.from_tensors(cold))

    def save(self, rows: Ints) -> dict[str, NDArray[Any]]:
        return {name: value.cpu().numpy() for name, value in select(self._state, self._index(rows)).tensors().items()}

    def load(self, rows: Ints, states: States) -> None:
        own = self._state.tensors()
        if {k: v.shape[1:] for k, v in states.items()} != {k: tuple(v.shape[1:]) for k, v in own.items()}:
            raise ValueError("these states are of another network")
        device = self._detector.device
        held = {name: torch.from_numpy(np.array(value)).to(device) for name, value in states.items()}
        assign(self._state, self._index(rows), StreamState.from_tensors(held))

    def _index(self, rows: Ints) -> torch.Tensor:
        return torch.from_numpy(rows).to(self._detector.device)


def _figures(scores: Scores) -> torch.Tensor:
    asked = (scores.kind == Kind.SPEECH) | (scores.kind == Kind.NOT_SPEECH)
    signal, network = FIGURES[: FIGURES.index("spoof")], FIGURES[FIGURES.index("spoof") :]
    parts = [getattr(scores, name)[:, :, None].float() for name in signal]
    from_network = torch.cat([*(getattr(scores, name)[:, :, None] for name in network), scores.family], dim=2)
    return torch.cat([*parts, from_network * asked[:, :, None]], dim=2)
