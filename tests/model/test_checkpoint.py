"""Weights files hold everything, and a damaged one is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.checkpoint import describe, load_detector, save_detector
from model.config import Calibration, DetectorConfig, NetworkConfig
from model.stream import Detector, init_state, step
from model.weights_file import CheckpointError, weights_path

CONFIG = DetectorConfig(network=NetworkConfig(hidden=16, embedding=16), calibration=Calibration(1.7, -0.4))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    save_detector(Detector(CONFIG), path, {"corpora": ["made here"]})
    return path


def rewrite(path: Path, **changes: str) -> None:
    metadata = describe(path) | changes
    save_file(load_file(path), path, metadata)


def test_a_detector_comes_back_as_it_was(weights: Path) -> None:
    torch.manual_seed(0)
    original = Detector(CONFIG).prepared()
    loaded = load_detector(weights)
    x = torch.randn(1, 16_000)
    assert loaded.config == CONFIG
    assert len(loaded.weights_hash) == 64
    same = step(original, init_state(original), x)[1].spoof
    torch.testing.assert_close(step(loaded, init_state(loaded), x)[1].spoof, same, atol=1e-6, rtol=0)


def test_the_file_says_what_it_is(weights: Path) -> None:
    metadata = describe(weights)
    assert "synthetic" in metadata["polarity"]
    assert json.loads(metadata["config"])["calibration"] == {"scale": 1.7, "offset": -0.4}
    assert json.loads(metadata["training"]) == {"corpora": ["made here"]}


def test_every_flipped_byte_is_noticed(weights: Path) -> None:
    whole = weights.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for at in (3, 20, header // 2, header + 1, (header + len(whole)) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        weights.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=weights.name):
            load_detector(weights)


@pytest.mark.parametrize("length", [0, 7, 1000])
def test_a_truncated_file_is_refused(weights: Path, length: int) -> None:
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_detector(weights)


def test_another_version_is_named(weights: Path) -> None:
    rewrite(weights, version="99")
    with pytest.raises(CheckpointError, match="version 99; this program reads version 1"):
        load_detector(weights)


def test_an_edited_calibration_is_refused(weights: Path) -> None:
    config = json.loads(describe(weights)["config"]) | {"calibration": {"scale": 9.0, "offset": 0.0}}
    rewrite(weights, config=json.dumps(config))
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_detector(weights)


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="no weights of this program"):
        load_detector(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no weights file"):
        load_detector(tmp_path / "none.safetensors")


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        DetectorConfig.from_dict({"colour": 1})
    with pytest.raises(ValueError, match="hiden"):
        DetectorConfig.from_dict({"network": {"hiden": 1}})


def test_the_weights_that_ship_are_found_by_name() -> None:
    assert load_detector(weights_path("default")).weights_hash == load_detector().weights_hash
    assert weights_path("runs/mine.safetensors") == Path("runs/mine.safetensors")
