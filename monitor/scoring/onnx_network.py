"""A network in onnxruntime: its two graphs, and what their files say of it. It needs no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.runtime_file import RuntimeFacts, check_signature, read_facts, runtime_path
from model.weights_file import CheckpointError
from monitor.scoring.scorer import Figures, States

_NEW = "new."


class OnnxNetwork:
    """A network for onnxruntime, and what its file says of it. Raises CheckpointError where it cannot be used."""

    def __init__(self, data: bytes, name: str, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise CheckpointError(f"{name} is not a complete network file for onnxruntime") from error
        self._session._model_bytes = None  # kept for another try on other devices, of which there are none
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.facts: RuntimeFacts = read_facts(metadata, name)
        check_signature(data, metadata, name)
        fixed = ("real", "imaginary", "ok")
        self.states = {i.name: tuple(i.shape[1:]) for i in self._session.get_inputs() if i.name not in fixed}
        self._recurrent = [name for name, shape in self.states.items() if len(shape) == 1]
        self._given_on = _given_on(self.states) if self.facts.single else {}
        self._new = [name for name in self.states if name not in self._given_on]
        self._outputs = ["figures", *(_NEW + name for name in self._new)]
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True

    def run(
        self, window: NDArray[np.float32], ok: NDArray[np.bool_], states: States
    ) -> tuple[Figures, dict[str, NDArray[Any]]]:
        """Return the spectra (2, N, 2 T, BINS), ok (N, T) and states -> figures (N, T, 3 + K) and new states.

        The figures are NaN where the state of the LSTM is. Raises RuntimeError where onnxruntime fails.
        """
        real, imaginary = (np.ascontiguousarray(plane) for plane in window)
        inputs: dict[str, NDArray[Any]] = {"real": real, "imaginary": imaginary, "ok": ok}
        try:
            figures, *new = self._session.run(self._outputs, {**inputs, **states}, self._options)
        except Exception as error:
            raise RuntimeError(str(error).strip().rpartition("\n")[2]) from error
        older = {name: states[newer] for name, newer in self._given_on.items()}
        states = older | dict(zip(self._new, new, strict=True))
        for name in self._recurrent:
            flat = states[name].ravel()
            if not isfinite(np.dot(flat, flat)):
                # onnxruntime's tanh gives a number even where the LSTM's state is none.
                figures[~np.isfinite(states[name].sum(1))] = np.nan
        return figures, states


def _given_on(states: Iterable[str]) -> dict[str, str]:
    """Return which states of a network for one block are another one of the block before: x.2 is what x.1 was, which
    the graph would only copy. The oldest come first, for each to be put away before what it was takes its new value.
    """
    newer = {name: f"{name[:-1]}{int(name[-1]) - 1}" for name in states if re.search(r"conv\d+\.\d$", name)}
    return {name: newer[name] for name in sorted(newer, reverse=True) if newer[name] in newer}


class OnnxNetworks:
    """The two graphs of a network: for one block a call, and for any number; each is built when it is first used.

    Raises CheckpointError then, as OnnxNetwork does.
    """

    def __init__(self, single: bytes, segments: bytes, name: str, threads: int = 1) -> None:
        self._data, self._name, self._threads = {True: single, False: segments}, name, threads
        self._built: list[OnnxNetwork] = []

    @cached_property
    def single(self) -> OnnxNetwork:
        return self._build(True)

    @cached_property
    def segments(self) -> OnnxNetwork:
        return self._build(False)

    def _build(self, single: bool) -> OnnxNetwork:
        network = OnnxNetwork(self._data.pop(single), self._name, self._threads)
        self._built.append(network)
        if len({built.facts.weights_hash for built in self._built}) > 1:
            raise CheckpointError(f"the two networks of {self._name} are not of the same weights")
        return network

    @classmethod
    def read(cls, weights: Path, threads: int = 1) -> OnnxNetworks:
        """Return those beside a weights file. Raises CheckpointError."""
        try:
            single, segments = (runtime_path(weights, single=single).read_bytes() for single in (True, False))
        except OSError as error:
            raise CheckpointError(f"{error.filename} cannot be read ({error.strerror})") from error
        return cls(single, segments, str(weights), threads)
