"""The configuration for NVIDIA Triton says what the exported graph has."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from helpers import make_weights

from model.export.triton import NAME, write_repository
from model.runtime_file import runtime_path

TYPES = {"tensor(float)": "TYPE_FP32", "tensor(bool)": "TYPE_BOOL"}


def test_a_repository_names_each_input_output_and_state_of_the_graph(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    make_weights(weights)
    config = write_repository(weights, tmp_path / "models").read_text()
    assert (tmp_path / "models" / NAME / "1" / "model.onnx").read_bytes() == runtime_path(
        weights, single=True
    ).read_bytes()
    session = onnxruntime.InferenceSession(runtime_path(weights, single=True))
    plain = {
        name: (kind, dims)
        for name, kind, dims in re.findall(r'^input { name: "(\S+)" \S+ (\S+) dims: (\[.*\])', config, re.M)
    }
    states = dict(re.findall(r'input_name: "(\S+)" output_name: "(\S+)"', config))
    assert set(plain) | set(states) == {value.name for value in session.get_inputs()}
    assert set(re.findall(r'^output { name: "(\S+)"', config, re.M)) | set(states.values()) == {
        value.name for value in session.get_outputs()
    }
    for value in session.get_inputs():
        if value.name in plain:
            assert plain[value.name][0] == TYPES[value.type]
    assert config.count("zero_data: true") == len(states) > 0


def test_the_shapes_of_the_configuration_fit_the_graph(tmp_path: Path) -> None:
    """The graph runs a batch of three with inputs and states of these shapes, and its states keep them."""
    weights = tmp_path / "w.safetensors"
    make_weights(weights)
    config = write_repository(weights, tmp_path / "models").read_text()
    shapes = re.findall(
        r'(?:^input { name|  state { input_name): "(\S+)".*?data_type: (\S+) dims: \[([^\]]*)\]', config, re.M
    )
    given = {
        name: np.zeros((3, *map(int, dims.split(","))), bool if kind == "TYPE_BOOL" else np.float32)
        for name, kind, dims in shapes
    }
    session = onnxruntime.InferenceSession(runtime_path(weights, single=True))
    names = [value.name for value in session.get_outputs()]
    found = dict(zip(names, session.run(names, given), strict=True))
    assert {name: found[f"new.{name}"].shape for name in given if f"new.{name}" in found} == {
        name: value.shape for name, value in given.items() if f"new.{name}" in found
    }
    figures = re.search(r'^output { name: "figures" \S+ \S+ dims: \[(.*)\]', config, re.M)
    assert figures is not None
    assert found["figures"].shape == (3, *map(int, figures[1].split(",")))


def test_weights_that_were_not_exported_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_repository(tmp_path / "none.safetensors", tmp_path / "models")
