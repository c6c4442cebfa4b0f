"""Trainings in two processes on the CPU: one network from speech that each draws for itself, and one voice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_corpus import make_corpus
from typer.testing import CliRunner

from model.checkpoint import load_detector, read_detector
from training.baseline.bilstm import load_bilstm
from training.cli.main import app
from training.learn.distributed import Processes, agreed, own_device, processes, seed_of, share_buffers, wrapped
from training.learn.material import OTHER_SOUNDS_S

HERE = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def _torchrun(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    return subprocess.run(
        [*command, "--rdzv-endpoint", "localhost:0", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=HERE.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)},
    )


def _together(network: str, corpus: Path, out: Path, steps: int) -> list[dict[str, Any]]:
    """What each of the two processes wrote down."""
    done = _torchrun(HERE / "distributed_training.py", network, corpus, corpus.parent / "cache", out, str(steps))
    assert done.returncode == 0, done.stderr
    told = [json.loads((out / f"told-{rank}.json").read_text()) for rank in (0, 1)]
    states = [torch.load(out / f"states-{rank}.pt", weights_only=True) for rank in (0, 1)]
    return [one | {"states": held} for one, held in zip(told, states, strict=True)]


@pytest.mark.parametrize("network", ["cnn-lstm", "seed-bilstm"])
def test_two_processes_learn_one_network_from_speech_of_their_own(corpus: Path, tmp_path: Path, network: str) -> None:
    first, second = _together(network, corpus, tmp_path, 10)
    for mine, theirs in zip(first["states"], second["states"], strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in mine), "running means of normalisation among them"
    assert all(a != b for a, b in zip(first["heard"], second["heard"], strict=True)), "each has batches of its own"
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["step"] for row in history] == [5, 10]
    assert history[0]["loss"] == pytest.approx((first["heard"][0] + second["heard"][0]) / 2, rel=0.1)
    assert any("step 10" in line for line in first["said"])
    assert second["said"] == []
    path, written = tmp_path / "weights.safetensors", first["states"][-1]
    kept = load_bilstm(path)[0] if network == "seed-bilstm" else read_detector(path)
    best = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["kept"]
    assert all(torch.equal(kept.state_dict()[name], best[name]) for name in written)
    again, other = _together(network, corpus, tmp_path, 15)
    assert sum("resumed at step 10" in line for line in again["said"]) == 1
    assert len(again["heard"]) == 5
    assert not set(again["heard"]) & set(other["heard"])
    for mine, theirs in zip(again["states"], other["states"], strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def _words(corpus: Path, folder: Path) -> list[str | Path]:
    (folder / "cache").mkdir()
    noise = np.random.default_rng(0).integers(-300, 300, 60 * 16_000).astype(np.int16)
    np.save(folder / "cache" / f"other-sounds-{OTHER_SOUNDS_S}.npy", noise)  # made before: the real ones take 15 s
    words: list[str | Path] = ["--corpus", corpus, "--out", folder / "run", "--cache", folder / "cache", "--rows", "2"]
    words += ["--seconds", "1", "--network", "lstm", "--hidden", "8", "--filters", "20", "--versions", "1"]
    return [*words, "--workers", "1", "--device", "cpu", "--steps", "1"]


def test_the_command_says_each_thing_once(corpus: Path, tmp_path: Path) -> None:
    done = _torchrun("-m", "training", "train", *_words(corpus, tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum("24 training clips" in line for line in lines) == 1
    assert sum(line.startswith("wrote ") for line in lines) == 1
    assert load_detector(tmp_path / "run" / "weights.safetensors").config.features.n_filters == 20


def test_where_the_first_process_fails_the_other_does_not_wait(tmp_path: Path) -> None:
    bad = _torchrun("-m", "training", "train", *_words(tmp_path / "nowhere", tmp_path))
    assert bad.returncode != 0
    assert f"error: there is no folder {tmp_path / 'nowhere'}" in bad.stderr


def test_families_are_left_out_in_one_process(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["leave-out", *map(str, _words(corpus, tmp_path))])
    assert "leave-out trains in one process" in str(done.exception)


def test_without_torchrun_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    layer = torch.nn.BatchNorm1d(2)
    assert wrapped(layer) is layer
    share_buffers(layer)
    assert layer.running_var.tolist() == [1.0, 1.0]
    assert (processes(), seed_of(7), agreed(0.25), own_device("cpu")) == (Processes(0, 1, 0), 7, 0.25, "cpu")


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert own_device("cuda") == "cuda:1"
    assert own_device("cpu") == "cpu"
    assert not processes().first
    assert seed_of(1) != seed_of(2) != 1
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="has no GPU"):
        own_device("cuda")
